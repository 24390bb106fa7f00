#include "agent/core/retention.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace shoal::agent {
namespace {

absl::Time EndOf(const ProcessEntry& process) {
  return process.empty_time.value_or(process.exit_time.value_or(process.create_time));
}

}  // namespace

void Retention::OnOver(const ProcessEntry& process) {
  over_.insert({EndOf(process), process.id});
  // Not at once: whoever ended this one may hold others, which must not be deleted under it.
  if (std::exchange(enforce_set_, true)) return;
  core_->ledger.Then([this](const absl::Status&) {
    enforce_set_ = false;
    Enforce();
  });
}

void Retention::Enforce() {
  absl::Time now = core_->clock->Now();
  while (!over_.empty()) {
    auto [end, id] = *over_.begin();
    if (over_.size() <= core_->options.retention_count && end + core_->options.retention > now) {
      break;
    }
    over_.erase(over_.begin());
    Delete(id).IgnoreError();
  }
  if (over_.empty() || timer_set_) return;
  timer_set_ = true;
  absl::Duration wait = over_.begin()->first + core_->options.retention - now;
  core_->scheduler->After(std::max(wait, absl::Seconds(1)), [this] {
    timer_set_ = false;
    launcher_->ForgetBuriedBefore(core_->clock->Now() - core_->options.retention);
    Enforce();
  });
}

absl::StatusOr<std::unique_ptr<ProcessEntry>> Retention::Delete(const std::string& id) {
  ProcessEntry* process = core_->table.Find(id);
  if (process == nullptr) return absl::NotFoundError(absl::StrCat("no process ", id));
  if (!process->IsOver()) {
    return absl::FailedPreconditionError(absl::StrCat(
        Describe(*process), process->IsLive() ? " still runs; stop it first"
                                              : " has descendants that still run; stop it first"));
  }
  over_.erase({EndOf(*process), id});
  launcher_->Bury(*process);
  if (process->slot != 0) reader_->Orphan(process->slot, id);
  std::unique_ptr<ProcessEntry> gone = core_->table.Remove(id);
  core_->ledger.Forget(id);
  core_->ledger.Deleted(id);
  core_->output->Remove(id);
  if (!gone->spec->files.empty()) core_->files->Remove(id);
  return gone;
}

void Retention::Delete(const Selector& selector, Supervisor::OutcomesCallback done) {
  absl::StatusOr<std::vector<ProcessEntry*>> selected = core_->table.Select(selector);
  if (!selected.ok()) return done(selected.status());
  struct Answer {
    std::unique_ptr<ProcessEntry> gone;  // kept until the reply
    std::string id;
    absl::Status status;
  };
  auto answers = std::make_unique<std::vector<Answer>>();
  for (const ProcessEntry* process : *selected) {
    std::string id = process->id;
    absl::StatusOr<std::unique_ptr<ProcessEntry>> gone = Delete(id);
    absl::Status status = gone.status();
    answers->push_back({gone.ok() ? *std::move(gone) : nullptr, std::move(id), std::move(status)});
  }
  core_->ledger.Then([this, answers = std::move(answers),
                      done = std::move(done)](const absl::Status& committed) mutable {
    std::vector<Outcome> outcomes;
    for (const Answer& answer : *answers) {
      const ProcessEntry* process =
          answer.gone != nullptr ? answer.gone.get() : core_->table.Find(answer.id);
      // Gone from here, but not for good before it is gone from the store, too.
      outcomes.push_back({process, answer.status.ok() ? committed : answer.status});
    }
    done(std::move(outcomes));
  });
}

}  // namespace shoal::agent
