#include "agent/core/environment.h"

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "shoal/v1/fork_protocol.h"

namespace shoal::agent {

// Most variables are the same for each process: they are looked at where they lie, and copied once.
std::vector<std::string> EnvironmentOf(const SupervisorOptions& options,
                                       const ProcessEntry& process) {
  std::vector<std::string> of_rank;
  if (process.ranks != nullptr && process.rank) {
    of_rank = RankEnvironment(*process.ranks, *process.rank);
  }
  std::vector<std::string> of_terminal;
  if (process.spec->HasTerminal()) {
    of_terminal.push_back(absl::StrCat("TERM=", process.spec->term));
  }
  const std::vector<std::string> of_process = {absl::StrCat("SHOAL_NAME=", process.name),
                                               absl::StrCat("SHOAL_ID=", process.id)};
  const std::vector<std::string>* const parts[] = {
      &options.base_env, &of_terminal, &process.spec->env, &of_rank, &options.own_env, &of_process};
  size_t most = 0;
  for (const auto* part : parts) most += part->size();
  std::vector<absl::string_view> variables;
  variables.reserve(most);
  absl::flat_hash_map<absl::string_view, size_t> position;
  position.reserve(most);
  for (const auto* part : parts) {
    for (const std::string& variable : *part) {
      const absl::string_view key = absl::string_view(variable).substr(0, variable.find('='));
      // It may have come along with the environment of a template.
      if (key == fork_protocol::kTemplateVariable && !process.template_facts) continue;
      // A later one of the same key replaces an earlier one, in its place.
      const auto [found, added] = position.try_emplace(key, variables.size());
      if (added) {
        variables.emplace_back(variable);
      } else {
        variables[found->second] = variable;
      }
    }
  }
  return std::vector<std::string>(variables.begin(), variables.end());
}

}  // namespace shoal::agent
