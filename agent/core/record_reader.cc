#include "agent/core/record_reader.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/core/record_facts.h"
#include "agent/core/shipped_files.h"
#include "agent/core/start_failure.h"
#include "agent/core/transitions.h"
#include "agent/core/unmanaged.h"

namespace shoal::agent {
namespace {

using record::ShimHalf;

constexpr size_t kStderrTailBytes = 4096;
constexpr absl::Duration kStoreAgainAfter = absl::Seconds(1);
// Each measurement reads the directory of the output files.
constexpr absl::Duration kMeasureInterval = absl::Milliseconds(250);
constexpr int kMeasuredAtOnce = 4;
constexpr size_t kMaxNamedOrphans = 64;
constexpr int kMostStarts = 3;
constexpr absl::string_view kKilledBeforeStart =
    "its shim was killed before it had started anything";

// Of a process that was there and did not reach its program: what ended it.
void TellEndBeforeStart(record::EndCause cause, StartFailure* failure) {
  if (cause == record::EndCause::kNone) {
    failure->error_number = EINTR;
    failure->message = "it was killed before its program ran";
  } else if (cause == record::EndCause::kTimeLimit) {
    failure->error_number = ETIMEDOUT;
    failure->message = "its time limit was over before its program ran";
  }
}

bool Has(const ShimHalf& shim, record::ShimFlags flag) { return (shim.flags & flag) != 0; }

}  // namespace

void RecordReader::OnReport(int slot) {
  ProcessEntry* process = core_->table.FindBySlot(slot);
  if (process == nullptr) return orphans_.OnReport(slot);
  // Of what has changed only its output can be seen.
  if (process->IsUnmanaged()) return MeasureSoon(process->id);
  ShimView view = slots_->Look(slot, process->id);
  if (view.shim) Apply(process, *view.shim);
}

void RecordReader::MeasureSoon(const std::string& id) {
  if (!unmeasured_.insert(id).second || std::exchange(measure_set_, true)) return;
  core_->scheduler->After(kMeasureInterval, [this] { MeasureSome(); });
}

void RecordReader::MeasureSome() {
  measure_set_ = false;
  for (int i = 0; i < kMeasuredAtOnce && !unmeasured_.empty(); ++i) {
    const std::string id = *unmeasured_.begin();
    unmeasured_.erase(unmeasured_.begin());
    ProcessEntry* process = core_->table.Find(id);
    if (process == nullptr || !process->IsUnmanaged() || process->output_complete) continue;
    process->streams = output_->Measure(id, process->segment_bytes);
    core_->ledger.OutputMoved(*process);
  }
  if (unmeasured_.empty()) return;
  measure_set_ = true;
  core_->scheduler->After(kMeasureInterval, [this] { MeasureSome(); });
}

void RecordReader::OnOverflow() {
  std::vector<int> slots = orphans_.slots();
  for (const auto& [id, process] : core_->table.entries()) {
    if (process->slot != 0) slots.push_back(process->slot);
  }
  for (int slot : slots) OnReport(slot);
}

void RecordReader::OnDeath(int slot, const std::string& id) {
  ProcessEntry* process = core_->table.FindBySlot(slot);
  if (process == nullptr || process->id != id) return orphans_.OnDeath(slot, id);
  if (process->IsUnmanaged()) return LoseUnmanaged(process);
  ShimView view = slots_->Look(slot, id);
  if (view.shim) Apply(process, *view.shim);
  if (process->slot != slot) return;  // its last report was final
  if (view.shim && IsHeld(*process, *view.shim)) return;
  if (!view.shim && !view.damaged && !view.forked) {
    if (process->spec->start_method == StartMethod::kSpawn) return StartAgain(process);
    return FailFork(process, view.refused.value_or(ForkFailure{
                                 .stage = "fork",
                                 .error_number = ECONNRESET,
                                 .text = "nothing came of it while the agent was restarted"}));
  }
  Lose(process, view.damaged ? "its record is damaged" : "its shim was killed");
}

// A shim writes its half before it forks: nothing of the process has run, and none of it will.
void RecordReader::StartAgain(ProcessEntry* process) {
  const bool is_wanted = !process->termination;
  if (!is_wanted || ++starts_[process->id] >= kMostStarts) {
    FailToStart(
        core_, process,
        StartFailure{.stage = is_wanted ? "shim" : "setup",
                     .error_number = is_wanted ? EAGAIN : ECANCELED,
                     .message = std::string(is_wanted ? kKilledBeforeStart : kEndedBeforeStart)});
    return Finish(process);
  }
  slots_->Free(process->slot, process->id);
  core_->table.SetSlot(process, 0);
  launcher_->Start(process);
}

void RecordReader::DropRest(int slot, const std::string& id) {
  slots_->Tell(
      slot, id, [](record::AgentHalf& half) { half.flags |= record::kDropRest; },
      /*wake=*/true);
}

void RecordReader::NoteStartedBefore(const std::string& id) { starts_[id] = kMostStarts; }

// No shim ever wrote: there is no process, and will be none.
void RecordReader::FailFork(ProcessEntry* process, const ForkFailure& refused) {
  forks_->OnRefused(process, refused);
  Finish(process);
}

void RecordReader::Apply(ProcessEntry* process, const ShimHalf& shim) {
  ApplyStreams(process, shim);
  bool changed = ApplyStart(process, shim);
  changed |= ApplyFlags(process, shim);
  changed |= ApplyExit(process, shim);
  changed |= ApplyDescendants(process, shim);
  changed |= ApplyEnds(process, shim);
  changed |= ApplyInput(process, shim);
  if (changed) core_->ledger.Changed(process);
  if (process->IsTreeOver()) core_->table.ReleaseName(*process);
  if (Has(shim, record::kFinal) && !IsHeld(*process, shim)) Finish(process);
}

// The shim has proven the tree empty, and something was started beside it meanwhile: the tree counts as empty once that
// is over. So no process that the agent has started outlives the emptiness that it tells.
bool RecordReader::IsHeld(const ProcessEntry& process, const ShimHalf& shim) const {
  return Has(shim, record::kFinal) && Has(shim, record::kEmpty) && !process.tree_empty;
}

void RecordReader::OnBesideOver(const ProcessEntry& process) {
  const ProcessEntry* const other = core_->table.Find(process.spec->beside);
  if (other == nullptr || !core_->table.Beside(other->id).empty()) return;
  if (const auto held = held_.find(other->id); held != held_.end()) {
    const std::string id = held->first;
    const absl::Status proven = held->second;
    held_.erase(held);
    return OnTreeOver(id, proven);
  }
  if (other->slot != 0) OnReport(other->slot);
}

void RecordReader::ApplyStreams(ProcessEntry* process, const ShimHalf& shim) {
  bool moved = false;
  for (size_t i = 0; i < record::kStreams; ++i) {
    record::StreamState& known = process->streams[i];
    moved |= known.begin != shim.streams[i].begin || known.end != shim.streams[i].end;
    known = shim.streams[i];
  }
  if (moved) core_->ledger.OutputMoved(*process);
}

bool RecordReader::ApplyStart(ProcessEntry* process, const ShimHalf& shim) {
  if (Has(shim, record::kStartFailed) && !process->start_failure) {
    const Spec spec = AsStarted(*process->spec, files_->DirectoryOf(process->id));
    StartFailure failure = MakeStartFailure(programs_, spec, shim.fail_stage, shim.fail_errno);
    if (shim.fail_stage == record::Stage::kProcess && shim.fail_errno == ECANCELED) {
      TellEndBeforeStart(shim.end_cause, &failure);
    }
    FailToStart(core_, process, std::move(failure),
                // What was forked runs until its shim has ended it.
                /*is_over=*/!Has(shim, record::kAdopted) || Has(shim, record::kEmpty));
    return true;
  }
  bool starting = process->state == State::kPending || process->state == State::kStarting;
  if (!Has(shim, record::kStarted) || !starting) return false;
  Advance(process, State::kStarting);
  process->pid = shim.pid;
  process->start_ticks = shim.start_ticks;
  process->start_time = absl::FromUnixNanos(shim.started_ns);
  Advance(process, process->termination ? State::kStopping : State::kRunning);
  core_->events->OnStartSettled(process);
  return true;
}

bool RecordReader::ApplyFlags(ProcessEntry* process, const ShimHalf& shim) {
  uint32_t* flags = &process->flags;
  bool changed = ApplyStall(process, shim);
  changed |= Raise(flags, kFlagOutputDropped, Has(shim, record::kOutputDropped));
  if (Has(shim, record::kCgroupRefused)) changed |= Raise(flags, kFlagNoCgroup, true);
  changed |= Raise(flags, kFlagEscalated, Has(shim, record::kEscalated));
  bool unkillable = Has(shim, record::kUnkillable) && !Has(shim, record::kEmpty);
  if (Raise(flags, kFlagUnkillable, unkillable)) {
    changed = true;
    int count = std::min(shim.survivor_count, record::kMaxSurvivors);
    std::vector<int> pids(shim.survivors, shim.survivors + (unkillable ? count : 0));
    process->survivors = trees_->Describe(pids);
  }
  if (shim.killed_ns != 0 && process->termination && !process->termination->kill_time) {
    process->termination->kill_time = absl::FromUnixNanos(shim.killed_ns);
    changed = true;
  }
  if (shim.end_began_ns != 0 && !process->termination && CauseOf(shim.end_cause) != Cause::kNone) {
    process->termination = Termination{.requested_by = "",
                                       .cause = CauseOf(shim.end_cause),
                                       .request_time = absl::FromUnixNanos(shim.end_began_ns),
                                       .signal = shim.end_signal,
                                       .grace = process->spec->grace,
                                       .kill_time = std::nullopt};
    if (process->state == State::kRunning) Advance(process, State::kStopping);
    changed = true;
  }
  return changed;
}

bool RecordReader::ApplyInput(ProcessEntry* process, const ShimHalf& shim) {
  if (process->spec->input_window == 0) return false;
  InputState& input = process->input;
  const InputState before = input;
  input.fed = shim.input_fed;
  input.taken = shim.input_taken;
  input.done = Has(shim, record::kInputDone);
  input.closed = Has(shim, record::kInputClosed);
  input.end_refused = Has(shim, record::kInputEndRefused);
  if (input == before) return false;
  core_->events->OnInputMoved(process);
  return input.done != before.done || input.closed != before.closed;
}

void RecordReader::ApplyInputKept(ProcessEntry* process, const record::AgentHalf& half) {
  if (process->spec->input_window == 0) return;
  process->input.kept = half.input_end;
  process->input.ended = (half.flags & record::kInputEnded) != 0;
  process->input.writer = half.input_writer;
  process->input.writer_at = half.input_writer_at;
  if (!process->spec->HasTerminal()) return;
  process->terminal = {half.terminal_rows, half.terminal_columns, half.terminal_serial};
}

bool RecordReader::ApplyStall(ProcessEntry* process, const ShimHalf& shim) {
  const bool stalled = Has(shim, record::kOutputStalled);
  const bool changed = Raise(&process->flags, kFlagOutputStalled, stalled);
  // What was acknowledged just before it stalled was written without waking it.
  if (changed && stalled) {
    slots_->Tell(
        process->slot, process->id, [](record::AgentHalf&) {}, /*wake=*/true);
  }
  const int error = stalled ? shim.stall_errno : 0;
  return std::exchange(process->stall_errno, error) != error || changed;
}

void RecordReader::ApplyAsked(ProcessEntry* process, const record::AgentHalf& half) {
  if (process->termination) return;
  process->termination = AskedEndOf(half);
  if (!process->termination) return;
  if (process->state == State::kRunning) Advance(process, State::kStopping);
  core_->ledger.Save(*process);
}

bool RecordReader::ApplyExit(ProcessEntry* process, const ShimHalf& shim) {
  if (!Has(shim, record::kExited) || process->exit) return false;
  bool killed = record::SignalOf(shim.wait_status) == SIGKILL;
  process->exit = ExitOf(shim, *process, killed && trees_->WasOutOfMemory(process->id));
  process->exit_time = absl::FromUnixNanos(shim.exited_ns);
  Advance(process, State::kExited);
  // Where descendants are kept, so is what runs beside it.
  if (!process->spec->keep_descendants) terminator_->EndBeside(*process);
  // With the output complete in this same look ApplyEnds does; seen complete before, there was no
  // exit yet to take it for.
  if (!Has(shim, record::kOutputComplete) || process->output_complete) TakeStderrTail(process);
  return true;
}

bool RecordReader::ApplyDescendants(ProcessEntry* process, const ShimHalf& shim) {
  if (!process->exit) return false;
  const std::optional<Descendants> before =
      std::exchange(process->descendants, DescendantsOf(shim));
  return before != process->descendants;
}

bool RecordReader::ApplyEnds(ProcessEntry* process, const ShimHalf& shim) {
  bool changed = false;
  if (Has(shim, record::kOutputComplete) && !process->output_complete) {
    process->output_complete = true;
    TakeStderrTail(process);
    changed = true;
  }
  if (Has(shim, record::kRestDropped) && !process->output_complete) {
    // Deleted, but the agent was killed before that was stored.
    process->output_complete = true;
    process->flags |= kFlagOutputTruncated;
    changed = true;
  }
  const bool is_empty = Has(shim, record::kEmpty) && !process->tree_empty;
  if (is_empty && !core_->table.Beside(process->id).empty()) {
    terminator_->EndBeside(*process);
  } else if (is_empty) {
    process->tree_empty = true;
    process->flags &= ~static_cast<uint32_t>(kFlagShimStalled);  // it has reacted
    if (shim.empty_ns != 0) process->empty_time = absl::FromUnixNanos(shim.empty_ns);
    process->survivors.clear();
    core_->events->OnTreeEmpty(process);
    changed = true;
  }
  return changed;
}

void RecordReader::TakeStderrTail(ProcessEntry* process) {
  const record::Stream stream = process->spec->StderrStream();
  const record::StreamState& state = process->streams[stream];
  if (!process->exit || state.end == state.begin) return;
  process->exit->stderr_tail =
      output_->Tail(process->id, stream, state, process->segment_bytes, kStderrTailBytes);
}

void RecordReader::Finish(ProcessEntry* process) {
  starts_.erase(process->id);
  int slot = process->slot;
  core_->table.SetSlot(process, 0);
  StoreEnd(slot, process->id);
  core_->events->OnOver(process);
}

void RecordReader::StoreEnd(int slot, const std::string& id) {
  if (const ProcessEntry* process = core_->table.Find(id)) core_->ledger.Save(*process);
  core_->ledger.Then([this, slot, id](const absl::Status& committed) {
    if (committed.ok() && slot != 0) slots_->Free(slot, id);
    if (committed.ok()) return;
    // Until it is stored the record is all that knows the exit: it stays.
    core_->scheduler->After(kStoreAgainAfter, [this, slot, id] { StoreEnd(slot, id); });
  });
}

void RecordReader::LoseExit(ProcessEntry* process, Cause cause, const std::string& detail) {
  const bool was_starting = process->state == State::kPending || process->state == State::kStarting;
  if (process->IsLive()) {
    process->exit.emplace();
    process->exit->cause = cause;
    process->exit->unknown_detail = detail;
    process->exit_time = core_->clock->Now();
    Advance(process, State::kLost);
  }
  if (was_starting) core_->events->OnStartSettled(process);
  // Nothing waits for room any more, and no shim is slow that is gone.
  process->flags &= ~static_cast<uint32_t>(kFlagOutputStalled | kFlagShimStalled);
  process->stall_errno = 0;
  if (!process->output_complete) {
    process->streams = output_->Measure(process->id, process->segment_bytes);
    core_->table.usage().NoteOutput(*process);
    process->output_complete = true;
    TakeStderrTail(process);
  }
}

void RecordReader::Lose(ProcessEntry* process, const std::string& detail) {
  if (!process->output_complete) process->flags |= kFlagOutputTruncated;
  LoseExit(process, Cause::kShimLost, detail);
  core_->ledger.Changed(process);
  terminator_->EndBeside(*process);
  if (process->tree_empty) return Finish(process);
  trees_->EndLostTree(
      process->id, [this, id = process->id](const absl::Status& ended) { OnTreeOver(id, ended); });
}

void RecordReader::LoseUnmanaged(ProcessEntry* process) {
  LoseExit(process, Cause::kRecordVersion,
           absl::StrCat(DescribeRecordVersion(*core_, process->record_version),
                        "; how it ended, and whether all of its output was kept, is not known"));
  core_->ledger.Changed(process);
  trees_->AwaitEmptyTree(
      process->id, [this, id = process->id](const absl::Status& seen) { OnTreeOver(id, seen); });
}

std::vector<Survivor> RecordReader::LivingOf(const ProcessEntry& process) const {
  if ((process.flags & kFlagLeaked) == 0) return {};
  std::vector<int> orphans = trees_->Orphans(process);
  orphans.resize(std::min(orphans.size(), kMaxNamedOrphans));
  return trees_->Describe(orphans);
}

void RecordReader::OnTreeOver(const std::string& id, const absl::Status& proven) {
  ProcessEntry* lost = core_->table.Find(id);
  if (lost == nullptr) return;
  if (!core_->table.Beside(id).empty()) {
    held_[id] = proven;
    return terminator_->EndBeside(*lost);
  }
  if (proven.ok()) {
    lost->tree_empty = true;
    lost->empty_time = core_->clock->Now();
    lost->survivors.clear();
    core_->events->OnTreeEmpty(lost);
  } else {
    lost->flags |= kFlagLeaked;
    std::vector<int> orphans = trees_->Orphans(*lost);
    std::string unproven = absl::StrCat("; its tree is unproven: ", proven.message());
    if (!orphans.empty()) {
      absl::StrAppend(&unproven, "; processes with its SHOAL_ID: ", orphans.size());
    }
    orphans.resize(std::min(orphans.size(), kMaxNamedOrphans));
    lost->survivors = trees_->Describe(orphans);
    if (lost->exit) absl::StrAppend(&lost->exit->unknown_detail, unproven);
    if (lost->start_failure) absl::StrAppend(&lost->start_failure->message, unproven);
  }
  core_->ledger.Changed(lost);
  Finish(lost);
}

}  // namespace shoal::agent
