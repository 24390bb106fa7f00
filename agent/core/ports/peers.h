// The programs that talk to this agent over its Unix socket.
//
// Ownership:     main owns the implementation, which outlives the supervisor.
// Thread-safety: loop thread only.
// Blocking:      a few system calls.
// Errors:        none.
#ifndef SHOAL_AGENT_CORE_PORTS_PEERS_H_
#define SHOAL_AGENT_CORE_PORTS_PEERS_H_

#include "agent/core/model.h"

namespace shoal::agent {

class Peers {
 public:
  virtual ~Peers() = default;

  // It lives and is stopped, by a signal or a debugger. False if it is gone.
  virtual bool IsStopped(const Opener& opener) = 0;
  // It has ended, whether or not it was waited for.
  virtual bool IsGone(const SocketPeer& peer) = 0;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_PORTS_PEERS_H_
