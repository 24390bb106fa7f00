// A moment by the clock that no one sets: the time since this machine was booted, sleep included
// (CLOCK_BOOTTIME). Deadlines and intervals are counted in it; the wall clock is for what is shown.
//
// Ownership:     a value.
// Thread-safety: a value.
// Blocking:      never blocks.
// Errors:        none.
#ifndef SHOAL_COMMON_BOOT_TIME_H_
#define SHOAL_COMMON_BOOT_TIME_H_

#include <time.h>

#include "absl/time/time.h"

namespace shoal {

class BootTime {
 public:
  BootTime() = default;  // the boot

  static BootTime Now() {
    timespec now{};
    clock_gettime(CLOCK_BOOTTIME, &now);
    return BootTime(absl::DurationFromTimespec(now));
  }
  static BootTime InfiniteFuture() { return BootTime(absl::InfiniteDuration()); }

  absl::Duration since_boot() const { return since_boot_; }

  friend BootTime operator+(BootTime moment, absl::Duration later) {
    return BootTime(moment.since_boot_ + later);
  }
  friend absl::Duration operator-(BootTime late, BootTime early) {
    return late.since_boot_ - early.since_boot_;
  }
  friend bool operator<(BootTime a, BootTime b) { return a.since_boot_ < b.since_boot_; }
  friend bool operator>(BootTime a, BootTime b) { return b < a; }
  friend bool operator<=(BootTime a, BootTime b) { return !(b < a); }
  friend bool operator>=(BootTime a, BootTime b) { return !(a < b); }
  friend bool operator==(BootTime a, BootTime b) { return a.since_boot_ == b.since_boot_; }

 private:
  explicit BootTime(absl::Duration since_boot) : since_boot_(since_boot) {}

  absl::Duration since_boot_;
};

}  // namespace shoal

#endif  // SHOAL_COMMON_BOOT_TIME_H_
