// `shoal agent restart`: ends the agent of this machine and starts it again; its processes keep running.
//
// Thread-safety: main thread only.
// Blocking:      until the new agent is ready.
#ifndef SHOAL_CLIENT_CLI_AGENT_RESTART_H_
#define SHOAL_CLIENT_CLI_AGENT_RESTART_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "client/cli/invocation.h"
#include "shoal/v1/host_service.pb.h"

namespace shoal::cli {

// What is said once it is ready.
std::string TellRestarted(absl::string_view socket, const v1::Host& facts);

// With `flags`, or without any with those that it has. One that no command has started, such as that of a
// service manager, is left alone. The exit status.
int RestartAgent(const std::vector<std::string>& flags, Invocation& invocation);

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_AGENT_RESTART_H_
