#include "agent/core/waits.h"

#include <utility>

namespace shoal::agent {

bool Waits::HasCome(const ProcessEntry& process, Until until) {
  switch (until) {
    case Until::kStarted:
      // Of an unmanaged one nothing more is heard than that it is there.
      return process.IsUnmanaged() ||
             (process.state != State::kPending && process.state != State::kStarting);
    case Until::kExited:
      return !process.IsLive();
    case Until::kOutputComplete:
      return !process.IsLive() && process.output_complete;
    case Until::kEmpty:
      // Where its output cannot be written nothing tells when it will be: that is not waited for.
      return process.IsTreeOver() && (process.output_complete || process.stall_errno != 0);
  }
  return false;
}

Waits::Id Waits::Add(const std::vector<ProcessEntry*>& processes, Until until, bool any,
                     absl::Duration timeout, Callback done) {
  Id id = ++last_id_;
  Wait& wait = waits_[id];
  wait.ids.reserve(processes.size());
  wait.until = until;
  wait.any = any;
  wait.done = std::move(done);
  for (const ProcessEntry* process : processes) {
    wait.ids.push_back(process->id);
    if (HasCome(*process, until)) continue;
    ++wait.missing;
    by_process_[process->id].push_back(id);
  }
  if (IsSatisfied(wait)) {
    satisfied_.push_back(id);
  } else if (timeout != absl::InfiniteDuration()) {
    wait.timer = scheduler_->After(timeout, [this, id] {
      if (auto found = waits_.find(id); found != waits_.end()) found->second.timer = 0;
      Finish(id, /*timed_out=*/true);
    });
  }
  return id;
}

void Waits::Unlink(Id wait_id, const Wait& wait) {
  if (wait.missing == 0) return;
  for (const std::string& process_id : wait.ids) {
    auto found = by_process_.find(process_id);
    if (found == by_process_.end()) continue;
    std::erase(found->second, wait_id);
    if (found->second.empty()) by_process_.erase(found);
  }
}

void Waits::Cancel(Id wait_id) {
  auto found = waits_.find(wait_id);
  if (found == waits_.end()) return;
  if (found->second.timer != 0) scheduler_->Cancel(found->second.timer);
  Unlink(wait_id, found->second);
  waits_.erase(found);
}

void Waits::Finish(Id wait_id, bool timed_out) {
  auto found = waits_.find(wait_id);
  if (found == waits_.end()) return;
  if (found->second.timer != 0) scheduler_->Cancel(found->second.timer);
  Unlink(wait_id, found->second);
  Wait wait = std::move(found->second);
  waits_.erase(found);
  wait.done(wait.ids, timed_out);
}

void Waits::Come(Id wait_id) {
  Wait& wait = waits_.at(wait_id);
  --wait.missing;
  if (IsSatisfied(wait)) satisfied_.push_back(wait_id);
}

void Waits::OnChanged(const ProcessEntry& process) {
  auto found = by_process_.find(process.id);
  if (found == by_process_.end()) return;
  std::erase_if(found->second, [&](Id wait_id) {
    const bool has_come = HasCome(process, waits_.at(wait_id).until);
    if (has_come) Come(wait_id);
    return has_come;
  });
  if (found->second.empty()) by_process_.erase(found);
}

void Waits::OnDeleted(const std::string& id) {
  auto found = by_process_.find(id);
  if (found == by_process_.end()) return;
  const std::vector<Id> waiting = std::move(found->second);
  by_process_.erase(found);
  for (Id wait_id : waiting) Come(wait_id);
}

bool Waits::Settle() {
  if (satisfied_.empty()) return false;
  for (Id wait_id : std::exchange(satisfied_, {})) Finish(wait_id, /*timed_out=*/false);
  return true;
}

}  // namespace shoal::agent
