#include "agent/core/environment.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "shoal/v1/fork_protocol.h"

namespace shoal::agent {
namespace {

absl::string_view KeyOf(absl::string_view variable) {
  return variable.substr(0, variable.find('='));
}

bool HasKey(absl::string_view variable, absl::string_view key) {
  return absl::StartsWith(variable, key) && variable.size() > key.size() &&
         variable[key.size()] == '=';
}

}  // namespace

absl::string_view* Environment::Find(absl::string_view key) {
  if (const auto found = positions_->find(key); found != positions_->end()) {
    return &variables_[found->second];
  }
  const auto added =
      std::find_if(variables_.begin() + static_cast<std::ptrdiff_t>(shared_), variables_.end(),
                   [key](absl::string_view one) { return KeyOf(one) == key; });
  return added == variables_.end() ? nullptr : &*added;
}

absl::string_view Environment::ValueOf(absl::string_view key) const {
  for (const absl::string_view variable : variables_) {
    if (HasKey(variable, key)) return variable.substr(key.size() + 1);
  }
  return {};
}

void Environment::Put(absl::string_view variable) {
  if (absl::string_view* const before = Find(KeyOf(variable))) {
    *before = variable;
  } else {
    variables_.push_back(variable);
  }
}

void Environment::PutOwn(std::string variable) {
  own_.push_back(std::move(variable));
  Put(own_.back());
}

// A later one of the same key replaces an earlier one, in its place.
void Environments::Merge(const ProcessEntry& process) {
  spec_ = process.spec;
  is_template_ = process.template_facts.has_value();
  of_terminal_.clear();
  if (process.spec->HasTerminal()) {
    of_terminal_.push_back(absl::StrCat("TERM=", process.spec->term));
  }
  variables_.clear();
  positions_.clear();
  const std::vector<std::string>* const parts[] = {&options_->base_env, &of_terminal_,
                                                   &process.spec->env};
  for (const auto* part : parts) {
    for (const std::string& variable : *part) {
      const absl::string_view key = KeyOf(variable);
      // It may have come along with the environment of a template.
      if (key == fork_protocol::kTemplateVariable && !is_template_) continue;
      const auto [found, added] = positions_.try_emplace(key, variables_.size());
      if (added) {
        variables_.emplace_back(variable);
      } else {
        variables_[found->second] = variable;
      }
    }
  }
}

Environment Environments::Of(const ProcessEntry& process) {
  const bool is_known =
      spec_.lock() == process.spec && is_template_ == process.template_facts.has_value();
  if (!is_known) Merge(process);
  Environment env(variables_, &positions_);
  if (process.ranks != nullptr && process.rank) {
    for (std::string& variable : RankEnvironment(*process.ranks, *process.rank)) {
      env.PutOwn(std::move(variable));
    }
  }
  for (const std::string& variable : options_->own_env) env.Put(variable);
  env.PutOwn(absl::StrCat("SHOAL_NAME=", process.name));
  env.PutOwn(absl::StrCat("SHOAL_ID=", process.id));
  return env;
}

}  // namespace shoal::agent
