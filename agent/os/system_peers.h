// The peers of the Unix socket as /proc shows them.
//
// Thread-safety: thread-safe.
// Blocking:      never waits; a few system calls.
// Errors:        none.
#ifndef SHOAL_AGENT_OS_SYSTEM_PEERS_H_
#define SHOAL_AGENT_OS_SYSTEM_PEERS_H_

#include <memory>

#include "agent/core/model.h"
#include "agent/core/ports/peers.h"

namespace shoal::agent {

// Null if it is gone, or of a PID namespace that is hidden from this one (pid 0).
std::shared_ptr<const SocketPeer> ReadPeer(int pid);

class SystemPeers final : public Peers {
 public:
  bool IsStopped(const Opener& opener) override;
  bool IsGone(const SocketPeer& peer) override;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OS_SYSTEM_PEERS_H_
