// Runs closures on the loop thread later.
//
// Ownership:     main owns the implementation, which outlives the supervisor.
// Thread-safety: loop thread only.
// Blocking:      never blocks.
// Errors:        none.
#ifndef SHOAL_AGENT_CORE_PORTS_SCHEDULER_H_
#define SHOAL_AGENT_CORE_PORTS_SCHEDULER_H_

#include <cstdint>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "agent/core/caller.h"

namespace shoal::agent {

class Scheduler {
 public:
  using TimerId = uint64_t;
  virtual ~Scheduler() = default;
  // `delay` counts on CLOCK_BOOTTIME. Never runs the closure before returning.
  virtual TimerId After(absl::Duration delay, absl::AnyInvocable<void()> closure) = 0;
  virtual void Cancel(TimerId timer) = 0;
  // Runs the closure when it is the turn of this caller: callers take turns, however much each has to
  // do. Never before returning.
  virtual void Share(const Caller& /*caller*/, absl::AnyInvocable<void()> closure) {
    After(absl::ZeroDuration(), std::move(closure));
  }
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_PORTS_SCHEDULER_H_
