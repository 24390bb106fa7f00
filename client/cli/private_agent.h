// The agent that the first command on a machine starts for its user.
//
// Ownership:     the agent belongs to nobody: it has a session of its own and ends by itself, ten
//                minutes after its last process, session and client.
// Thread-safety: single-threaded; call before the first thread where possible, for posix_spawn's
//                sake.
// Blocking:      Ensure() until the agent says that it is ready, at most 20 s.
#ifndef SHOAL_CLIENT_CLI_PRIVATE_AGENT_H_
#define SHOAL_CLIENT_CLI_PRIVATE_AGENT_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace shoal::cli {

// Whether somebody accepts connections on a Unix socket.
bool IsAnswering(const std::string& socket_path);

// Starts an agent on `socket_path` unless one answers there, with `extra_flags` behind its own: of
// many callers at once one starts it, under a lock beside the socket, and the others find it
// answering. True if it was this one. FAILED_PRECONDITION: the directory of the socket is not this
// user's alone. Otherwise the message says what shoald said; its log is AgentLogPath().
absl::StatusOr<bool> EnsureAgent(const std::string& socket_path,
                                 const std::vector<std::string>& extra_flags = {});

// $SHOAL_SHOALD, or else beside this program, in ../sbin, or in PATH. NOT_FOUND says where it was
// looked for.
absl::StatusOr<std::string> FindAgentProgram();

// <state>/shoald.log, where <state> is /var/lib/shoal for root, else below $XDG_STATE_HOME or
// ~/.local/state.
std::string AgentLogPath();

// Sends SIGTERM to process `pid` and waits for its end. DEADLINE_EXCEEDED: it has not ended in
// `patience`.
absl::Status EndAgent(pid_t pid, absl::Duration patience);

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_PRIVATE_AGENT_H_
