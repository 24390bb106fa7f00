// The reason of a refusal as one word for programs: status_to_grpc.h puts it into the ErrorInfo.
//
// Ownership:     stateless.
// Thread-safety: thread-safe.
// Blocking:      never blocks.
// Errors:        none.
#ifndef SHOAL_AGENT_CORE_REASON_H_
#define SHOAL_AGENT_CORE_REASON_H_

#include "absl/status/status.h"
#include "absl/strings/cord.h"
#include "absl/strings/string_view.h"

namespace shoal::agent {

inline constexpr absl::string_view kReasonPayload = "shoal.dev/Reason";

// The caller can write the blob and repeat the request: such a refusal is not kept.
inline constexpr absl::string_view kReasonBlobMissing = "BLOB_MISSING";
// The session was given to another client.
inline constexpr absl::string_view kReasonFenced = "FENCED";
inline constexpr absl::string_view kReasonInputClosed = "INPUT_CLOSED";
inline constexpr absl::string_view kReasonInputConflict = "INPUT_CONFLICT";
inline constexpr absl::string_view kReasonOutcomeUnknown = "OUTCOME_UNKNOWN";
inline constexpr absl::string_view kReasonRequestIdTime = "REQUEST_ID_TIME";
// The session is over: nothing starts in it any more.
inline constexpr absl::string_view kReasonSessionExpired = "SESSION_EXPIRED";
inline constexpr absl::string_view kReasonSessionInUse = "SESSION_IN_USE";
inline constexpr absl::string_view kReasonUnmanaged = "UNMANAGED";

inline absl::Status WithReason(absl::string_view reason, absl::Status status) {
  status.SetPayload(kReasonPayload, absl::Cord(reason));
  return status;
}

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_REASON_H_
