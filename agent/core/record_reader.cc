#include "agent/core/record_reader.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/core/shipped_files.h"
#include "agent/core/start_failure.h"
#include "agent/core/transitions.h"

namespace shoal::agent {
namespace {

using record::EndCause;
using record::ShimHalf;

constexpr size_t kStderrTailBytes = 4096;
constexpr absl::Duration kStoreAgainAfter = absl::Seconds(1);

bool Has(const ShimHalf& shim, record::ShimFlags flag) { return (shim.flags & flag) != 0; }

Cause CauseOf(EndCause end) {
  switch (end) {
    case EndCause::kRequested:
      return Cause::kTerminated;
    case EndCause::kTimeLimit:
      return Cause::kTimeLimit;
    case EndCause::kSessionClosed:
      return Cause::kSessionClosed;
    case EndCause::kSessionExpired:
      return Cause::kSessionExpired;
    case EndCause::kDeadMan:
      return Cause::kDeadMan;
    case EndCause::kNone:
    case EndCause::kDescendants:
      break;
  }
  return Cause::kNone;
}

// Sets the bit if wanted; true if that changed anything.
bool Raise(uint32_t* flags, uint32_t flag, bool wanted) {
  uint32_t before = *flags;
  *flags = wanted ? before | flag : before & ~flag;
  return *flags != before;
}

}  // namespace

Exit ExitOf(const ShimHalf& shim, const ProcessEntry& process, bool out_of_memory) {
  Exit exit;
  int status = shim.wait_status;
  if (record::HasExitCode(status)) {
    exit.code = record::ExitCodeOf(status);
    exit.cause = Cause::kExited;
  } else {
    exit.signal = record::SignalOf(status);
    exit.core_dumped = record::DumpedCore(status);
    exit.cause = out_of_memory ? Cause::kOutOfMemory : Cause::kSignaled;
  }
  exit.usage = shim.usage;
  bool end_came_first = shim.end_began_ns != 0 && shim.end_began_ns <= shim.exited_ns;
  if (Cause cause = CauseOf(shim.end_cause); end_came_first && cause != Cause::kNone) {
    exit.cause = cause;
    if (process.termination) exit.requested_by = process.termination->requested_by;
  } else if (exit.cause == Cause::kSignaled && !process.signals.empty() &&
             process.signals.back().signal == *exit.signal) {
    exit.cause = Cause::kTerminated;
    exit.requested_by = process.signals.back().requested_by;
  }
  return exit;
}

void RecordReader::OnReport(int slot) {
  ProcessEntry* process = core_->table.FindBySlot(slot);
  if (process == nullptr) {
    auto orphan = orphans_.find(slot);
    if (orphan == orphans_.end()) return;
    ShimView view = core_->shims->Look(slot, orphan->second);
    if (view.shim && Has(*view.shim, record::kFinal)) FreeOrphan(slot, orphan->second);
    return;
  }
  ShimView view = core_->shims->Look(slot, process->id);
  if (view.shim) Apply(process, *view.shim);
}

void RecordReader::OnOverflow() {
  std::vector<int> slots;
  for (const auto& [id, process] : core_->table.entries()) {
    if (process->slot != 0) slots.push_back(process->slot);
  }
  for (const auto& [slot, id] : orphans_) slots.push_back(slot);
  for (int slot : slots) OnReport(slot);
}

void RecordReader::OnDeath(int slot, const std::string& id) {
  ProcessEntry* process = core_->table.FindBySlot(slot);
  if (process == nullptr || process->id != id) {
    if (auto orphan = orphans_.find(slot); orphan != orphans_.end() && orphan->second == id) {
      FreeOrphan(slot, id);
    }
    return;
  }
  ShimView view = core_->shims->Look(slot, id);
  if (view.shim) Apply(process, *view.shim);
  if (process->slot != slot) return;  // its last words were final
  if (!view.shim && !view.damaged && !view.forked &&
      process->spec->start_method != StartMethod::kSpawn) {
    return FailFork(process, view.refused.value_or(ForkFailure{
                                 .stage = "fork",
                                 .error_number = ECONNRESET,
                                 .text = "nothing came of it while the agent was restarted"}));
  }
  Lose(process, view.damaged ? "its record is damaged" : "its shim was killed");
}

// No shim ever wrote: there is no process, and will be none.
void RecordReader::FailFork(ProcessEntry* process, const ForkFailure& refused) {
  ForkFailure reason = refused;
  if (core_->on_fork_failed(process->forked_from, refused)) reason.error_number = 0;
  FailToStart(core_, process, MakeForkFailure(core_, *process, reason));
  Finish(process);
}

void RecordReader::FreeOrphan(int slot, const std::string& id) {
  std::string owned_id = id;
  orphans_.erase(slot);
  core_->shims->Free(slot, owned_id);
}

void RecordReader::Apply(ProcessEntry* process, const ShimHalf& shim) {
  ApplyStreams(process, shim);
  bool changed = ApplyStart(process, shim);
  changed |= ApplyFlags(process, shim);
  changed |= ApplyExit(process, shim);
  changed |= ApplyEnds(process, shim);
  if (changed) core_->ledger.Changed(process);
  if (process->IsOver()) core_->table.ReleaseName(*process);
  if (Has(shim, record::kFinal)) Finish(process);
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
    const Spec spec = AsStarted(*process->spec, core_->files->DirectoryOf(process->id));
    FailToStart(core_, process,
                MakeStartFailure(core_->shims, spec, shim.fail_stage, shim.fail_errno),
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
  core_->on_start_settled(process);
  return true;
}

bool RecordReader::ApplyFlags(ProcessEntry* process, const ShimHalf& shim) {
  uint32_t* flags = &process->flags;
  bool stalled = Has(shim, record::kOutputStalled);
  bool changed = Raise(flags, kFlagOutputStalled, stalled);
  // What was acknowledged just before it stalled was written without waking it.
  if (changed && stalled) {
    core_->shims->Tell(
        process->slot, process->id, [](record::AgentHalf&) {}, /*wake=*/true);
  }
  changed |= Raise(flags, kFlagOutputDropped, Has(shim, record::kOutputDropped));
  if (Has(shim, record::kCgroupRefused)) changed |= Raise(flags, kFlagNoCgroup, true);
  changed |= Raise(flags, kFlagEscalated, Has(shim, record::kEscalated));
  bool unkillable = Has(shim, record::kUnkillable) && !Has(shim, record::kEmpty);
  if (Raise(flags, kFlagUnkillable, unkillable)) {
    changed = true;
    int count = std::min(shim.survivor_count, record::kMaxSurvivors);
    std::vector<int> pids(shim.survivors, shim.survivors + (unkillable ? count : 0));
    process->survivors = core_->shims->Describe(pids);
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

bool RecordReader::ApplyExit(ProcessEntry* process, const ShimHalf& shim) {
  if (!Has(shim, record::kExited) || process->exit) return false;
  bool killed = record::SignalOf(shim.wait_status) == SIGKILL;
  process->exit = ExitOf(shim, *process, killed && core_->shims->WasOutOfMemory(process->id));
  process->exit_time = absl::FromUnixNanos(shim.exited_ns);
  Advance(process, State::kExited);
  // With the output complete in this same look ApplyEnds does; seen complete before, there was no
  // exit yet to take it for.
  if (!Has(shim, record::kOutputComplete) || process->output_complete) TakeStderrTail(process);
  return true;
}

bool RecordReader::ApplyEnds(ProcessEntry* process, const ShimHalf& shim) {
  bool changed = false;
  if (Has(shim, record::kOutputComplete) && !process->output_complete) {
    process->output_complete = true;
    TakeStderrTail(process);
    changed = true;
  }
  if (Has(shim, record::kEmpty) && !process->tree_empty) {
    process->tree_empty = true;
    if (shim.empty_ns != 0) process->empty_time = absl::FromUnixNanos(shim.empty_ns);
    process->survivors.clear();
    changed = true;
  }
  return changed;
}

void RecordReader::TakeStderrTail(ProcessEntry* process) {
  size_t stream = process->spec->merge_stderr ? 0 : 1;
  const record::StreamState& state = process->streams[stream];
  if (!process->exit || state.end == state.begin) return;
  process->exit->stderr_tail = core_->output->Tail(process->id, static_cast<int>(stream), state,
                                                   process->segment_bytes, kStderrTailBytes);
}

void RecordReader::Finish(ProcessEntry* process) {
  int slot = process->slot;
  core_->table.SetSlot(process, 0);
  StoreEnd(slot, process->id);
  core_->on_over(process);
}

void RecordReader::StoreEnd(int slot, const std::string& id) {
  if (const ProcessEntry* process = core_->table.Find(id)) core_->ledger.Save(*process);
  core_->ledger.Then([this, slot, id](const absl::Status& committed) {
    if (committed.ok() && slot != 0) core_->shims->Free(slot, id);
    if (committed.ok()) return;
    // Until it is stored the record is all that knows the exit: it stays.
    core_->scheduler->After(kStoreAgainAfter, [this, slot, id] { StoreEnd(slot, id); });
  });
}

void RecordReader::Lose(ProcessEntry* process, const std::string& detail) {
  const bool was_starting = process->state == State::kPending || process->state == State::kStarting;
  if (process->IsLive()) {
    Exit exit;
    exit.cause = Cause::kShimLost;
    exit.unknown_detail = detail;
    process->exit = std::move(exit);
    process->exit_time = core_->clock->Now();
    Advance(process, State::kLost);
  }
  if (was_starting) core_->on_start_settled(process);
  if (!process->output_complete) {
    process->streams = core_->output->Measure(process->id, process->segment_bytes);
    process->flags |= kFlagOutputTruncated;
    process->output_complete = true;
    TakeStderrTail(process);
  }
  core_->ledger.Changed(process);
  if (process->tree_empty) return Finish(process);
  core_->shims->EndLostTree(process->id, [this, id = process->id](absl::Status ended) {
    ProcessEntry* lost = core_->table.Find(id);
    if (lost == nullptr) return;
    if (ended.ok()) {
      lost->tree_empty = true;
      lost->empty_time = core_->clock->Now();
    } else {
      lost->flags |= kFlagLeaked;
      const std::string unproven = absl::StrCat("; its tree is unproven: ", ended.message());
      if (lost->exit) absl::StrAppend(&lost->exit->unknown_detail, unproven);
      if (lost->start_failure) absl::StrAppend(&lost->start_failure->message, unproven);
    }
    core_->ledger.Changed(lost);
    Finish(lost);
  });
}

}  // namespace shoal::agent
