// Logged calls that are being carried out, in slices, over several turns: a repeat of one waits for it
// to be through, and is then answered by what it did.
//
// Ownership:     owned by Core.
// Thread-safety: loop thread only.
// Blocking:      never blocks.
// Errors:        none.
#ifndef SHOAL_AGENT_CORE_RUNNING_CALLS_H_
#define SHOAL_AGENT_CORE_RUNNING_CALLS_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "agent/core/logged_request.h"
#include "agent/core/ports/scheduler.h"

namespace shoal::agent {

class RunningCalls {
 public:
  explicit RunningCalls(Scheduler* scheduler) : scheduler_(scheduler) {}

  bool IsRunning(const LoggedCall& call) const { return calls_.contains(KeyOf(call)); }
  // REQUIRES: it is running. `repeat` runs once it is through.
  void Await(const LoggedCall& call, absl::AnyInvocable<void()> repeat) {
    calls_.at(KeyOf(call)).push_back(std::move(repeat));
  }

  void Begin(const LoggedCall& call) { calls_[KeyOf(call)]; }
  void End(const LoggedCall& call) {
    const auto found = calls_.find(KeyOf(call));
    if (found == calls_.end()) return;
    Repeats repeats = std::move(found->second);
    calls_.erase(found);
    // Not from within: each may begin the call again.
    for (absl::AnyInvocable<void()>& repeat : repeats) {
      scheduler_->After(absl::ZeroDuration(), std::move(repeat));
    }
  }

 private:
  using Key = std::pair<std::string, std::string>;  // owner, request_id
  using Repeats = std::vector<absl::AnyInvocable<void()>>;

  static Key KeyOf(const LoggedCall& call) { return {call.owner(), call.request_id}; }

  Scheduler* const scheduler_;
  absl::flat_hash_map<Key, Repeats> calls_;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_RUNNING_CALLS_H_
