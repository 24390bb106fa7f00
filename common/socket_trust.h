// Whether a Unix socket that nobody named can only be that of this user's agent, or of root's: what is sent there
// includes the environment, and another user may have been first at a place below /tmp.
//
// Thread-safety: thread-safe.
// Blocking:      never waits; a system call or two.
#ifndef SHOAL_COMMON_SOCKET_TRUST_H_
#define SHOAL_COMMON_SOCKET_TRUST_H_

#include <sys/types.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/unique_fd.h"

namespace shoal {

// OK if the directory of the socket belongs to this user or to root, and nobody else may write there.
// FAILED_PRECONDITION names the directory, its owner or mode. UNAVAILABLE: there is none, and so no agent.
absl::Status CheckSocketDirectory(const std::string& socket_path);

// The same of the process that listens behind the connected `socket`.
absl::Status CheckSocketPeer(int socket, const std::string& socket_path);

// The process that listens on a Unix socket, as the kernel tells it: not what it says of itself.
struct SocketListener {
  UniqueFd connection;
  pid_t pid = 0;
  uid_t uid = 0;
};

// Connects. UNAVAILABLE: no process listens there.
absl::StatusOr<SocketListener> FindListener(const std::string& socket_path);

// A pidfd of the process that listens there, of this user or root: opened, and then seen to listen
// still, so that it is no other that has got its PID. UNAVAILABLE, FAILED_PRECONDITION as above.
struct ListenerHandle {
  UniqueFd pidfd;
  pid_t pid = 0;
};
absl::StatusOr<ListenerHandle> OpenListener(const std::string& socket_path);

}  // namespace shoal

#endif  // SHOAL_COMMON_SOCKET_TRUST_H_
