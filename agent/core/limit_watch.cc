#include "agent/core/limit_watch.h"

#include <algorithm>

namespace shoal::agent {

void LimitWatch::Watch(const ProcessEntry& process) {
  const bool was_limited = limits_.contains(process.id);
  OnOver(process);
  if (process.slot == 0 || !process.IsLive()) return;
  const absl::Duration now = core_->clock->BootTime();
  absl::Duration due = absl::InfiniteDuration();
  if (process.deadline_ns) {
    if (*process.deadline_ns > 0) due = absl::Nanoseconds(*process.deadline_ns);
  } else if (process.spec->time_limit) {
    due = now + *process.spec->time_limit;
  }
  if (due < absl::InfiniteDuration()) {
    LookAfter(std::max(due - now, absl::ZeroDuration()) + kShimReactionTime, process.id, due);
  } else if (was_limited) {
    LookAfter(absl::ZeroDuration(), process.id,
              due);  // it may be flagged for the limit that it had
  }
}

void LimitWatch::OnOver(const ProcessEntry& process) {
  const auto limit = limits_.find(process.id);
  if (limit == limits_.end()) return;
  core_->scheduler->Cancel(limit->second);
  limits_.erase(limit);
}

void LimitWatch::LookAfter(absl::Duration wait, const std::string& id, absl::Duration due) {
  limits_[id] = core_->scheduler->After(wait, [this, id, due] { Look(id, due); });
}

void LimitWatch::Look(const std::string& id, absl::Duration due) {
  limits_.erase(id);
  ProcessEntry* const process = core_->table.Find(id);
  if (process == nullptr || process->slot == 0 || process->IsTreeOver()) return;
  if (process->state == State::kLost) return;  // its shim is gone
  const ShimView view = slots_->Look(process->slot, id);
  if (!view.shim) return;
  const bool is_due = core_->clock->BootTime() >= due;
  const bool is_stalled = is_due && view.shim->end_began_ns == 0;
  // Where another end was asked for, its Terminator looks whether the shim goes on.
  const bool is_ours =
      is_stalled || !process->termination || process->termination->cause == Cause::kTimeLimit;
  if (is_ours && is_stalled != ((process->flags & kFlagShimStalled) != 0)) {
    process->flags ^= kFlagShimStalled;
    core_->ledger.Changed(process);
  }
  if (is_stalled) LookAfter(kShimReactionTime, id, due);
}

}  // namespace shoal::agent
