// Scheduler of the real system: the event loop's timers.
//
// Ownership:     `loop` outlives it.
// Thread-safety: loop thread only.
#ifndef SHOAL_AGENT_OS_LOOP_SCHEDULER_H_
#define SHOAL_AGENT_OS_LOOP_SCHEDULER_H_

#include <utility>

#include "agent/core/ports/scheduler.h"
#include "agent/loop/event_loop.h"

namespace shoal::agent {

class LoopScheduler : public Scheduler {
 public:
  explicit LoopScheduler(EventLoop* loop) : loop_(loop) {}
  TimerId After(absl::Duration delay, absl::AnyInvocable<void()> closure) override {
    return loop_->After(delay, std::move(closure));
  }
  void Cancel(TimerId timer) override { loop_->Cancel(timer); }

 private:
  EventLoop* const loop_;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OS_LOOP_SCHEDULER_H_
