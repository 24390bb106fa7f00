// Timers that run when a test moves the clock.
//
// Thread-safety: one thread.
#ifndef SHOAL_TESTS_SUPPORT_FAKE_SCHEDULER_H_
#define SHOAL_TESTS_SUPPORT_FAKE_SCHEDULER_H_

#include <algorithm>
#include <functional>
#include <map>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "agent/core/ports/scheduler.h"
#include "tests/support/fake_clock.h"

namespace shoal::agent {

class FakeScheduler : public Scheduler {
 public:
  explicit FakeScheduler(FakeClock* clock) : clock_(clock) {}

  TimerId After(absl::Duration delay, absl::AnyInvocable<void()> closure) override {
    const TimerId timer = ++last_;
    const absl::Duration due = clock_->BootTime() + std::max(delay, absl::ZeroDuration());
    timers_.emplace(std::make_pair(due, timer), std::move(closure));
    due_[timer] = due;
    return timer;
  }
  void Cancel(TimerId timer) override {
    auto found = due_.find(timer);
    if (found == due_.end()) return;
    timers_.erase({found->second, timer});
    due_.erase(found);
  }

  // Moves the clock and runs each timer at its time, a turn each; those that they make, too.
  void Advance(absl::Duration span) {
    const absl::Duration end = clock_->BootTime() + span;
    while (!timers_.empty() && timers_.begin()->first.first <= end) {
      const absl::Duration due = timers_.begin()->first.first;
      if (due > clock_->BootTime()) clock_->Advance(due - clock_->BootTime());
      RunFirst();
    }
    // A clock that ticks may be past it.
    clock_->Advance(std::max(end - clock_->BootTime(), absl::ZeroDuration()));
  }
  // What is due now.
  void RunDue() { Advance(absl::ZeroDuration()); }
  // The agent was stopped meanwhile: the clock moves, timers run late.
  void Stall(absl::Duration span) {
    clock_->Advance(span);
    RunDue();
  }

  // Runs at the end of each timer's turn.
  void SetTurnEnd(std::function<void()> hook) { turn_end_ = std::move(hook); }
  // The agent is gone, and its timers with it.
  void Clear() {
    timers_.clear();
    due_.clear();
  }
  size_t size() const { return timers_.size(); }

 private:
  void RunFirst() {
    auto first = timers_.begin();
    absl::AnyInvocable<void()> closure = std::move(first->second);
    due_.erase(first->first.second);
    timers_.erase(first);
    closure();
    if (turn_end_) turn_end_();
  }

  FakeClock* const clock_;
  std::map<std::pair<absl::Duration, TimerId>, absl::AnyInvocable<void()>> timers_;
  std::map<TimerId, absl::Duration> due_;
  TimerId last_ = 0;
  std::function<void()> turn_end_;
};

}  // namespace shoal::agent

#endif  // SHOAL_TESTS_SUPPORT_FAKE_SCHEDULER_H_
