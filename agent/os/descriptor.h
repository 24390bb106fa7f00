// Descriptors: born close-on-exec, and out of the way of those that a shim is started with.
//
// Thread-safety: thread-safe.
// Blocking:      never blocks.
#ifndef SHOAL_AGENT_OS_DESCRIPTOR_H_
#define SHOAL_AGENT_OS_DESCRIPTOR_H_

#include <sys/types.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/unique_fd.h"

namespace shoal::agent {

// The lowest number that an own descriptor may have: a shim's are 0 … 7, and a dup2 onto one of
// them must not hit the source of the next.
inline constexpr int kLowestOwnFd = 11;

// openat(2) with O_CLOEXEC added and the result moved to kLowestOwnFd or above.
absl::StatusOr<UniqueFd> OpenAt(int directory, const std::string& path, int flags, mode_t mode = 0);

// The same descriptor at kLowestOwnFd or above, close-on-exec.
absl::StatusOr<UniqueFd> MoveUp(UniqueFd fd, absl::string_view name);

// The whole of a small file, such as one of /proc. At most 1 MiB.
absl::StatusOr<std::string> ReadSmallFile(int directory, const std::string& path);

// Writes `text` by one write(2) to an existing file, as the kernel's control files want it.
absl::Status WriteControlFile(int directory, const std::string& path, absl::string_view text);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OS_DESCRIPTOR_H_
