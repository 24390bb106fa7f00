#include "shoal/wire/agent_clock.h"

#include <algorithm>

namespace shoal {

void AgentClock::Note(absl::Time agent_time, BootTime sent, BootTime answered) {
  const int64_t least = absl::ToUnixMillis(agent_time - answered.since_boot());
  const int64_t most = std::max(least, absl::ToUnixMillis(agent_time - sent.since_boot()));
  MutexLock lock(&mu_);
  boot_ms_ = std::clamp(boot_ms_, least, most);
  // It is told in whole milliseconds, cut off.
  Bounds bounds{least, most + 1};
  if (bounds_.has_value()) {
    const Bounds both{std::max(bounds.least_ms, bounds_->least_ms),
                      std::min(bounds.most_ms, bounds_->most_ms)};
    // Empty: the clock was set.
    if (both.least_ms <= both.most_ms) bounds = both;
  }
  bounds_ = bounds;
}

absl::Time AgentClock::At(BootTime moment) const {
  MutexLock lock(&mu_);
  return absl::FromUnixMillis(boot_ms_) + moment.since_boot();
}

ClockReading AgentClock::Read() const {
  MutexLock lock(&mu_);
  if (!bounds_.has_value()) return {absl::FromUnixMillis(boot_ms_), absl::InfiniteDuration()};
  const absl::Duration span = absl::Milliseconds(bounds_->most_ms - bounds_->least_ms);
  return {absl::FromUnixMillis(bounds_->least_ms) + span / 2, span / 2};
}

}  // namespace shoal
