#include "agent/core/template_requests.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/core/bulk_answer.h"
#include "agent/core/reason.h"

namespace shoal::agent {

void TemplateRequests::Create(CreateTemplateCommand command, CreateCallback done) {
  absl::StatusOr<const LoggedRequest*> first =
      core_->requests.Begin(RequestKind::kCreateTemplate, command);
  if (!first.ok()) return done(first.status());
  if (*first != nullptr && (*first)->is_decided) {
    const Decision& decision = (*first)->decision;
    if (!decision.status.ok()) return OnCreated(command, decision.status, std::move(done));
    return OnCreated(command, decision.made_id, std::move(done));
  }
  if (!command.wish.spec->files.empty()) {
    absl::Status there = files_->Check(*command.wish.spec, IsCallersOf(command.permit.caller()));
    if (!there.ok()) {
      return OnCreated(command, WithReason(kReasonBlobMissing, std::move(there)), std::move(done));
    }
  }
  TemplateWish wish = std::move(command.wish);
  wish.owner = command.owner();
  templates_->Acquire(wish, [this, call = LoggedCall(command), done = std::move(done)](
                                const absl::StatusOr<std::string>& id) mutable {
    OnCreated(call, id, std::move(done));
  });
}

void TemplateRequests::OnCreated(const LoggedCall& call, const absl::StatusOr<std::string>& id,
                                 CreateCallback done) {
  core_->requests.Decide(call, {.status = id.status(), .made_id = id.ok() ? *id : ""});
  core_->ledger.Then(
      [this, call, id, done = std::move(done)](const absl::Status& committed) mutable {
        if (!committed.ok() && core_->requests.Find(call) == nullptr) return done(committed);
        if (!id.ok()) return done(id.status());
        const ProcessEntry* process = core_->table.Find(*id);
        if (process != nullptr) return done(process);
        done(absl::FailedPreconditionError(
            "the template that this request_id made was deleted since; use a new one"));
      });
}

absl::Status TemplateRequests::CheckTemplates(const std::vector<ProcessEntry*>& selected) {
  for (const ProcessEntry* process : selected) {
    if (process->template_facts) continue;
    return absl::NotFoundError(absl::StrCat(Describe(*process), " is no template"));
  }
  return absl::OkStatus();
}

void TemplateRequests::Delete(DeleteTemplatesCommand command, OutcomesCallback done) {
  const Caller caller = command.permit.caller();
  Selector selector;
  selector.terms = command.terms;
  core_->selecting.Run(caller, std::move(selector), nullptr,
                       [this, command = std::move(command), done = std::move(done)](
                           absl::StatusOr<std::vector<ProcessEntry*>> selected) mutable {
                         BeginDelete(std::move(command), std::move(selected), std::move(done));
                       });
}

void TemplateRequests::BeginDelete(DeleteTemplatesCommand command,
                                   absl::StatusOr<std::vector<ProcessEntry*>> selected,
                                   OutcomesCallback done) {
  absl::StatusOr<const LoggedRequest*> first =
      core_->requests.Begin(RequestKind::kDeleteTemplates, command);
  if (!first.ok()) return done(first.status());
  if (*first != nullptr && (*first)->is_decided) {
    return AnswerRepeat(core_, command, std::move(done));
  }
  const absl::Status checked = selected.ok() ? CheckTemplates(*selected) : selected.status();
  if (!checked.ok()) {
    core_->requests.Decide(command, {.status = checked});
    return AnswerRepeat(core_, command, std::move(done));
  }
  TerminateCommand end{command.permit};
  terminator_->TerminateAll(
      std::move(end), *selected,
      [this, call = LoggedCall(command),
       done = std::move(done)](absl::StatusOr<std::vector<Outcome>> ended) mutable {
        Decision decision{.status = ended.status()};
        if (ended.ok()) {
          for (Outcome& outcome : *ended) {
            decision.outcomes.push_back({outcome.process->id, std::move(outcome.status)});
          }
        }
        core_->requests.Decide(call, decision);
        core_->ledger.ThenAlways(
            [this, decision = std::move(decision), done = std::move(done)]() mutable {
              done(OutcomesOf(*core_, decision));
            });
      });
}

}  // namespace shoal::agent
