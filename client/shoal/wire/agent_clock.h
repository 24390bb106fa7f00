// The clock of an agent, as far as its answers tell: by it a host's request_ids are made.
//
// Each answer says when the agent saw the call, which was after it was sent and before it was
// answered. The clock starts as this machine's and is moved only as far as an answer proves, so
// that neither a slow connection nor a long call moves it. It goes on by the time since boot: what
// becomes of this machine's wall clock later does not matter.
//
// Ownership:     part of a Host.
// Thread-safety: thread-safe.
// Blocking:      never blocks.
// Errors:        none.
#ifndef SHOAL_CLIENT_SHOAL_WIRE_AGENT_CLOCK_H_
#define SHOAL_CLIENT_SHOAL_WIRE_AGENT_CLOCK_H_

#include <cstdint>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/boot_time.h"
#include "common/mutex.h"
#include "shoal/host.h"

namespace shoal {

class AgentClock {
 public:
  // `here`: what this machine's wall clock says at `now`.
  explicit AgentClock(absl::Time here = absl::Now(), BootTime now = BootTime::Now())
      : boot_ms_(absl::ToUnixMillis(here - now.since_boot())) {}

  void Note(absl::Time agent_time, BootTime sent, BootTime answered);

  // What the agent's clock says at `moment`.
  absl::Time At(BootTime moment) const;
  absl::Time Now() const { return At(BootTime::Now()); }
  // What it said when this machine was booted, as exactly as the answers tell together.
  ClockReading Read() const;
  // How far it is ahead of this machine's wall clock; negative: behind.
  absl::Duration Lead() const { return Now() - absl::Now(); }

 private:
  // What it said when this machine was booted, at least and at most.
  struct Bounds {
    int64_t least_ms = 0;
    int64_t most_ms = 0;
  };

  mutable Mutex mu_;
  int64_t boot_ms_ ABSL_GUARDED_BY(mu_);               // as little moved as the last answer allowed
  std::optional<Bounds> bounds_ ABSL_GUARDED_BY(mu_);  // by all answers since it was set
};

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_WIRE_AGENT_CLOCK_H_
