// The last of the disk of the state directory is kept for the journal, so that starts, ends and what was
// asked for are noted when output and blobs have filled the rest. Shims keep to the same:
// Collector::HasReserve.
//
// Ownership:     stateless.
// Thread-safety: thread-safe.
// Blocking:      one system call.
// Errors:        a disk that cannot be asked has room.
#ifndef SHOAL_AGENT_OS_DISK_RESERVE_H_
#define SHOAL_AGENT_OS_DISK_RESERVE_H_

#include <sys/statvfs.h>

#include <algorithm>
#include <cstdint>

namespace shoal::agent {

// Whether the reserve is there when so many bytes more are written to the disk of `fd`.
inline bool HasReserve(int fd, int64_t bytes) {
  constexpr int64_t kPart = 8;  // of the disk
  constexpr int64_t kMost = int64_t{64} << 20;
  struct statvfs disk {};
  if (fstatvfs(fd, &disk) != 0) return true;
  const auto block = static_cast<int64_t>(disk.f_frsize);
  const int64_t reserve = std::min(static_cast<int64_t>(disk.f_blocks) / kPart * block, kMost);
  return static_cast<int64_t>(disk.f_bavail) * block - bytes >= reserve;
}

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OS_DISK_RESERVE_H_
