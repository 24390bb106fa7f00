// Work on many processes in slices, so that the loop is held no longer than one slice at a time, and
// callers take turns between them.
//
// Ownership:     owned by Core; owns the work that is not done yet.
// Thread-safety: loop thread only.
// Blocking:      for one slice of kSlice, and the last step of it.
// Errors:        none.
#ifndef SHOAL_AGENT_CORE_SLICES_H_
#define SHOAL_AGENT_CORE_SLICES_H_

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "agent/core/caller.h"
#include "agent/core/ports/clock.h"
#include "agent/core/ports/scheduler.h"

namespace shoal::agent {

class Slices {
 public:
  // A small piece of work; false: that was the last. Between two pieces may lie a commit, and anything
  // that other callers do.
  using Step = absl::AnyInvocable<bool()>;

  static constexpr absl::Duration kSlice = absl::Milliseconds(1);

  Slices(Clock* clock, Scheduler* scheduler) : clock_(clock), scheduler_(scheduler) {}

  // The first slice before returning, the others in turns of the caller.
  void Run(const Caller& caller, Step step);

 private:
  Clock* const clock_;
  Scheduler* const scheduler_;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_SLICES_H_
