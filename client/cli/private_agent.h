// The agent that the first command on a machine starts for its user.
//
// Ownership:     no process owns the agent: it has a (setsid) session of its own and ends by
//                itself, ten minutes after its last process, session and client.
// Thread-safety: single-threaded; call before the first thread where possible, for posix_spawn's
//                sake.
// Blocking:      Ensure() until the agent says that it is ready, at most 20 s.
#ifndef SHOAL_CLIENT_CLI_PRIVATE_AGENT_H_
#define SHOAL_CLIENT_CLI_PRIVATE_AGENT_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/socket_trust.h"
#include "common/user_directories.h"
#include "shoal/host_list.h"

namespace shoal::cli {

// Whether an agent accepts connections on a Unix socket that the user has not named. FAILED_PRECONDITION:
// it may be another user's; see common/socket_trust.h.
absl::StatusOr<bool> IsAnswering(const std::string& socket_path);

// The agent of this machine, as LocalAddress() has it. Errors as of that and of IsAnswering().
struct AgentHere {
  HostAddress address;
  bool is_answering = false;
};
absl::StatusOr<AgentHere> FindAgentHere();

// Whether the agent behind that socket is this user's own, which any command may start. Root's is
// started by the machine, or by a command that has work for it.
bool IsOwnAgent(const std::string& socket_path);
// UNAVAILABLE: said of an agent that is not there and not to be started; names the ways out. What it has started may
// live, unless it has left no `state_directory`, which tells of agents behind the default socket.
absl::Status AgentIsAway(const std::string& socket_path,
                         const std::string& state_directory = StateDirectory());

// Starts an agent on `socket_path` unless one answers there, with `extra_flags` behind its own: of
// many callers at once one starts it, under a lock beside the socket, and the others find it
// answering. True if it was this one. FAILED_PRECONDITION: the directory of the socket is not this
// user's alone. Otherwise the message says what shoald said; its log is AgentLogPath().
absl::StatusOr<bool> EnsureAgent(const std::string& socket_path,
                                 const std::vector<std::string>& extra_flags = {});

// The extra flags of an agent with this command line, if EnsureAgent has started it on that socket.
std::optional<std::vector<std::string>> ExtraFlagsOf(const std::vector<std::string>& command_line,
                                                     const std::string& socket_path);

// $SHOAL_SHOALD, or else in `directory`, which is that of this program, in ../sbin beside it, or in
// PATH. NOT_FOUND says where it was looked for.
absl::StatusOr<std::string> FindAgentProgram(const std::string& directory);

// <state>/shoald.log, where <state> is /var/lib/shoal for root, else below $XDG_STATE_HOME or
// ~/.local/state.
std::string AgentLogPath();

// Sends SIGTERM to the agent and waits for its end. DEADLINE_EXCEEDED: it has not ended in `patience`.
absl::Status EndAgent(const ListenerHandle& agent, absl::Duration patience);

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_PRIVATE_AGENT_H_
