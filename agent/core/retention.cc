#include "agent/core/retention.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/core/bulk_answer.h"
#include "agent/core/unmanaged.h"

namespace shoal::agent {
namespace {

constexpr int kMostPerTurn = 256;

absl::Time EndOf(const ProcessEntry& process) {
  return process.empty_time.value_or(process.exit_time.value_or(process.create_time));
}

}  // namespace

absl::Time Retention::DueOf(const ProcessEntry& process) const {
  return process.forget_time.value_or(EndOf(process) + core_->options.retention);
}

void Retention::OnOver(const ProcessEntry& process) {
  over_.insert({DueOf(process), process.id});
  EnforceSoon();
}

// Not at once: the caller may hold pointers to other entries, which must not be deleted under it.
void Retention::EnforceSoon() {
  if (std::exchange(enforce_set_, true)) return;
  core_->ledger.Then([this](const absl::Status&) {
    enforce_set_ = false;
    Enforce();
  });
}

void Retention::Enforce() {
  absl::Time now = core_->clock->Now();
  for (int i = 0; i < kMostPerTurn && !over_.empty(); ++i) {
    auto [due, id] = *over_.begin();
    if (over_.size() <= core_->options.retention_count && due > now) break;
    over_.erase(over_.begin());
    Delete(id).IgnoreError();
  }
  if (timer_ != 0) core_->scheduler->Cancel(std::exchange(timer_, 0));
  if (over_.empty()) return;
  // A second at least, but for what is left of this turn.
  const bool is_more = over_.size() > core_->options.retention_count || over_.begin()->first <= now;
  const absl::Duration wait = std::max(over_.begin()->first - now, absl::Seconds(1));
  timer_ = core_->scheduler->After(is_more ? absl::ZeroDuration() : wait, [this] {
    timer_ = 0;
    Enforce();
  });
}

void Retention::Forget(const std::string& id, absl::Duration after) {
  ProcessEntry* process = core_->table.Find(id);
  if (process == nullptr) return;
  // One whose output waits for room, which it never gets, is let go as a whole.
  if (after <= absl::ZeroDuration() || process->slot != 0) return Delete(id).status().IgnoreError();
  over_.erase({DueOf(*process), id});
  process->forget_time = core_->clock->Now() + after;
  over_.insert({DueOf(*process), id});
  for (record::StreamState& stream : process->streams) stream.begin = stream.end;
  core_->ledger.Save(*process);
  core_->ledger.Changed(process);
  output_->Remove(id);
  if (!process->spec->files.empty()) files_->Remove(id);
  EnforceSoon();
}

absl::Status Retention::CheckMayGo(const std::string& id) const {
  const ProcessEntry* process = core_->table.Find(id);
  if (process == nullptr) return absl::NotFoundError(absl::StrCat("no process ", id));
  if (process->IsTreeOver()) return absl::OkStatus();
  if (absl::Status managed = CheckManaged(*core_, *process); !managed.ok()) return managed;
  return absl::FailedPreconditionError(absl::StrCat(
      Describe(*process), process->IsLive()
                              ? " still runs; stop it first"
                              : " has ended, but its tree was not seen to be empty: wait "
                                "until it is, or stop it"));
}

absl::StatusOr<std::unique_ptr<ProcessEntry>> Retention::Delete(const std::string& id) {
  if (absl::Status may_go = CheckMayGo(id); !may_go.ok()) return may_go;
  core_->ledger.Forget(id);
  return Remove(id);
}

std::unique_ptr<ProcessEntry> Retention::Remove(const std::string& id) {
  ProcessEntry* process = core_->table.Find(id);
  if (process == nullptr) return nullptr;  // by another call of this turn
  if (process->slot != 0) {
    // Its shim may wait for room for its output: nothing more will be heard of it.
    reader_->Orphan(process->slot, id);
    core_->events->OnOver(process);
  }
  over_.erase({DueOf(*process), id});
  std::unique_ptr<ProcessEntry> gone = core_->table.Remove(id);
  core_->requests.RemoveProcess(*gone, /*unstarted=*/false);
  core_->ledger.Deleted(id);
  output_->Remove(id);
  if (!gone->spec->files.empty()) files_->Remove(id);
  return gone;
}

void Retention::Delete(DeleteCommand command, OutcomesCallback done) {
  absl::StatusOr<const LoggedRequest*> first = core_->requests.Begin(RequestKind::kDelete, command);
  if (!first.ok()) return done(first.status());
  if (*first != nullptr) return AnswerRepeat(core_, command, std::move(done));
  absl::StatusOr<std::vector<ProcessEntry*>> selected = core_->table.Select(command.selector);
  Decision decision{.status = selected.status()};
  if (selected.ok()) {
    for (const ProcessEntry* process : *selected) {
      decision.outcomes.push_back({process->id, CheckMayGo(process->id)});
      if (decision.outcomes.back().status.ok()) core_->ledger.Forget(process->id);
    }
  }
  core_->requests.Decide(command, decision);
  core_->ledger.Then([this, decision = std::move(decision),
                      done = std::move(done)](const absl::Status& committed) mutable {
    if (!committed.ok()) return done(committed);
    std::vector<std::unique_ptr<ProcessEntry>> gone;  // kept until the reply
    absl::StatusOr<std::vector<Outcome>> outcomes = OutcomesOf(*core_, decision);
    for (const LoggedOutcome& one : decision.outcomes) {
      if (one.status.ok()) gone.push_back(Remove(one.process_id));
    }
    done(std::move(outcomes));
  });
}

}  // namespace shoal::agent
