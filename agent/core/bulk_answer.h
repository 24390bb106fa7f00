// How bulk calls that are logged (Signal, Update, Delete, TemplateService.Delete) are answered.
//
// Ownership:     stateless.
// Thread-safety: loop thread only.
// Blocking:      never blocks.
// Errors:        none of their own.
#ifndef SHOAL_AGENT_CORE_BULK_ANSWER_H_
#define SHOAL_AGENT_CORE_BULK_ANSWER_H_

#include <vector>

#include "absl/status/statusor.h"
#include "agent/core/core.h"

namespace shoal::agent {

// The processes as they are now.
absl::StatusOr<std::vector<Outcome>> OutcomesOf(const Core& core, const Decision& decision);

// Answers after the commit of this turn with what the first call of this request_id did; if that is
// of this turn, too, it was begun before. FAILED_PRECONDITION (OUTCOME_UNKNOWN): it was carried out
// or not by an agent that was killed at it.
void AnswerRepeat(Core* core, const LoggedCall& call, OutcomesCallback done);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_BULK_ANSWER_H_
