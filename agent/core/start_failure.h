// A start that the kernel refused: its sentence, its status, and what it does to the process.
//
// Ownership:     stateless.
// Thread-safety: loop thread only.
// Blocking:      MakeStartFailure on the file system, to explain an errno.
// Errors:        none; StatusOf says the codes.
#ifndef SHOAL_AGENT_CORE_START_FAILURE_H_
#define SHOAL_AGENT_CORE_START_FAILURE_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "agent/core/core.h"
#include "agent/core/ports/programs.h"

namespace shoal::agent {

// Type of the status payload: "<stage>\n<errno>\n".
inline constexpr absl::string_view kStartFailurePayload = "shoal.dev/StartFailure";

// The message of a process whose end was asked for before it ran.
inline constexpr absl::string_view kEndedBeforeStart = "its end was asked for before it started";

StartFailure MakeStartFailure(Programs* programs, const Spec& spec, record::Stage stage,
                              int error_number);

// FAILED_PRECONDITION; RESOURCE_EXHAUSTED or UNAVAILABLE when trying again may help.
absl::Status StatusOf(const StartFailure& failure);

// Whether the same request may be tried afresh.
bool IsTransient(const StartFailure& failure);

// Ends a process that never ran: state, empty tree, complete output, saved; its slot stays until
// the shim is final. Not `is_over`: its tree and output are still to end, as those of one that ran.
void FailToStart(Core* core, ProcessEntry* process, StartFailure failure, bool is_over = true);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_START_FAILURE_H_
