// The three clocks of the shim, in nanoseconds.
//
// Thread-safety: thread-safe. Never blocks.
#ifndef SHOAL_AGENT_SHIM_CLOCK_H_
#define SHOAL_AGENT_SHIM_CLOCK_H_

#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

namespace shoal::shim {

inline constexpr int64_t kMillisecond = 1'000'000;
inline constexpr int64_t kSecond = 1'000'000'000;
inline constexpr int64_t kNever = INT64_MAX;
// Until what a file refused is tried again.
inline constexpr int64_t kRetryPause = 100 * kMillisecond;

// By the system call: the vDSO, once touched, costs two pages of page tables for as long as the process lives.
inline int64_t NowOn(clockid_t clock) {
  struct timespec now;
  syscall(SYS_clock_gettime, clock, &now);
  return int64_t{now.tv_sec} * kSecond + now.tv_nsec;
}

// What every deadline of the shim is measured by: goes on during suspend, ignores steps of the wall
// clock.
inline int64_t BootNow() { return NowOn(CLOCK_BOOTTIME); }
// What the record shows.
inline int64_t WallNow() { return NowOn(CLOCK_REALTIME); }

// A point in time `span` after `start`; a negative span is none, one that overflows is never.
inline int64_t After(int64_t start, int64_t span) {
  if (span <= 0) return start;
  return span > kNever - start ? kNever : start + span;
}

inline int64_t Earlier(int64_t a, int64_t b) { return a < b ? a : b; }

}  // namespace shoal::shim

#endif  // SHOAL_AGENT_SHIM_CLOCK_H_
