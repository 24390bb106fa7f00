#include "agent/core/updater.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/core/bulk_answer.h"
#include "agent/core/limit_watch.h"
#include "agent/core/record_facts.h"
#include "agent/core/sessions.h"
#include "agent/core/unmanaged.h"
#include "agent/spec/field_checks.h"
#include "common/failpoint.h"

namespace shoal::agent {

struct Updater::Job {
  UpdateCommand command;
  std::vector<std::string> ids;
  OutcomesCallback done;
  Decision decision = {};
  size_t told = 0;              // of its outcomes: their shims know
  bool has_slice_open = false;  // what was applied in this turn awaits its commit
  bool is_last = false;         // every process was looked at
  absl::Status failure = {};
};

void Updater::Update(UpdateCommand command, OutcomesCallback done) {
  core_->selecting.RunFor(
      std::move(command),
      [this, done = std::move(done)](UpdateCommand asked,
                                     absl::StatusOr<std::vector<ProcessEntry*>> selected) mutable {
        Begin(std::move(asked), selected, std::move(done));
      });
}

void Updater::Begin(UpdateCommand command,
                    const absl::StatusOr<std::vector<ProcessEntry*>>& selected,
                    OutcomesCallback done) {
  absl::StatusOr<const LoggedRequest*> first = core_->requests.Begin(RequestKind::kUpdate, command);
  if (!first.ok()) return done(first.status());
  if (*first != nullptr && core_->running.IsRunning(command)) {
    return core_->running.Await(command, [this, command, done = std::move(done)]() mutable {
      Update(std::move(command), std::move(done));
    });
  }
  // An intent is carried out again: an agent that was killed may not have told the shims.
  if (*first != nullptr && (*first)->is_decided) {
    return AnswerRepeat(core_, command, std::move(done));
  }
  if (!selected.ok()) {
    core_->requests.Decide(command, {.status = selected.status()});
    return AnswerRepeat(core_, command, std::move(done));
  }
  core_->running.Begin(command);
  const Caller caller = command.permit.caller();
  // Shared by the slices, and by the commits of what they have done.
  auto job =
      std::make_shared<Job>(Job{.command = std::move(command), .ids = {}, .done = std::move(done)});
  for (const ProcessEntry* process : *selected) job->ids.push_back(process->id);
  core_->slices.Run(caller, [this, job] { return Step(job); });
}

bool Updater::Step(const std::shared_ptr<Job>& job) {
  if (!job->failure.ok()) {
    Fail(job.get());
    return false;
  }
  if (!std::exchange(job->has_slice_open, true)) {
    core_->ledger.Then(
        [this, job](const absl::Status& committed) { OnCommitted(job.get(), committed); });
  }
  std::vector<LoggedOutcome>& outcomes = job->decision.outcomes;
  if (outcomes.size() == job->ids.size()) {
    job->is_last = true;
    return false;
  }
  const std::string& id = job->ids[outcomes.size()];
  ProcessEntry* process = core_->table.Find(id);
  absl::Status applied = absl::NotFoundError("the process was deleted");
  if (process != nullptr) {
    Before before{process->id, process->session_id, process->labels};
    applied = Apply(job->command, process);
    if (applied.ok()) changed_.push_back(std::move(before));
  }
  outcomes.push_back({id, std::move(applied)});
  return true;
}

void Updater::OnCommitted(Job* job, const absl::Status& committed) {
  job->has_slice_open = false;
  if (!committed.ok()) {
    Undo();
    job->failure = committed;
    if (job->is_last) Fail(job);
    return;
  }
  changed_.clear();
  std::vector<LoggedOutcome>& outcomes = job->decision.outcomes;
  for (; job->told < outcomes.size(); ++job->told) {
    const LoggedOutcome& outcome = outcomes[job->told];
    if (outcome.status.ok()) TellShim(job->command, outcome.process_id);
  }
  if (!job->is_last) return;
  SHOAL_FAILPOINT("update:before-outcome");
  core_->requests.Decide(job->command, job->decision);
  core_->running.End(job->command);
  core_->ledger.ThenAlways(
      [this, decision = std::move(job->decision), done = std::move(job->done)]() mutable {
        done(OutcomesOf(*core_, decision));
      });
}

void Updater::Fail(Job* job) {
  core_->running.End(job->command);
  job->done(job->failure);
}

absl::Status Updater::Apply(const UpdateCommand& command, ProcessEntry* process) {
  Labels labels = process->labels;
  for (const std::string& key : command.remove_labels) labels.erase(key);
  for (const auto& [key, value] : command.set_labels) labels[key] = value;
  if (labels.size() > kMaxLabels && labels.size() > process->labels.size()) {
    return absl::FailedPreconditionError(absl::StrCat(
        Describe(*process), " would have ", labels.size(), " labels, limit ", kMaxLabels));
  }
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
  process->labels = std::move(labels);
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
  if (deadline_ns) process->deadline_ns = deadline_ns;
  if (process->slot == 0) return;  // its shim is told at the start: Launcher::DesiredFor
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
  if (deadline_ns) limits_->Watch(*process);
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
