// Identifiers: process ids, request ids, boot ids.
//
// Thread-safety: thread-safe.
#ifndef SHOAL_COMMON_IDS_H_
#define SHOAL_COMMON_IDS_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace shoal {

inline constexpr size_t kIdLength = 16;
inline constexpr size_t kShortIdLength = 6;

// 16 random characters of A-Z and 2-7 (80 bits, getrandom(2)).
std::string NewId();

// A UUIDv7 (RFC 9562) of now: 8-4-4-4-12 lower-case hex digits.
std::string NewRequestId();

// The same of `time`, such as another machine's now.
std::string NewRequestIdAt(absl::Time time);

// The time inside a UUIDv7. INVALID_ARGUMENT when `uuid` is not one.
absl::StatusOr<absl::Time> TimeOfRequestId(absl::string_view uuid);

// This boot: /proc/sys/kernel/random/boot_id, 36 characters.
absl::StatusOr<std::string> ReadBootId();

// The length at which a table shows `id` among `others`: the shortest unique prefix of at least 6.
size_t UniquePrefixLength(absl::string_view id, absl::string_view other);

}  // namespace shoal

#endif  // SHOAL_COMMON_IDS_H_
