// The agent's Unix socket: binds it, accepts on the loop, gets the peer's identity from the kernel.
//
// Ownership:     owns the listening descriptor, the socket file and its lock; `loop` outlives it.
//                Accepted descriptors belong to the callback.
// Thread-safety: loop thread only, or before the loop runs.
// Blocking:      never blocks.
// Errors:        INVALID_ARGUMENT: the path is too long. FAILED_PRECONDITION: the directory is not
//                private, or another agent listens there.
#ifndef SHOAL_AGENT_OS_UNIX_LISTENER_H_
#define SHOAL_AGENT_OS_UNIX_LISTENER_H_

#include <sys/types.h>

#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "agent/core/model.h"
#include "agent/loop/event_loop.h"
#include "agent/os/accept_loop.h"
#include "agent/os/lock_file.h"
#include "common/unique_fd.h"

namespace shoal::agent {

class UnixListener {
 public:
  // `fd` is non-blocking; `uid` is the agent's own or root; `peer` may be null, see ReadPeer().
  using OnAccept =
      absl::AnyInvocable<void(UniqueFd fd, uid_t uid, std::shared_ptr<const SocketPeer> peer)>;
  // One line for the log: a refused peer, or want of descriptors; at most one every 10 s.
  using OnTrouble = AcceptLoop::OnTrouble;

  // Binds `path`; a socket left by an agent that is gone is replaced.
  static absl::StatusOr<std::unique_ptr<UnixListener>> Open(EventLoop* loop,
                                                            const std::string& path,
                                                            OnAccept on_accept,
                                                            OnTrouble on_trouble);
  ~UnixListener();  // Stops listening and removes the socket file.

  const std::string& path() const { return path_; }

 private:
  UnixListener(EventLoop* loop, std::string path, LockFile lock, UniqueFd fd, OnAccept on_accept,
               OnTrouble on_trouble);
  void Admit(UniqueFd fd);

  const std::string path_;
  const LockFile lock_;
  OnAccept on_accept_;
  AcceptLoop accept_loop_;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OS_UNIX_LISTENER_H_
