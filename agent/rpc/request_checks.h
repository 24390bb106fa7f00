// What every mutating request must show before it reaches the loop.
//
// Thread-safety: thread-safe.
// Errors:        INVALID_ARGUMENT names the field and the reason.
#ifndef SHOAL_AGENT_RPC_REQUEST_CHECKS_H_
#define SHOAL_AGENT_RPC_REQUEST_CHECKS_H_

#include <google/protobuf/message_lite.h>

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace shoal::agent {

inline constexpr int kMaxMessageSizeBytes = 1 << 20;
inline constexpr int kMaxSelectorTerms = 10'000;
inline constexpr int kMaxBatch = 10'000;
inline constexpr int kMaxLabels = 64;
inline constexpr int kMaxPositions = 20'000;
inline constexpr size_t kMaxLabelKeyBytes = 128;
inline constexpr size_t kMaxLabelValueBytes = 1024;

// A UUIDv7, or INVALID_ARGUMENT.
absl::Status CheckRequestId(const std::string& request_id);

// The same, and made within `retention` of `now`: what happened to an older one is forgotten, so
// that running it could be running it twice. FAILED_PRECONDITION otherwise.
absl::Status CheckFreshRequestId(const std::string& request_id, absl::Time now,
                                 absl::Duration retention);

// ABORTED if the caller pinned another agent or boot than this one; empty pins nothing.
absl::Status CheckPin(absl::string_view pinned_agent_id, absl::string_view pinned_boot_id,
                      absl::string_view agent_id, absl::string_view boot_id);

absl::Status CheckCount(absl::string_view field, int count, int limit);
absl::Status CheckLabel(absl::string_view key, absl::string_view value);
// No NUL; else "<field> contains NUL at 17".
absl::Status CheckNoNul(absl::string_view field, absl::string_view bytes);

// SHA-256 of the message, maps in order; tells a retry from a request_id used again.
std::string FingerprintOf(const google::protobuf::MessageLite& message);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_RPC_REQUEST_CHECKS_H_
