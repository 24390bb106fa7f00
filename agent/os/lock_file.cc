#include "agent/os/lock_file.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "agent/os/descriptor.h"
#include "common/status.h"

namespace shoal::agent {
namespace {

std::string HolderOf(int fd) {
  char text[32] = {};
  int pid = 0;
  // An OFD lock has no pid, so the holder writes it; it may not have come to that yet.
  if (pread(fd, text, sizeof(text) - 1, 0) > 0 && absl::SimpleAtoi(text, &pid)) {
    return absl::StrCat("PID ", pid);
  }
  return "another process";
}

}  // namespace

bool TakeAgentLock(int fd, struct flock lock) {
  constexpr int kTries = 200;
  for (int i = 0; i < kTries; ++i) {
    if (fcntl(fd, F_OFD_SETLK, &lock) == 0) return true;
    if (errno != EAGAIN && errno != EACCES) return false;
    poll(nullptr, 0, 1);  // F_OFD_SETLKW would wait for a living agent for ever
  }
  errno = EAGAIN;
  return false;
}

absl::StatusOr<LockFile> LockFile::Take(const std::string& path, absl::string_view what) {
  SHOAL_ASSIGN_OR_RETURN(UniqueFd fd, OpenAt(AT_FDCWD, path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  if (!TakeAgentLock(fd.get(), lock)) {
    if (errno != EAGAIN && errno != EACCES) return ErrnoStatus(errno, absl::StrCat("lock ", path));
    return absl::FailedPreconditionError(absl::StrCat(what, " is in use by ", HolderOf(fd.get())));
  }
  const std::string pid = absl::StrCat(getpid(), "\n");
  if (ftruncate(fd.get(), 0) != 0 || pwrite(fd.get(), pid.data(), pid.size(), 0) < 0) {
    return ErrnoStatus(errno, absl::StrCat("write ", path));
  }
  return LockFile(std::move(fd));
}

}  // namespace shoal::agent
