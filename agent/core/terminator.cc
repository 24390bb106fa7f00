#include "agent/core/terminator.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/core/start_failure.h"
#include "agent/core/transitions.h"
#include "agent/core/unmanaged.h"
#include "agent/record/end_order.h"
#include "common/end_times.h"
#include "common/failpoint.h"
#include "common/ids.h"

namespace shoal::agent {
namespace {

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

std::string NamesOf(const std::vector<Survivor>& survivors) {
  constexpr size_t kMost = 8;
  std::vector<std::string> names;
  for (const Survivor& survivor : survivors) {
    if (names.size() == kMost) break;
    names.push_back(absl::StrCat(
        survivor.pid, " ", survivor.command,
        survivor.wait_channel.empty() ? "" : absl::StrCat(" in ", survivor.wait_channel)));
  }
  return absl::StrJoin(names, ", ");
}

void NoteFirst(const Termination& first, record::AgentHalf* half) {
  record::NoteFirstOrder(half, absl::ToUnixNanos(first.request_time), first.signal,
                         absl::ToInt64Nanoseconds(first.grace), first.requested_by.data(),
                         first.requested_by.size());
}

}  // namespace

std::string ByTheEndOf(const ProcessEntry& other) {
  return absl::StrCat("the end of ", other.name, " (", other.id.substr(0, kShortIdLength),
                      "), beside which it ran");
}

void Terminator::End(ProcessEntry* process, const EndWish& wish) {
  if (process->IsTreeOver()) return;
  // What runs beside it ends with it, each by its own shim, which is told like this one's.
  EndWish beside_wish = wish;
  beside_wish.requested_by = ByTheEndOf(*process);
  for (ProcessEntry* beside : core_->table.Beside(process->id)) End(beside, beside_wish);
  absl::Duration grace = wish.grace.value_or(process->spec->grace);
  Termination wanted{.requested_by = wish.requested_by,
                     .cause = wish.cause,
                     .request_time = core_->clock->Now(),
                     .signal = wish.signal,
                     .grace = grace,
                     .kill_time = std::nullopt};
  if (process->state == State::kPending) {
    process->termination = std::move(wanted);
    StartFailure failure{
        .stage = "queue", .error_number = ECANCELED, .message = std::string(kEndedBeforeStart)};
    return FailToStart(core_, process, std::move(failure));
  }
  if (process->IsUnmanaged()) return NoteUnmanagedEnd(core_, process, std::move(wanted));
  if (!process->termination) {
    process->termination = std::move(wanted);
    if (process->state == State::kRunning) Advance(process, State::kStopping);
    core_->ledger.Save(*process);
    core_->ledger.Changed(process);
  }
  EndWish told = wish;
  told.cause = process->termination->cause;  // the first reason stays, also after a restart
  core_->ledger.ThenAlways([this, id = process->id, told, grace] {
    const Call call = {told.requested_by, told.call};
    std::deque<Order>& orders = orders_[call];
    if (orders.empty()) turns_.push_back(call);
    orders.push_back({id, told, grace});
    TellSome();
  });
}

void Terminator::EndBeside(const ProcessEntry& process) {
  // Without its shim its cgroup is killed at once, and with it all that is below.
  const bool is_lost = process.state == State::kLost;
  for (ProcessEntry* beside : core_->table.Beside(process.id)) {
    if (beside->termination) continue;
    End(beside, {.cause = Cause::kTerminated,
                 .requested_by = ByTheEndOf(process),
                 .signal = is_lost ? SIGKILL : SIGTERM,
                 .grace = is_lost ? std::optional(absl::ZeroDuration()) : std::nullopt});
  }
}

void Terminator::TellSome() {
  while (told_.size() < core_->options.ends_at_once && !turns_.empty()) {
    const Call call = std::move(turns_.front());
    turns_.pop_front();
    const auto orders = orders_.find(call);
    const Order order = std::move(orders->second.front());
    orders->second.pop_front();
    if (orders->second.empty()) {
      orders_.erase(orders);
    } else {
      turns_.push_back(call);
    }
    SHOAL_FAILPOINT("terminate:before-tell");
    Tell(order.id, order.wish, order.grace);
    SHOAL_FAILPOINT("terminate:after-tell");
  }
  if (turns_.empty() || patience_ != 0) return;
  patience_ = core_->scheduler->After(kPatience, [this] { LoseNoMorePatience(); });
}

void Terminator::LoseNoMorePatience() {
  patience_ = 0;
  const absl::Duration now = core_->clock->BootTime();
  absl::erase_if(told_, [&](const auto& told) { return now - told.second >= kPatience; });
  TellSome();
}

void Terminator::OnOver(const ProcessEntry& process) {
  if (told_.erase(process.id) > 0) TellSome();
}

void Terminator::Tell(const std::string& id, const EndWish& wish, absl::Duration grace) {
  const ProcessEntry* process = core_->table.Find(id);
  if (process == nullptr || process->slot == 0) return;
  told_[id] = core_->clock->BootTime();
  ShimView before = slots_->Look(process->slot, id);
  uint32_t serial = before.agent ? before.agent->terminate_serial + 1 : 1;
  slots_->Tell(
      process->slot, id,
      [&](record::AgentHalf& half) {
        record::OrderEnd(&half, serial, EndCauseOf(wish.cause), wish.signal,
                         absl::ToInt64Nanoseconds(grace));
        if (process->termination) NoteFirst(*process->termination, &half);
      },
      /*wake=*/true);
  core_->scheduler->After(kShimReactionTime, [this, id, serial] { CheckShimSaw(id, serial); });
}

void Terminator::CheckShimSaw(const std::string& id, uint32_t serial) {
  ProcessEntry* process = core_->table.Find(id);
  if (process == nullptr || process->slot == 0 || process->IsTreeOver()) return;
  if (process->state == State::kLost) return;  // its shim is gone
  ShimView view = slots_->Look(process->slot, id);
  bool seen = view.shim && view.shim->terminate_serial >= serial;
  if (seen == ((process->flags & kFlagShimStalled) != 0)) {
    process->flags ^= kFlagShimStalled;
    core_->ledger.Changed(process);
  }
  if (!seen) {
    core_->scheduler->After(kShimReactionTime, [this, id, serial] { CheckShimSaw(id, serial); });
  }
}

absl::Duration Terminator::TimeoutFor(const std::vector<ProcessEntry*>& processes,
                                      const std::optional<absl::Duration>& grace,
                                      const std::optional<absl::Duration>& timeout) const {
  if (timeout) return *timeout;
  absl::Duration longest = grace.value_or(absl::ZeroDuration());
  for (const ProcessEntry* process : processes) {
    if (!grace) longest = std::max(longest, process->spec->grace);
  }
  // The last of many is told when those before it have had their patience.
  const absl::Duration told_after =
      kPatience * static_cast<int64_t>(processes.size() / core_->options.ends_at_once);
  return longest + told_after + kProofTime;
}

absl::Status Terminator::SurvivorStatus(const ProcessEntry& process) const {
  const absl::StatusOr<std::vector<int>> members = trees_->Members(process);
  std::string known;
  if (members.ok()) {
    const std::vector<Survivor> left = trees_->Describe(*members);
    known = absl::StrCat(left.size(), left.size() == 1 ? " process" : " processes",
                         left.empty() ? "" : ": ", NamesOf(left));
  } else {
    known = absl::StrCat("what is left could not be read: ", members.status().message());
  }
  bool stalled = (process.flags & kFlagShimStalled) != 0;
  return absl::DeadlineExceededError(
      absl::StrCat("the tree of ", Describe(process), " is not empty yet: ", known,
                   stalled ? "; its shim does not react (is it stopped?)" : ""));
}

absl::Status Terminator::EndStatus(const ProcessEntry& process) const {
  if (!process.IsTreeOver() && process.IsUnmanaged()) return CheckManaged(*core_, process);
  if (!process.IsTreeOver()) return SurvivorStatus(process);
  if (process.tree_empty) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("the tree of ", Describe(process),
                   " is unproven: its shim is gone, and nothing else has seen it empty",
                   process.survivors.empty() ? "" : "; left of it was ", NamesOf(process.survivors),
                   "; to delete it forgets it"));
}

