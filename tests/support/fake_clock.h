// Time that stands still until a test moves it.
//
// Thread-safety: one thread.
#ifndef SHOAL_TESTS_SUPPORT_FAKE_CLOCK_H_
#define SHOAL_TESTS_SUPPORT_FAKE_CLOCK_H_

#include "absl/time/time.h"
#include "agent/core/ports/clock.h"

namespace shoal::agent {

class FakeClock : public Clock {
 public:
  absl::Time Now() override { return now_; }
  absl::Duration BootTime() override { return boot_time_ += tick_; }

  void Advance(absl::Duration span) {
    now_ += span;
    boot_time_ += span;
  }
  // Each look at CLOCK_BOOTTIME takes so long: what works in slices is cut into them.
  void SetTick(absl::Duration tick) { tick_ = tick; }
  // The wall clock was set.
  void StepWallClock(absl::Duration span) { now_ += span; }

 private:
  absl::Time now_ = absl::FromUnixSeconds(1'700'000'000);
  absl::Duration boot_time_ = absl::Hours(1);
  absl::Duration tick_;
};

}  // namespace shoal::agent

#endif  // SHOAL_TESTS_SUPPORT_FAKE_CLOCK_H_
