// All that a descriptor gives, up to its end.
//
// Thread-safety: thread-safe.
// Blocking:      as the descriptor does.
// Errors:        OUT_OF_RANGE: it is more than `max_bytes`; else by the errno of read(2), as what failed in `operation`.
#ifndef SHOAL_COMMON_READ_WHOLE_H_
#define SHOAL_COMMON_READ_WHOLE_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace shoal {

absl::StatusOr<std::string> ReadWhole(int fd, size_t max_bytes, absl::string_view operation);

}  // namespace shoal

#endif  // SHOAL_COMMON_READ_WHOLE_H_
