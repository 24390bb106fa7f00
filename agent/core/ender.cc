#include "agent/core/ender.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/core/start_failure.h"
#include "agent/core/transitions.h"
#include "common/failpoint.h"

namespace shoal::agent {
namespace {

constexpr absl::Duration kProofTime = absl::Seconds(10);
constexpr absl::Duration kShimReactionTime = absl::Seconds(2);

record::EndCause EndCauseOf(Cause cause) {
  switch (cause) {
    case Cause::kSessionClosed:
      return record::EndCause::kSessionClosed;
    case Cause::kSessionExpired:
      return record::EndCause::kSessionExpired;
    default:
      return record::EndCause::kRequested;
  }
}

}  // namespace

void Ender::End(ProcessEntry* process, const EndWish& wish) {
  if (process->IsOver()) return;
  if (process->state == State::kPending) {
    StartFailure failure{
        .stage = "queue", .error_number = ECANCELED, .message = std::string(kEndedBeforeStart)};
    return FailToStart(core_, process, std::move(failure));
  }
  absl::Duration grace = wish.grace.value_or(process->spec->grace);
  if (!process->termination) {
    process->termination = Termination{.requested_by = wish.requested_by,
                                       .cause = wish.cause,
                                       .request_time = core_->clock->Now(),
                                       .signal = wish.signal,
                                       .grace = grace,
                                       .kill_time = std::nullopt};
    if (process->state == State::kRunning) Advance(process, State::kStopping);
    core_->ledger.Save(*process);
    core_->ledger.Changed(process);
  }
  EndWish told = wish;
  told.cause = process->termination->cause;  // the first reason stays, also after a restart
  core_->ledger.Then([this, id = process->id, told, grace](const absl::Status&) {
    // Also when the commit failed: an end must work on a full disk.
    SHOAL_FAILPOINT("terminate:before-tell");
    Tell(id, told, grace);
    SHOAL_FAILPOINT("terminate:after-tell");
  });
}

void Ender::Tell(const std::string& id, const EndWish& wish, absl::Duration grace) {
  const ProcessEntry* process = core_->table.Find(id);
  if (process == nullptr || process->slot == 0) return;
  ShimView before = core_->shims->Look(process->slot, id);
  uint32_t serial = before.agent ? before.agent->terminate_serial + 1 : 1;
  core_->shims->Tell(
      process->slot, id,
      [&](record::AgentHalf& half) {
        half.terminate_serial = serial;
        half.terminate_cause = EndCauseOf(wish.cause);
        half.terminate_signal = wish.signal;
        half.terminate_grace_ns = absl::ToInt64Nanoseconds(grace);
      },
      /*wake=*/true);
  core_->scheduler->After(kShimReactionTime, [this, id, serial] { CheckShimSaw(id, serial); });
}

void Ender::CheckShimSaw(const std::string& id, uint32_t serial) {
  ProcessEntry* process = core_->table.Find(id);
  if (process == nullptr || process->slot == 0 || process->IsOver()) return;
  ShimView view = core_->shims->Look(process->slot, id);
  bool seen = view.shim && view.shim->terminate_serial >= serial;
  if (seen == ((process->flags & kFlagShimStalled) == 0)) return;
  process->flags ^= kFlagShimStalled;
  core_->ledger.Changed(process);
  if (!seen) {
    core_->scheduler->After(kShimReactionTime, [this, id, serial] { CheckShimSaw(id, serial); });
  }
}

absl::Duration Ender::TimeoutFor(const std::vector<ProcessEntry*>& processes,
                                 const std::optional<absl::Duration>& grace,
                                 const std::optional<absl::Duration>& timeout) const {
  if (timeout) return *timeout;
  absl::Duration longest = grace.value_or(absl::ZeroDuration());
  for (const ProcessEntry* process : processes) {
    if (!grace) longest = std::max(longest, process->spec->grace);
  }
  return longest + kProofTime;
}

absl::Status Ender::SurvivorStatus(const ProcessEntry& process) const {
  std::vector<Survivor> left = core_->shims->Describe(core_->shims->Members(process));
  std::vector<std::string> names;
  for (const Survivor& survivor : left) {
    names.push_back(absl::StrCat(
        survivor.pid, " ", survivor.command,
        survivor.wait_channel.empty() ? "" : absl::StrCat(" in ", survivor.wait_channel)));
    if (names.size() == 8) break;
  }
  bool stalled = (process.flags & kFlagShimStalled) != 0;
  return absl::DeadlineExceededError(absl::StrCat(
      "the tree of ", Describe(process), " is not empty yet: ", left.size(),
      left.size() == 1 ? " process" : " processes", left.empty() ? "" : ": ",
      absl::StrJoin(names, ", "), stalled ? "; its shim does not react (is it stopped?)" : ""));
}

void Ender::Terminate(TerminateCommand command, Supervisor::OutcomesCallback done) {
  absl::StatusOr<std::vector<ProcessEntry*>> selected = core_->table.Select(command.selector);
  if (!selected.ok()) return done(selected.status());
  EndWish wish{.cause = Cause::kTerminated,
               .requested_by = command.owner,
               .signal = command.signal,
               .grace = command.grace};
  for (ProcessEntry* process : *selected) End(process, wish);
  core_->waits.Add(*selected, Until::kEmpty, /*any=*/false,
                   TimeoutFor(*selected, command.grace, command.timeout),
                   [this, done = std::move(done)](const std::vector<std::string>& ids,
                                                  bool /*timed_out*/) mutable {
                     std::vector<Outcome> outcomes;
                     for (const std::string& id : ids) {
                       const ProcessEntry* process = core_->table.Find(id);
                       if (process == nullptr) continue;  // deleted, so it was over
                       bool leaked = process->IsOver() && !process->tree_empty;
                       absl::Status status =
                           process->IsOver() && !leaked ? absl::OkStatus()
                           : leaked ? absl::FailedPreconditionError(absl::StrCat(
                                          "the tree of ", Describe(*process),
                                          " is unproven: its shim is gone and there is no cgroup"))
                                    : SurvivorStatus(*process);
                       outcomes.push_back({process, std::move(status)});
                     }
                     done(std::move(outcomes));
                   });
}

}  // namespace shoal::agent
