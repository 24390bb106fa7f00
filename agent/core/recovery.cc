#include "agent/core/recovery.h"

#include <memory>
#include <utility>
#include <vector>

#include "agent/core/transitions.h"

namespace shoal::agent {

void Recovery::Run(Store::Content content) {
  core_->ledger.StartAt(content.revision);
  for (const auto& [slot, id] : core_->shims->Recover()) slots_[id] = slot;
  for (const Tombstone& tombstone : content.tombstones) launcher_->Remember(tombstone);
  for (ProcessEntry& process : content.processes) Restore(std::move(process));
  core_->table.ClaimNames();
  for (const auto& [id, slot] : slots_) {
    // Deleted before its shim was done: the slot is freed when it is.
    reader_->Orphan(slot, id);
    reader_->OnReport(slot);
  }
  // After the processes: a session ends, or renews, what it owns.
  for (SessionEntry& session : content.sessions) sessions_->Restore(std::move(session));
  std::vector<std::string> known;
  for (const auto& [id, process] : core_->table.entries()) known.push_back(id);
  core_->output->RemoveAllBut(known);
  core_->files->RemoveAllBut(known);
}

void Recovery::Restore(ProcessEntry stored) {
  auto slot = slots_.find(stored.id);
  int number = slot == slots_.end() ? 0 : slot->second;
  if (slot != slots_.end()) slots_.erase(slot);
  stored.slot = 0;
  ProcessEntry* process = core_->table.Add(std::make_unique<ProcessEntry>(std::move(stored)));
  if (process->IsOver()) {
    // Stored, but the slot was not freed yet.
    if (number != 0) {
      reader_->Orphan(number, process->id);
      reader_->OnReport(number);
    }
    core_->on_over(process);
  } else if (process->boot_id != core_->options.boot_id) {
    LoseToReboot(process);
  } else if (number != 0) {
    Attach(process, number);
  } else if (core_->shims->WereLost()) {
    LoseRecord(process);
  } else {
    ForgetIntent(process, 0);
  }
}

void Recovery::Attach(ProcessEntry* process, int slot) {
  ShimView view = core_->shims->Look(slot, process->id);
  if (!view.shim && !view.locked && !view.damaged) return ForgetIntent(process, slot);
  core_->table.SetSlot(process, slot);
  Advance(process, State::kStarting);
  if (view.shim) reader_->Apply(process, *view.shim);
  bool final = process->slot == 0;
  if (!final) core_->ledger.Changed(process);
  if (!final && !view.locked) {
    reader_->Lose(process, view.damaged ? "its record is damaged" : "its shim was killed");
  }
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
    process->streams = core_->output->Measure(process->id, process->segment_bytes);
    process->flags |= kFlagOutputTruncated;
    process->output_complete = true;
  }
  process->tree_empty = true;  // no process outlives its kernel
  core_->table.ReleaseName(*process);
  core_->ledger.Save(*process);
  core_->ledger.Changed(process);
  core_->on_over(process);
}

void Recovery::LoseRecord(ProcessEntry* process) {
  Advance(process, State::kStarting);
  reader_->Lose(process, "the records of this boot are gone");
}

void Recovery::ForgetIntent(ProcessEntry* process, int slot) {
  std::string id = process->id;
  core_->table.Remove(id);
  core_->ledger.Forget(id);
  core_->ledger.Deleted(id);
  // Without a slot, too: its cgroup may have been made already.
  core_->ledger.Then(
      [core = core_, slot, id](const absl::Status&) { core->shims->Free(slot, id); });
}

}  // namespace shoal::agent
