// One agent per directory: a locked file with the holder's pid inside.
//
// Ownership:     the lock is held until destruction, or the end of the process however it comes.
// Thread-safety: thread-safe.
// Blocking:      up to 0.2 s while another process holds the lock.
// Errors:        FAILED_PRECONDITION: held by another process; the message has its pid.
#ifndef SHOAL_AGENT_OS_LOCK_FILE_H_
#define SHOAL_AGENT_OS_LOCK_FILE_H_

#include <fcntl.h>

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/unique_fd.h"

namespace shoal::agent {

// Takes the OFD lock of an agent; false if it is still held after 0.2 s, errno says why.
//
// A little patience, since the holder may be a child that a killed agent had just started: from
// clone(2) to the close-on-exec it has all the agent's descriptors, and a moment later none.
bool TakeAgentLock(int fd, struct flock lock);

class LockFile {
 public:
  // Makes and locks `path` (0600). `what` is the object of the message, such as "state directory
  // /var/lib/shoal". The file stays behind when the lock goes: removing it would let two lock two.
  static absl::StatusOr<LockFile> Take(const std::string& path, absl::string_view what);

  LockFile(LockFile&&) = default;
  LockFile& operator=(LockFile&&) = default;

 private:
  explicit LockFile(UniqueFd fd) : fd_(std::move(fd)) {}

  UniqueFd fd_;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OS_LOCK_FILE_H_
