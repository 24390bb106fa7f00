// Peers that are stopped when a test says so.
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

  std::set<int> stopped;  // by pid
};

}  // namespace shoal::agent

#endif  // SHOAL_TESTS_SUPPORT_FAKE_PEERS_H_
