#include "agent/core/bulk_answer.h"

#include <utility>

#include "agent/core/reason.h"

namespace shoal::agent {
namespace {

absl::StatusOr<std::vector<Outcome>> OutcomesOfRepeat(const Core& core, const LoggedCall& call) {
  const LoggedRequest* first = core.requests.Find(call);
  if (first == nullptr) {
    return absl::UnavailableError("nothing came of the first call of this request_id; try again");
  }
  if (first->is_decided) return OutcomesOf(core, first->decision);
  return WithReason(kReasonOutcomeUnknown,
                    absl::FailedPreconditionError(
                        "OUTCOME_UNKNOWN: the agent was killed while it served this request_id; "
                        "whether the call was carried out is not known, and it will not be again"));
}

}  // namespace

absl::StatusOr<std::vector<Outcome>> OutcomesOf(const Core& core, const Decision& decision) {
  if (!decision.status.ok()) return decision.status;
  std::vector<Outcome> outcomes;
  for (const LoggedOutcome& one : decision.outcomes) {
    outcomes.push_back({core.table.Find(one.process_id), one.status, one.process_id});
  }
  return outcomes;
}

void AnswerRepeat(Core* core, const LoggedCall& call, OutcomesCallback done) {
  core->ledger.Then([core, call, done = std::move(done)](const absl::Status& committed) mutable {
    if (!committed.ok()) return done(committed);
    // The outcome of a call of this turn may be in the next transaction.
    core->ledger.ThenAlways(
        [core, call, done = std::move(done)]() mutable { done(OutcomesOfRepeat(*core, call)); });
  });
}

}  // namespace shoal::agent
