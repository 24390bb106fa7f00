#include "agent/os/spare_descriptors.h"

#include <fcntl.h>

#include <utility>

#include "absl/status/statusor.h"
#include "agent/os/descriptor.h"

namespace shoal::agent {

bool SpareDescriptors::GiveUp() {
  if (spares_.empty()) return false;
  spares_.pop_back();
  return true;
}

void SpareDescriptors::Refill() {
  while (spares_.size() < count_) {
    absl::StatusOr<UniqueFd> spare = OpenAt(AT_FDCWD, "/dev/null", O_RDONLY);
    if (!spare.ok()) return;
    spares_.push_back(*std::move(spare));
  }
}

}  // namespace shoal::agent
