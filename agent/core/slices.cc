#include "agent/core/slices.h"

#include <utility>

namespace shoal::agent {

void Slices::Run(const Caller& caller, Step step) {
  const absl::Duration end = clock_->BootTime() + kSlice;
  while (step()) {
    if (clock_->BootTime() < end) continue;
    return scheduler_->Share(
        caller, [this, caller, step = std::move(step)]() mutable { Run(caller, std::move(step)); });
  }
}

}  // namespace shoal::agent
