// Checks that fields of several messages share.
//
// Ownership:     stateless.
// Thread-safety: thread-safe.
// Blocking:      never blocks.
// Errors:        INVALID_ARGUMENT names the field and the reason, user bytes escaped.
#ifndef SHOAL_AGENT_SPEC_FIELD_CHECKS_H_
#define SHOAL_AGENT_SPEC_FIELD_CHECKS_H_

#include <cstddef>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace shoal::agent {

inline constexpr int kMaxLabels = 64;  // of a process, at any time
inline constexpr size_t kMaxLabelKeyBytes = 128;
inline constexpr size_t kMaxLabelValueBytes = 1024;

absl::Status CheckCount(absl::string_view field, int count, int limit);
absl::Status CheckLabel(absl::string_view key, absl::string_view value);
// No NUL; else "<field> contains NUL at 17".
absl::Status CheckNoNul(absl::string_view field, absl::string_view bytes);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_SPEC_FIELD_CHECKS_H_
