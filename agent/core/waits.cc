#include "agent/core/waits.h"

#include <utility>

namespace shoal::agent {
namespace {

constexpr size_t kPerStep = 16;

}  // namespace

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

Waits::Id Waits::Add(const Caller& caller, const std::vector<ProcessEntry*>& processes, Until until,
                     bool any, absl::Duration timeout, Callback done) {
  HeldProcesses held;
  held.reserve(processes.size());
  for (ProcessEntry* process : processes) held.push_back(process->shared_from_this());
  return Add(caller, std::move(held), until, any, timeout, std::move(done));
}

Waits::Id Waits::Add(const Caller& caller, HeldProcesses processes, Until until, bool any,
                     absl::Duration timeout, Callback done) {
  Id id = ++last_id_;
  Wait& wait = waits_[id];
  wait.caller = caller;
  wait.processes = std::make_shared<const HeldProcesses>(std::move(processes));
  wait.until = until;
  wait.any = any;
  wait.done = std::move(done);
  if (timeout != absl::InfiniteDuration()) {
    wait.timer = scheduler_->After(timeout, [this, id] { OnTimer(id); });
  }
  slices_->Run(caller, [this, id] { return LinkSome(id); });
  return id;
}

bool Waits::LinkSome(Id wait_id) {
  const auto found = waits_.find(wait_id);
  if (found == waits_.end()) return false;
  Wait& wait = found->second;
  for (size_t i = 0; i < kPerStep && wait.linked < wait.processes->size(); ++i) {
    const ProcessEntry& process = *(*wait.processes)[wait.linked++];
    if (process.is_removed || HasCome(process, wait.until)) continue;
    ++wait.missing;
    by_process_[process.id].push_back(wait_id);
  }
  if (IsSatisfied(wait)) {
    satisfied_.push_back(wait_id);
    return false;
  }
  if (wait.linked < wait.processes->size()) return true;
  if (wait.is_late) Finish(wait_id, /*timed_out=*/true);
  return false;
}

// That of a wait for many may have passed before it is known what has come.
void Waits::OnTimer(Id wait_id) {
  const auto found = waits_.find(wait_id);
  if (found == waits_.end()) return;
  found->second.timer = 0;
  found->second.is_late = true;
  if (found->second.linked == found->second.processes->size()) Finish(wait_id, /*timed_out=*/true);
}

void Waits::Unlink(Id wait_id, Wait wait) {
  if (wait.missing == 0) return;
  const Caller caller = wait.caller;
  slices_->Run(
      caller, [this, wait_id, left = wait.linked, processes = std::move(wait.processes)]() mutable {
        for (size_t i = 0; i < kPerStep && left > 0; ++i) {
          const auto found = by_process_.find((*processes)[--left]->id);
          if (found == by_process_.end()) continue;
          std::erase(found->second, wait_id);
          if (found->second.empty()) by_process_.erase(found);
        }
        return left > 0;
      });
}

void Waits::Cancel(Id wait_id) {
  auto found = waits_.find(wait_id);
  if (found == waits_.end()) return;
  if (found->second.timer != 0) scheduler_->Cancel(found->second.timer);
  Wait wait = std::move(found->second);
  waits_.erase(found);
  Unlink(wait_id, std::move(wait));
}

void Waits::Finish(Id wait_id, bool timed_out) {
  auto found = waits_.find(wait_id);
  if (found == waits_.end()) return;
  if (found->second.timer != 0) scheduler_->Cancel(found->second.timer);
  Wait wait = std::move(found->second);
  waits_.erase(found);
  Callback done = std::move(wait.done);
  done(wait.processes, timed_out);
  Unlink(wait_id, std::move(wait));
}

void Waits::Come(Id wait_id) {
  const auto found = waits_.find(wait_id);
  if (found == waits_.end()) return;
  --found->second.missing;
  if (IsSatisfied(found->second)) satisfied_.push_back(wait_id);
}

void Waits::OnChanged(const ProcessEntry& process) {
  auto found = by_process_.find(process.id);
  if (found == by_process_.end()) return;
  std::erase_if(found->second, [&](Id wait_id) {
    const auto wait = waits_.find(wait_id);
    if (wait == waits_.end()) return true;
    const bool has_come = HasCome(process, wait->second.until);
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
