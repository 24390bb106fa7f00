// Scheduler of the real system: the event loop's timers, and the turns of callers.
//
// Ownership:     `loop` and `turns` outlive it.
// Thread-safety: loop thread only.
#ifndef SHOAL_AGENT_OS_LOOP_SCHEDULER_H_
#define SHOAL_AGENT_OS_LOOP_SCHEDULER_H_

#include <utility>

#include "agent/core/ports/scheduler.h"
#include "agent/loop/event_loop.h"
#include "agent/loop/fair_queue.h"

namespace shoal::agent {

class LoopScheduler : public Scheduler {
 public:
  LoopScheduler(EventLoop* loop, FairQueue* turns) : loop_(loop), turns_(turns) {}
  TimerId After(absl::Duration delay, absl::AnyInvocable<void()> closure) override {
    return loop_->After(delay, std::move(closure));
  }
  void Cancel(TimerId timer) override { loop_->Cancel(timer); }
  void Share(const Caller& caller, absl::AnyInvocable<void()> closure) override {
    turns_->Post(caller.name, caller.connection, std::move(closure));
  }

 private:
  EventLoop* const loop_;
  FairQueue* const turns_;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OS_LOOP_SCHEDULER_H_
