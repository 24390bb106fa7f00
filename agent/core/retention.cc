#include "agent/core/retention.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/core/bulk_answer.h"
#include "agent/core/unmanaged.h"

namespace shoal::agent {
namespace {

constexpr int kMostPerTurn = 256;

// How long a process is kept beyond its time while something of its tree is known to live.
constexpr absl::Duration kSpared = absl::Hours(1);
constexpr size_t kMostNamed = 8;

// "PID 411 (sleep), PID 412 (sh)"
std::string NamesOf(const std::vector<Survivor>& living) {
  std::vector<std::string> names;
  for (const Survivor& one : living) {
    if (names.size() == kMostNamed) break;
    names.push_back(absl::StrCat("PID ", one.pid, " (", one.command, ")"));
  }
  if (living.size() > kMostNamed) {
    names.push_back(absl::StrCat(living.size() - kMostNamed, " more"));
  }
  return absl::StrJoin(names, ", ");
}

// A shim makes its files at the first byte of each stream, or fails to.
bool MayHaveFiles(const ProcessEntry& process) {
  constexpr uint32_t kInTrouble = kFlagOutputStalled | kFlagOutputTruncated | kFlagOutputDropped;
  return process.slot != 0 || process.spec->input_window > 0 || (process.flags & kInTrouble) != 0 ||
         std::any_of(process.streams.begin(), process.streams.end(),
                     [](const record::StreamState& stream) { return stream.end > 0; });
}

absl::Time EndOf(const ProcessEntry& process) {
  return process.empty_time.value_or(process.exit_time.value_or(process.create_time));
}

}  // namespace

absl::Time Retention::DueOf(const ProcessEntry& process) const {
  return process.forget_time.value_or(EndOf(process) + core_->options.retention);
}

void Retention::OnOver(ProcessEntry* process) {
  Keep(*process);
  if (dropping_.erase(process->id) > 0) LetFilesGo(process);
  EnforceSoon();
}

void Retention::Keep(const ProcessEntry& process) {
  Kept& kept = kept_[process.owner];
  const Due due(DueOf(process), process.id);
  if (!kept.due.insert(due).second) return;
  due_.insert(due);
  spec_bytes_ -= kept.specs.bytes();
  kept.specs.Add(process.spec);
  spec_bytes_ += kept.specs.bytes();
}

void Retention::Drop(const ProcessEntry& process) {
  const auto kept = kept_.find(process.owner);
  const Due due(DueOf(process), process.id);
  if (kept == kept_.end() || kept->second.due.erase(due) == 0) return;
  due_.erase(due);
  spec_bytes_ -= kept->second.specs.bytes();
  kept->second.specs.Remove(process.spec);
  spec_bytes_ += kept->second.specs.bytes();
  if (kept->second.due.empty()) kept_.erase(kept);
}

// Not at once: the caller may hold pointers to other entries, which must not be deleted under it.
void Retention::EnforceSoon() {
  if (std::exchange(enforce_set_, true)) return;
  core_->ledger.Then([this](const absl::Status&) {
    enforce_set_ = false;
    Enforce();
  });
}

// A process of an owner that has many, or large ones, goes before its time; those of other owners stay.
std::optional<std::string> Retention::NextToGo() const {
  if (due_.empty()) return std::nullopt;
  if (due_.begin()->first <= core_->clock->Now()) return due_.begin()->second;
  const bool are_too_many = due_.size() > core_->options.retention_count;
  if (!are_too_many && spec_bytes_ <= core_->options.quotas.kept_spec_bytes) return std::nullopt;
  const auto most =
      std::max_element(kept_.begin(), kept_.end(), [are_too_many](const auto& a, const auto& b) {
        return are_too_many ? a.second.due.size() < b.second.due.size()
                            : a.second.specs.bytes() < b.second.specs.bytes();
      });
  return most->second.due.begin()->second;
}

void Retention::Enforce() {
  std::optional<std::string> next = NextToGo();
  for (int i = 0; i < kMostPerTurn && next; ++i, next = NextToGo()) {
    if (Delete(*next).ok()) continue;
    Spare(*next);
    next.reset();  // each look is a walk through /proc: others have their turn first
    break;
  }
  if (timer_ != 0) core_->scheduler->Cancel(std::exchange(timer_, 0));
  if (due_.empty()) return;
  // A second at least, but for what is left of this turn.
  const absl::Duration wait = std::max(due_.begin()->first - core_->clock->Now(), absl::Seconds(1));
  timer_ = core_->scheduler->After(next ? absl::ZeroDuration() : wait, [this] {
    timer_ = 0;
    Enforce();
  });
}

void Retention::Spare(const std::string& id) {
  ProcessEntry* process = core_->table.Find(id);
  if (process == nullptr) return;
  Drop(*process);
  process->forget_time = core_->clock->Now() + kSpared;
  Keep(*process);
}

void Retention::Forget(const std::string& id, absl::Duration after) {
  ProcessEntry* process = core_->table.Find(id);
  if (process == nullptr) return;
  if (after <= absl::ZeroDuration()) return Delete(id).status().IgnoreError();
  if (process->slot != 0) {
    // Its output waits for room, which it never gets.
    process->forget_time = core_->clock->Now() + after;
    core_->ledger.Save(*process);
    dropping_.insert(id);
    return reader_->DropRest(process->slot, id);
  }
  Drop(*process);
  process->forget_time = core_->clock->Now() + after;
  Keep(*process);
  LetFilesGo(process);
  EnforceSoon();
}

void Retention::LetFilesGo(ProcessEntry* process) {
  if (MayHaveFiles(*process)) output_->Remove(process->id, process->streams);
  for (record::StreamState& stream : process->streams) stream.begin = stream.end;
  core_->table.usage().NoteOutput(*process);
  core_->ledger.Save(*process);
  core_->ledger.Changed(process);
  if (!process->spec->files.empty()) files_->Remove(process->id);
}

absl::Status Retention::CheckMayGo(const std::string& id) const {
  const ProcessEntry* process = core_->table.Find(id);
  if (process == nullptr) return absl::NotFoundError(absl::StrCat("no process ", id));
  if (process->IsTreeOver()) {
    // LEAKED: to forget it would be to forget these, of which nothing else tells.
    const std::vector<Survivor> living = reader_->LivingOf(*process);
    if (living.empty()) return absl::OkStatus();
    return absl::FailedPreconditionError(absl::StrCat(
        Describe(*process), " has lost its shim, and of its tree still live: ", NamesOf(living),
        "; end them on their host by kill, then it can be forgotten"));
  }
  if (absl::Status managed = CheckManaged(*core_, *process); !managed.ok()) return managed;
  return absl::FailedPreconditionError(absl::StrCat(
      Describe(*process), process->IsLive()
                              ? " still runs; stop it first"
                              : " has ended, but its tree was not seen to be empty: wait "
                                "until it is, or stop it"));
}

absl::StatusOr<std::shared_ptr<ProcessEntry>> Retention::Delete(const std::string& id) {
  if (absl::Status may_go = CheckMayGo(id); !may_go.ok()) return may_go;
  core_->ledger.Forget(id);
  return Remove(id);
}

std::shared_ptr<ProcessEntry> Retention::Remove(const std::string& id) {
  ProcessEntry* process = core_->table.Find(id);
  if (process == nullptr) return nullptr;  // by another call of this turn
  const bool may_have_files = MayHaveFiles(*process);
  dropping_.erase(id);
  if (process->slot != 0) {
    // Its shim may wait for room for its output: nothing more will be heard of it.
    reader_->Orphan(process->slot, id);
    core_->events->OnOver(process);
  }
  Drop(*process);
  std::shared_ptr<ProcessEntry> gone = core_->table.Remove(id);
  core_->requests.RemoveProcess(*gone, /*unstarted=*/false);
  core_->ledger.Deleted(id);
  if (may_have_files) output_->Remove(id, gone->streams);
  if (!gone->spec->files.empty()) files_->Remove(id);
  return gone;
}

struct Retention::Job {
  DeleteCommand command;
  std::vector<std::string> ids;
  OutcomesCallback done;
  Decision decision = {};
  std::vector<std::shared_ptr<const ProcessEntry>> gone =
      {};                       // parallel to its outcomes; null: not
  bool has_slice_open = false;  // what was let go in this turn awaits its commit
  bool is_last = false;
  absl::Status failure = {};
};

void Retention::Delete(DeleteCommand command, OutcomesCallback done) {
  core_->selecting.RunFor(
      std::move(command),
      [this, done = std::move(done)](DeleteCommand asked,
                                     absl::StatusOr<std::vector<ProcessEntry*>> selected) mutable {
        Begin(std::move(asked), selected, std::move(done));
      });
}

void Retention::Begin(DeleteCommand command,
                      const absl::StatusOr<std::vector<ProcessEntry*>>& selected,
                      OutcomesCallback done) {
  absl::StatusOr<const LoggedRequest*> first = core_->requests.Begin(RequestKind::kDelete, command);
  if (!first.ok()) return done(first.status());
  if (*first != nullptr && core_->running.IsRunning(command)) {
    return core_->running.Await(command, [this, command, done = std::move(done)]() mutable {
      Delete(std::move(command), std::move(done));
    });
  }
  if (*first != nullptr) return AnswerRepeat(core_, command, std::move(done));
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

bool Retention::Step(const std::shared_ptr<Job>& job) {
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
    core_->requests.Decide(job->command, job->decision);
    return false;
  }
  const std::string& id = job->ids[outcomes.size()];
  outcomes.push_back({id, CheckMayGo(id)});
  if (outcomes.back().status.ok()) core_->ledger.Forget(id);
  return true;
}

void Retention::OnCommitted(Job* job, const absl::Status& committed) {
  job->has_slice_open = false;
  if (!committed.ok()) {
    job->failure = committed;
    if (job->is_last) Fail(job);
    return;
  }
  std::vector<LoggedOutcome>& outcomes = job->decision.outcomes;
  for (size_t i = job->gone.size(); i < outcomes.size(); ++i) {
    job->gone.push_back(outcomes[i].status.ok() ? Remove(outcomes[i].process_id) : nullptr);
  }
  if (!job->is_last) return;
  core_->running.End(job->command);
  std::vector<Outcome> answer;
  for (size_t i = 0; i < outcomes.size(); ++i) {
    const std::string& id = outcomes[i].process_id;
    const ProcessEntry* process = job->gone[i] ? job->gone[i].get() : core_->table.Find(id);
    answer.push_back({process, outcomes[i].status, id, job->gone[i]});
  }
  job->done(std::move(answer));
}

void Retention::Fail(Job* job) {
  core_->requests.Forget(job->command);  // what is left is deleted by a repeat
  core_->running.End(job->command);
  job->done(job->failure);
}

}  // namespace shoal::agent
