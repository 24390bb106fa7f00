// A process that others are forked from, and why it did not fork; see
// proto/shoal/v1/fork_protocol.h.
//
// Ownership:     plain data.
// Thread-safety: plain data.
// Blocking:      never blocks.
// Errors:        none.
#ifndef SHOAL_AGENT_CORE_PORTS_FORK_PARENT_H_
#define SHOAL_AGENT_CORE_PORTS_FORK_PARENT_H_

#include <cstdint>
#include <string>

namespace shoal::agent {

// A process that offers itself to be forked.
struct ForkParent {
  int pid = 0;
  uint64_t start_ticks = 0;  // tells the process from a later one with the same pid

  friend bool operator==(const ForkParent&, const ForkParent&) = default;
};

// Why a parent did not fork.
struct ForkFailure {
  std::string stage;  // one of fork_protocol::kStage…
  int error_number = 0;
  std::string text;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_PORTS_FORK_PARENT_H_
