// A directory for this user alone.
//
// Thread-safety: thread-safe.
// Blocking:      on the file system.
#ifndef SHOAL_COMMON_PRIVATE_DIRECTORY_H_
#define SHOAL_COMMON_PRIVATE_DIRECTORY_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace shoal {

// Makes `path` (0700) and what is missing above it (0755), or checks what is there.
// FAILED_PRECONDITION: not a directory, of another user, or open to others; the message starts with
// `what`, such as "run directory".
absl::Status MakePrivateDirectory(const std::string& path, absl::string_view what);

}  // namespace shoal

#endif  // SHOAL_COMMON_PRIVATE_DIRECTORY_H_
