// Peers that are stopped, or gone, when a test says so.
//
// Thread-safety: one thread.
#ifndef SHOAL_TESTS_SUPPORT_FAKE_PEERS_H_
#define SHOAL_TESTS_SUPPORT_FAKE_PEERS_H_

#include <set>

#include "agent/core/ports/peers.h"

namespace shoal::agent {

class FakePeers final : public Peers {
 public:
  bool IsStopped(const Opener& opener) override { return stopped.contains(opener.pid); }
  bool IsGone(const SocketPeer& peer) override { return gone.contains(peer.pid); }

  std::set<int> stopped;  // by pid
  std::set<int> gone;     // the same
};

}  // namespace shoal::agent

#endif  // SHOAL_TESTS_SUPPORT_FAKE_PEERS_H_
