// What every process finds in its environment before its spec adds to it.
//
// Thread-safety: thread-safe.
// Blocking:      on the user database (getpwuid_r(3)); once, at start.
#ifndef SHOAL_AGENT_OS_BASE_ENVIRONMENT_H_
#define SHOAL_AGENT_OS_BASE_ENVIRONMENT_H_

#include <string>
#include <vector>

namespace shoal::agent {

// PATH, HOME, USER, SHELL of the agent's user; nothing of the agent's own environment.
std::vector<std::string> BaseEnvironment();

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OS_BASE_ENVIRONMENT_H_
