// Whether this program has been running all the time, by a beat that comes each second: one that is
// stopped, or whose machine sleeps, renews nothing, and has to say so afterwards.
//
// Ownership:     a value.
// Thread-safety: as a plain value.
// Blocking:      never blocks.
// Errors:        none.
#ifndef SHOAL_CLIENT_SHOAL_LINK_PULSE_H_
#define SHOAL_CLIENT_SHOAL_LINK_PULSE_H_

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/boot_time.h"

namespace shoal {

class Pulse {
 public:
  explicit Pulse(BootTime now) : last_(now) {}

  void Beat(BootTime now) {
    if (const absl::Duration pause = PauseUntil(now); pause > absl::ZeroDuration()) {
      pause_ = pause;
      pause_end_ = now;
    }
    last_ = now;
  }

  // The last time in which it did not run, if that ended after `since`; zero if there was none.
  absl::Duration PauseSince(BootTime since, BootTime now) const {
    const absl::Duration pause = PauseUntil(now);
    if (pause > absl::ZeroDuration()) return pause;
    return pause_end_ > since ? pause_ : absl::ZeroDuration();
  }

 private:
  static constexpr absl::Duration kBeat = absl::Seconds(1);
  static constexpr absl::Duration kLateness = absl::Seconds(2);  // of a busy machine

  absl::Duration PauseUntil(BootTime now) const {
    const absl::Duration late = now - last_ - kBeat;
    return late > kLateness ? late : absl::ZeroDuration();
  }

  BootTime last_;
  absl::Duration pause_;
  BootTime pause_end_;
};

// What a pause adds to the reason why a lease is over; nothing if there was none.
inline std::string TellPause(absl::Duration pause) {
  if (pause == absl::ZeroDuration()) return "";
  return absl::StrCat("; this program did not run for ",
                      absl::FormatDuration(absl::Trunc(pause, absl::Seconds(1))),
                      ": it was stopped, or had no processor, or its machine slept");
}

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_LINK_PULSE_H_
