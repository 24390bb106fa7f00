#include "shoal/wire/moving_lease.h"

#include <utility>

namespace shoal {

MovingLease::MovingLease(std::shared_ptr<grpc::Channel> channel, HostAddress address,
                         LeaseTerms terms, std::function<void()> on_broken)
    : entry_(keeper_->Keep(std::move(channel), std::move(address), std::move(terms),
                           std::move(on_broken))) {}

void MovingLease::MoveTo(const std::shared_ptr<grpc::Channel>& channel) {
  std::shared_ptr<LeaseKeeper::Entry> former;
  {
    MutexLock lock(&mu_);
    absl::Status status = keeper_->StatusOf(*entry_);
    if (is_dropped_ || !(status.ok() || absl::IsUnavailable(status))) return;
    former = std::exchange(entry_, keeper_->KeepThrough(channel, *entry_));
  }
  keeper_->Drop(former);
}

void MovingLease::Drop() {
  std::shared_ptr<LeaseKeeper::Entry> entry;
  {
    MutexLock lock(&mu_);
    is_dropped_ = true;
    entry = entry_;
  }
  keeper_->Drop(entry);
}

absl::Status MovingLease::status() const {
  MutexLock lock(&mu_);
  return keeper_->StatusOf(*entry_);
}

absl::Duration MovingLease::pause() const {
  MutexLock lock(&mu_);
  return keeper_->PauseOf(*entry_);
}

}  // namespace shoal
