// A few descriptors that are kept open for when no other is left: given up, the next open(2) or
// accept(2) of this process has one. So an agent whose descriptors are used up is still reached, and
// still wakes shims.
//
// Ownership:     owns them.
// Thread-safety: one thread; what is given up any thread may take first.
// Blocking:      never blocks.
#ifndef SHOAL_AGENT_OS_SPARE_DESCRIPTORS_H_
#define SHOAL_AGENT_OS_SPARE_DESCRIPTORS_H_

#include <cstddef>
#include <vector>

#include "common/unique_fd.h"

namespace shoal::agent {

class SpareDescriptors {
 public:
  explicit SpareDescriptors(size_t count) : count_(count) { Refill(); }

  // False: none is left.
  bool GiveUp();
  // Takes again what was given up, as far as it can be had.
  void Refill();

 private:
  const size_t count_;
  std::vector<UniqueFd> spares_;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OS_SPARE_DESCRIPTORS_H_
