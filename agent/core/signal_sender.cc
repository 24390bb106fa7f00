#include "agent/core/signal_sender.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/core/bulk_answer.h"
#include "agent/core/unmanaged.h"
#include "common/failpoint.h"

namespace shoal::agent {

void SignalSender::Signal(SignalCommand command, OutcomesCallback done) {
  absl::StatusOr<const LoggedRequest*> first = core_->requests.Begin(RequestKind::kSignal, command);
  if (!first.ok()) return done(first.status());
  if (*first != nullptr) return AnswerRepeat(core_, command, std::move(done));
  absl::StatusOr<std::vector<ProcessEntry*>> selected = core_->table.Select(command.selector);
  if (!selected.ok()) {
    core_->requests.Decide(command, {.status = selected.status()});
    return AnswerRepeat(core_, command, std::move(done));
  }
  std::vector<std::string> ids;
  for (const ProcessEntry* process : *selected) ids.push_back(process->id);
  core_->ledger.Then([this, command = std::move(command), ids = std::move(ids),
                      done = std::move(done)](const absl::Status& committed) mutable {
    SHOAL_FAILPOINT("signal:after-intent");
    if (!committed.ok()) return done(committed);
    Decision decision = Deliver(command, ids);
    SHOAL_FAILPOINT("signal:before-outcome");
    core_->requests.Decide(command, decision);
    core_->ledger.ThenAlways(
        [this, decision = std::move(decision), done = std::move(done)]() mutable {
          done(OutcomesOf(*core_, decision));
        });
  });
}

Decision SignalSender::Deliver(const SignalCommand& command, const std::vector<std::string>& ids) {
  Decision decision;
  for (const std::string& id : ids) decision.outcomes.push_back({id, Send(command, id)});
  return decision;
}

absl::Status SignalSender::Send(const SignalCommand& command, const std::string& id) {
  ProcessEntry* process = core_->table.Find(id);
  if (process == nullptr) return absl::NotFoundError(absl::StrCat("no process ", id));
  if (absl::Status managed = CheckManaged(*core_, *process); !managed.ok()) return managed;
  const bool tree_lives = command.scope == SignalScope::kTree && !process->IsTreeOver();
  if (!process->IsLive() && !tree_lives) {
    return absl::FailedPreconditionError(
        absl::StrCat(Describe(*process), ": the process has ended"));
  }
  if (process->pid == 0) {
    return absl::FailedPreconditionError(absl::StrCat(Describe(*process), " has not started yet"));
  }
  absl::Status sent = trees_->Signal(*process, command.signal, command.scope);
  if (!sent.ok()) return sent;
  process->signals.push_back({command.signal, command.owner(), core_->clock->Now()});
  if (process->signals.size() > kMaxSignalEvents) process->signals.erase(process->signals.begin());
  core_->ledger.Save(*process);
  core_->ledger.Changed(process);
  return absl::OkStatus();
}

}  // namespace shoal::agent
