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

inline constexpr int kMaxSelectorTerms = 10'000;
inline constexpr int kMaxSelectorGlobs = 64;  // each is held against every name
inline constexpr int kMaxPositions = 20'000;

// A UUIDv7, or INVALID_ARGUMENT. Whether it is too old is for RequestLog to say.
absl::Status CheckRequestId(const std::string& request_id);

// ABORTED if the caller pinned another agent or boot than this one; empty pins nothing.
absl::Status CheckPin(absl::string_view pinned_agent_id, absl::string_view pinned_boot_id,
                      absl::string_view agent_id, absl::string_view boot_id);

// Of a list in pages whose tokens are the last id of the page before.
absl::Status CheckPage(int page_size, const std::string& page_token);
template <typename Request>
absl::Status CheckPage(const Request& request) {
  return CheckPage(request.page_size(), request.page_token());
}

// SHA-256 of the message, maps in order; tells a retry from a request_id used again.
std::string FingerprintOf(const google::protobuf::MessageLite& message);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_RPC_REQUEST_CHECKS_H_
