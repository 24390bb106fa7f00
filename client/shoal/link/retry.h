// When to try a call again, and after what pause.
//
// Ownership:     part of one call.
// Thread-safety: one caller at a time.
#ifndef SHOAL_CLIENT_SHOAL_LINK_RETRY_H_
#define SHOAL_CLIENT_SHOAL_LINK_RETRY_H_

#include <optional>

#include "absl/time/time.h"
#include "common/boot_time.h"

namespace shoal {

// Pauses that double from 20 ms to 1 s, each shortened by a random part of up to a quarter, so that
// clients which lost the same agent do not come back in one instant.
class Backoff {
 public:
  absl::Duration Next();
  void Reset() { pause_ = kFirst; }

 private:
  static constexpr absl::Duration kFirst = absl::Milliseconds(20);
  absl::Duration pause_ = kFirst;
};

// What there is to know about a failed attempt.
struct Attempt {
  bool retry_wanted = true;     // CallOptions.retry
  bool has_answered = false;    // the host, ever
  bool wait_for_agent = false;  // HostOptions.wait_for_agent
  BootTime connect_deadline;    // for a host that never answered
  BootTime deadline;            // of the call
};

// How long to wait after an attempt that ended UNAVAILABLE; nothing: do not try again.
std::optional<absl::Duration> PauseBeforeRetry(const Attempt& attempt, BootTime now,
                                               Backoff* backoff);

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_LINK_RETRY_H_
