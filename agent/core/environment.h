// The environment that a process is started with.
//
// Ownership:     stateless.
// Thread-safety: thread-safe.
// Blocking:      never blocks.
// Errors:        none.
#ifndef SHOAL_AGENT_CORE_ENVIRONMENT_H_
#define SHOAL_AGENT_CORE_ENVIRONMENT_H_

#include <string>
#include <vector>

#include "agent/core/model.h"
#include "agent/core/options.h"

namespace shoal::agent {

// The agent's base, the spec's, the rank's and the agent's own variables; of one key the last.
std::vector<std::string> EnvironmentOf(const SupervisorOptions& options,
                                       const ProcessEntry& process);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_ENVIRONMENT_H_
