#include "agent/core/updater.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/core/bulk_answer.h"
#include "agent/core/record_facts.h"
#include "agent/core/sessions.h"
#include "agent/core/unmanaged.h"
#include "common/failpoint.h"

namespace shoal::agent {

void Updater::Update(UpdateCommand command, OutcomesCallback done) {
  absl::StatusOr<const LoggedRequest*> first = core_->requests.Begin(RequestKind::kUpdate, command);
  if (!first.ok()) return done(first.status());
  // An intent is carried out again: an agent that was killed may not have told the shims.
  if (*first != nullptr && (*first)->is_decided) {
    return AnswerRepeat(core_, command, std::move(done));
  }
  absl::StatusOr<std::vector<ProcessEntry*>> selected = core_->table.Select(command.selector);
  if (!selected.ok()) {
    core_->requests.Decide(command, {.status = selected.status()});
    return AnswerRepeat(core_, command, std::move(done));
  }
  Decision decision;
  for (ProcessEntry* process : *selected) {
    Before before{process->id, process->session_id, process->labels};
    absl::Status applied = Apply(command, process);
    if (applied.ok()) changed_.push_back(std::move(before));
    decision.outcomes.push_back({process->id, std::move(applied)});
  }
  core_->ledger.Then([this, command = std::move(command), decision = std::move(decision),
                      done = std::move(done)](const absl::Status& committed) mutable {
    if (!committed.ok()) {
      Undo();
      return done(committed);
    }
    changed_.clear();
    for (const LoggedOutcome& outcome : decision.outcomes) {
      if (outcome.status.ok()) TellShim(command, outcome.process_id);
    }
    SHOAL_FAILPOINT("update:before-outcome");
    core_->requests.Decide(command, decision);
    core_->ledger.ThenAlways(
        [this, decision = std::move(decision), done = std::move(done)]() mutable {
          done(OutcomesOf(*core_, decision));
        });
  });
}

absl::Status Updater::Apply(const UpdateCommand& command, ProcessEntry* process) {
  const bool detaches = command.detach && process->lifetime == Lifetime::kSession;
  if (detaches || command.time_limit) {
    if (absl::Status managed = CheckManaged(*core_, *process); !managed.ok()) return managed;
  }
  if ((detaches || command.time_limit) && !process->IsLive()) {
    return absl::FailedPreconditionError(
        absl::StrCat(Describe(*process), ": the process has ended"));
  }
  if (detaches) {
    const absl::StatusOr<Permit> may =
        Authorize(command.permit.caller(), Verb::kUpdate, Target::Process(*process));
    if (!may.ok()) return may.status();
    absl::Status free = core_->table.CheckNameIsFree("", process->name);
    if (!free.ok()) return free;
    core_->table.SetSession(process, "");
  }
  for (const std::string& key : command.remove_labels) process->labels.erase(key);
  for (const auto& [key, value] : command.set_labels) process->labels[key] = value;
  core_->ledger.Save(*process);
  core_->ledger.Changed(process);
  return absl::OkStatus();
}

void Updater::TellShim(const UpdateCommand& command, const std::string& id) {
  ProcessEntry* process = core_->table.Find(id);
  if (process == nullptr) return;
  std::optional<int64_t> deadline_ns;
  if (command.time_limit) {
    const bool is_limited = *command.time_limit > absl::ZeroDuration();
    deadline_ns =
        is_limited ? absl::ToInt64Nanoseconds(core_->clock->BootTime() + *command.time_limit) : 0;
  }
  if (process->slot == 0) {  // its shim is told at the start: Launcher::DesiredFor
    if (deadline_ns) process->deadline_ns = deadline_ns;
    return;
  }
  const bool detaches = command.detach && process->lifetime == Lifetime::kDetached;
  if (!detaches && !deadline_ns) return;
  slots_->Tell(
      process->slot, id,
      [&](record::AgentHalf& half) {
        if (detaches) BecomeDetached(half);
        if (!deadline_ns) return;
        half.limit_from_exec_ns = 0;
        half.time_limit_ns = *deadline_ns;
      },
      /*wake=*/true);
}

// The last change first: several calls of the turn may have changed one process.
void Updater::Undo() {
  for (auto before = changed_.rbegin(); before != changed_.rend(); ++before) {
    ProcessEntry* process = core_->table.Find(before->id);
    if (process == nullptr) continue;
    process->labels = before->labels;
    if (process->session_id != before->session_id) {
      core_->table.SetSession(process, before->session_id);
      sessions_->TakeBack(process);
    }
    core_->ledger.Changed(process);
  }
  changed_.clear();
}

}  // namespace shoal::agent
