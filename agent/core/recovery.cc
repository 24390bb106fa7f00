#include "agent/core/recovery.h"

#include <algorithm>
#include <csignal>
#include <memory>
#include <utility>
#include <vector>

#include "agent/core/transitions.h"
#include "agent/core/unmanaged.h"

namespace shoal::agent {
namespace {

// No agent was there that had asked for its end: the shim of the other one has killed all below its cgroup.
bool WasKilledSince(const ProcessEntry& process, absl::Time kill_time) {
  const bool is_killed = process.exit && process.exit_time && process.exit->signal == SIGKILL &&
                         process.exit->cause == Cause::kSignaled;
  return is_killed && *process.exit_time >= kill_time;
}

}  // namespace

void Recovery::Run(Store::Content content) {
  core_->newest_agent = content.newest_agent;
  core_->ledger.StartAt(content.revision);
  for (const auto& [slot, id] : slots_->Recover()) untaken_[id] = slot;
  for (const SessionEntry& session : content.sessions) session_ids_.insert(session.id);
  RestoreRequests(&content);
  // What runs beside another one first: the other is not over before it.
  const auto beside =
      std::partition(content.processes.begin(), content.processes.end(),
                     [](const ProcessEntry& process) { return !process.spec->beside.empty(); });
  for (auto process = content.processes.begin(); process != beside; ++process) {
    besides_.push_back(process->id);
  }
  for (ProcessEntry& process : content.processes) Restore(std::move(process));
  core_->table.ClaimNames();
  for (const auto& [id, slot] : untaken_) {
    // Deleted before its shim was done: the slot is freed when it is.
    TakeOrphan(slot, id);
  }
  // After the processes: a session ends, or renews, what it owns.
  for (SessionEntry& session : content.sessions) sessions_->Restore(std::move(session));
  for (const std::string& id : besides_) EndWithOther(id);
  std::vector<std::string> known;
  for (const auto& [id, process] : core_->table.entries()) known.push_back(id);
  output_->RemoveAllBut(known);
  files_->RemoveAllBut(known);
}

// The other one's end was asked for, or came, while the agent was away, or was killed before it had told this one.
void Recovery::EndWithOther(const std::string& id) {
  ProcessEntry* const process = core_->table.Find(id);
  if (process == nullptr || process->termination) return;
  const ProcessEntry* const other = core_->table.Find(process->spec->beside);
  const auto killed = kill_times_.find(process->spec->beside);
  if (other != nullptr && killed != kill_times_.end() && WasKilledSince(*process, killed->second)) {
    process->exit->cause = Cause::kTerminated;
    process->exit->requested_by = ByTheEndOf(*other);
    core_->ledger.Save(*process);
    core_->ledger.Changed(process);
  }
  if (process->IsTreeOver()) return;
  if (other != nullptr && other->IsLive() && other->termination) {
    const Termination& wanted = *other->termination;
    return terminator_->End(process, {.cause = wanted.cause,
                                      .requested_by = ByTheEndOf(*other),
                                      .signal = wanted.signal,
                                      .grace = wanted.grace});
  }
  const bool goes_on = other != nullptr &&
                       (other->IsLive() || (other->spec->keep_descendants && !other->IsTreeOver()));
  if (goes_on) return;
  if (other != nullptr) return terminator_->EndBeside(*other);
  terminator_->End(process, {.cause = Cause::kTerminated,
                             .requested_by = "the end of the process beside which it ran",
                             .signal = SIGTERM,
                             .grace = std::nullopt});
}

void Recovery::RestoreRequests(Store::Content* content) {
  // A session may be gone from the store and its requests not yet.
  std::vector<SessionEntry> gone;
  const auto note = [&](const std::string& owner, const std::string& session_id) {
    if (session_id.empty() || session_ids_.contains(session_id)) return;
    gone.emplace_back();
    gone.back().owner = owner;
    gone.back().id = session_id;
  };
  for (const RequestHorizon& horizon : content->horizons) {
    note(horizon.owner, horizon.session_id);
    core_->requests.Restore(horizon);
  }
  for (LoggedRequest& request : content->requests) {
    note(request.owner, request.session_id);
    core_->requests.Restore(std::move(request));
  }
  for (const SessionEntry& session : gone) core_->requests.ForgetSession(session);
}

void Recovery::AdoptRequest(const ProcessEntry& process) {
  const std::string& session_id = process.session_id;
  if (process.request_id.empty()) return;
  if (!session_id.empty() && !session_ids_.contains(session_id)) return;
  LoggedRequest request;
  request.owner = process.owner;
  request.request_id = process.request_id;
  request.kind = RequestKind::kSpawn;
  request.fingerprint = process.fingerprint;
  request.session_id = session_id;
  request.log_time = process.create_time;
  request.is_decided = true;
  core_->requests.Adopt(std::move(request));
}

void Recovery::Restore(ProcessEntry stored) {
  auto slot = untaken_.find(stored.id);
  int number = slot == untaken_.end() ? 0 : slot->second;
  if (slot != untaken_.end()) untaken_.erase(slot);
  stored.slot = 0;
  AdoptRequest(stored);
  ProcessEntry* process = core_->table.Add(std::make_unique<ProcessEntry>(std::move(stored)));
  core_->requests.AddProcess(*process);
  if (process->IsOver()) {
    // Stored, but the slot was not freed yet.
    if (number != 0) TakeOrphan(number, process->id);
    core_->events->OnOver(process);
  } else if (process->boot_id != core_->options.boot_id) {
    LoseToReboot(process);
  } else if (number != 0) {
    Attach(process, number);
  } else if (slots_->WereLost()) {
    LoseRecord(process);
  } else {
    ForgetIntent(process, 0);
  }
}

void Recovery::TakeOrphan(int slot, const std::string& id) {
  reader_->Orphan(slot, id);
  reader_->OnReport(slot);
  if (!slots_->Look(slot, id).locked) reader_->OnDeath(slot, id);
}

void Recovery::Attach(ProcessEntry* process, int slot) {
  ShimView view = slots_->Look(slot, process->id);
  if (view.unreadable_version) {
    TakeOverUnmanaged(core_, process, slot, *view.unreadable_version);
    reader_->MeasureSoon(process->id);
    if (!view.locked) reader_->OnDeath(slot, process->id);
    return;
  }
  process->flags &= ~static_cast<uint32_t>(kFlagUnmanaged);
  if (!view.shim && !view.locked && !view.damaged) return ForgetIntent(process, slot);
  core_->table.SetSlot(process, slot);
  Advance(process, State::kStarting);
  if (!view.shim) reader_->NoteStartedBefore(process->id);
  if (view.agent) reader_->ApplyAsked(process, *view.agent);
  if (view.agent) reader_->ApplyInputKept(process, *view.agent);
  if (view.agent && view.agent->time_limit_ns > 0) process->deadline_ns = view.agent->time_limit_ns;
  if (view.shim && view.shim->killed_ns != 0) {
    kill_times_[process->id] = absl::FromUnixNanos(view.shim->killed_ns);
  }
  if (view.shim) reader_->Apply(process, *view.shim);
  bool final = process->slot == 0;
  if (!final) core_->ledger.Changed(process);
  if (!final && !view.locked) {
    reader_->Lose(process, view.damaged ? "its record is damaged" : "its shim was killed");
  } else if (!final) {
    TellEnd(process, view);
  }
}

void Recovery::TellEnd(ProcessEntry* process, const ShimView& view) {
  if (!process->termination || !view.agent || view.agent->terminate_serial != 0) return;
  if (view.shim && view.shim->end_began_ns != 0) return;  // its own, such as a time limit
  const Termination& wanted = *process->termination;
  terminator_->End(process, {.cause = wanted.cause,
                             .requested_by = wanted.requested_by,
                             .signal = wanted.signal,
                             .grace = wanted.grace});
}

void Recovery::LoseToReboot(ProcessEntry* process) {
  if (process->IsLive()) {
    Exit exit;
    exit.cause = Cause::kHostReboot;
    exit.unknown_detail = "the host was rebooted while it ran";
    process->exit = std::move(exit);
    process->exit_time = core_->clock->Now();
    Advance(process, State::kLost);
  }
  if (!process->output_complete) {
    process->streams = output_->Measure(process->id, process->segment_bytes);
    process->flags |= kFlagOutputTruncated;
    process->output_complete = true;
  }
  process->tree_empty = true;  // no process outlives its kernel
  core_->table.ReleaseName(*process);
  core_->ledger.Save(*process);
  core_->ledger.Changed(process);
  core_->events->OnOver(process);
}

void Recovery::LoseRecord(ProcessEntry* process) {
  Advance(process, State::kStarting);
  reader_->Lose(process, "the records of this boot are gone");
}

void Recovery::ForgetIntent(ProcessEntry* process, int slot) {
  std::string id = process->id;
  const std::shared_ptr<ProcessEntry> forgotten = core_->table.Remove(id);
  core_->requests.RemoveProcess(*forgotten, /*unstarted=*/true);
  core_->ledger.Forget(id);
  core_->ledger.Deleted(id);
  // Without a slot, too: its cgroup may have been made already.
  core_->ledger.Then([slots = slots_, slot, id](const absl::Status&) { slots->Free(slot, id); });
}

}  // namespace shoal::agent
