#include "agent/core/environment.h"

#include <map>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "shoal/v1/fork_protocol.h"

namespace shoal::agent {

std::vector<std::string> EnvironmentOf(const SupervisorOptions& options,
                                       const ProcessEntry& process) {
  std::vector<std::string> variables = options.base_env;
  if (process.spec->HasTerminal()) variables.push_back(absl::StrCat("TERM=", process.spec->term));
  const std::vector<std::string>& given = process.spec->env;
  variables.insert(variables.end(), given.begin(), given.end());
  if (process.ranks != nullptr && process.rank) {
    for (std::string& variable : RankEnvironment(*process.ranks, *process.rank)) {
      variables.push_back(std::move(variable));
    }
  }
  const std::vector<std::string>& own = options.own_env;
  variables.insert(variables.end(), own.begin(), own.end());
  variables.push_back(absl::StrCat("SHOAL_NAME=", process.name));
  variables.push_back(absl::StrCat("SHOAL_ID=", process.id));
  // A later one of the same key replaces an earlier one, in its place.
  std::vector<std::string> environment;
  std::map<std::string, size_t, std::less<>> position;
  for (std::string& variable : variables) {
    std::string key = variable.substr(0, variable.find('='));
    auto [found, added] = position.try_emplace(std::move(key), environment.size());
    if (added) {
      environment.push_back(std::move(variable));
    } else {
      environment[found->second] = std::move(variable);
    }
  }
  // It may have come along with the environment of a template.
  if (!process.template_facts) {
    const std::string told = absl::StrCat(fork_protocol::kTemplateVariable, "=");
    std::erase_if(environment, [&told](const std::string& variable) {
      return absl::StartsWith(variable, told);
    });
  }
  return environment;
}

}  // namespace shoal::agent
