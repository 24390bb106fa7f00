#include "agent/os/system_clock.h"

#include <time.h>

namespace shoal::agent {
namespace {

timespec Read(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return now;
}

}  // namespace

absl::Time SystemClock::Now() { return absl::TimeFromTimespec(Read(CLOCK_REALTIME)); }

absl::Duration SystemClock::BootTime() { return absl::DurationFromTimespec(Read(CLOCK_BOOTTIME)); }

}  // namespace shoal::agent
