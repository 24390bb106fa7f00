#include "agent/core/signal_sender.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/core/bulk_answer.h"
#include "agent/core/unmanaged.h"
#include "common/failpoint.h"

namespace shoal::agent {

struct SignalSender::Delivery {
  SignalCommand command;
  std::vector<std::string> ids;
  OutcomesCallback done;
  Decision decision = {};
};

void SignalSender::Signal(SignalCommand command, OutcomesCallback done) {
  core_->selecting.RunFor(
      std::move(command),
      [this, done = std::move(done)](SignalCommand asked,
                                     absl::StatusOr<std::vector<ProcessEntry*>> selected) mutable {
        Begin(std::move(asked), selected, std::move(done));
      });
}

void SignalSender::Begin(SignalCommand command,
                         const absl::StatusOr<std::vector<ProcessEntry*>>& selected,
                         OutcomesCallback done) {
  absl::StatusOr<const LoggedRequest*> first = core_->requests.Begin(RequestKind::kSignal, command);
  if (!first.ok()) return done(first.status());
  if (*first != nullptr && core_->running.IsRunning(command)) {
    return core_->running.Await(command, [this, command, done = std::move(done)]() mutable {
      AnswerRepeat(core_, command, std::move(done));
    });
  }
  if (*first != nullptr) return AnswerRepeat(core_, command, std::move(done));
  if (!selected.ok()) {
    core_->requests.Decide(command, {.status = selected.status()});
    return AnswerRepeat(core_, command, std::move(done));
  }
  core_->running.Begin(command);
  auto delivery = std::make_unique<Delivery>(
      Delivery{.command = std::move(command), .ids = {}, .done = std::move(done)});
  for (const ProcessEntry* process : *selected) delivery->ids.push_back(process->id);
  core_->ledger.Then([this, delivery = std::move(delivery)](const absl::Status& committed) mutable {
    SHOAL_FAILPOINT("signal:after-intent");
    if (!committed.ok()) {
      core_->running.End(delivery->command);
      return delivery->done(committed);
    }
    const Caller caller = delivery->command.permit.caller();
    core_->slices.Run(caller,
                      [this, delivery = std::move(delivery)] { return Deliver(delivery.get()); });
  });
}

bool SignalSender::Deliver(Delivery* delivery) {
  Decision& decision = delivery->decision;
  if (decision.outcomes.size() < delivery->ids.size()) {
    const std::string& id = delivery->ids[decision.outcomes.size()];
    decision.outcomes.push_back({id, Send(delivery->command, id)});
    return true;
  }
  SHOAL_FAILPOINT("signal:before-outcome");
  core_->requests.Decide(delivery->command, decision);
  core_->running.End(delivery->command);
  core_->ledger.ThenAlways(
      [this, decision = std::move(decision), done = std::move(delivery->done)]() mutable {
        done(OutcomesOf(*core_, decision));
      });
  return false;
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