struct Terminator::Job {
  TerminateCommand command;
  std::vector<std::string> ids;
  OutcomesCallback done;
  EndWish wish = {};
  size_t next = 0;
  std::vector<LoggedOutcome> outcomes = {};
};

void Terminator::Terminate(TerminateCommand command, OutcomesCallback done) {
  core_->selecting.RunFor(
      std::move(command),
      [this, done = std::move(done)](TerminateCommand asked,
                                     absl::StatusOr<std::vector<ProcessEntry*>> selected) mutable {
        if (!selected.ok()) return done(selected.status());
        TerminateAll(std::move(asked), *selected, std::move(done));
      });
}

void Terminator::TerminateAll(TerminateCommand command, const std::vector<ProcessEntry*>& processes,
                              OutcomesCallback done) {
  const Caller caller = command.permit.caller();
  // Shared by the slices and the wait between them.
  auto job =
      std::make_shared<Job>(Job{.command = std::move(command), .ids = {}, .done = std::move(done)});
  job->wish = {.call = ++last_call_,
               .cause = Cause::kTerminated,
               .requested_by = job->command.permit.owner(),
               .signal = job->command.signal,
               .grace = job->command.grace};
  for (const ProcessEntry* process : processes) job->ids.push_back(process->id);
  core_->slices.Run(caller, [this, job] { return EndNext(job); });
}

bool Terminator::EndNext(const std::shared_ptr<Job>& job) {
  if (job->next < job->ids.size()) {
    ProcessEntry* process = core_->table.Find(job->ids[job->next++]);
    if (process != nullptr) End(process, job->wish);
    return true;
  }
  std::vector<ProcessEntry*> ending;
  for (const std::string& id : job->ids) {
    ProcessEntry* process = core_->table.Find(id);
    if (process != nullptr && !process->IsUnmanaged()) ending.push_back(process);
  }
  job->next = 0;
  core_->waits.Add(job->command.permit.caller(), ending, Until::kEmpty, /*any=*/false,
                   TimeoutFor(ending, job->command.grace, job->command.timeout),
                   [this, job](const SharedProcesses& /*ending*/, bool /*timed_out*/) {
                     core_->slices.Run(job->command.permit.caller(),
                                       [this, job] { return AnswerNext(job); });
                   });
  return false;
}

// To say what is left of a tree takes a look at each of its members.
bool Terminator::AnswerNext(const std::shared_ptr<Job>& job) {
  if (job->next < job->ids.size()) {
    const std::string& id = job->ids[job->next++];
    const ProcessEntry* process = core_->table.Find(id);
    // One that was deleted was over.
    if (process != nullptr) job->outcomes.push_back({id, EndStatus(*process)});
    return true;
  }
  std::vector<Outcome> outcomes;
  for (LoggedOutcome& outcome : job->outcomes) {
    const ProcessEntry* process = core_->table.Find(outcome.process_id);
    if (process != nullptr) outcomes.push_back({process, std::move(outcome.status)});
  }
  job->done(std::move(outcomes));
  return false;
}

}  // namespace shoal::agent
