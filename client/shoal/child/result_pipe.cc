#include "shoal/child/result_pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/unique_fd.h"
#include "shoal/v1/fork_protocol.h"

namespace shoal::internal {
namespace {

// The kernel's table of descriptors is as long as its highest entry: 512 KiB for this one. A program
// that may have more descriptors than that, and closes them all, loses its result and is told so.
constexpr rlim_t kHighestPlace = 65536;

// Moves it to where loops over all descriptors up to the limit do not come, or as near as may be.
int MoveAway(int fd) {
  struct rlimit before;
  if (getrlimit(RLIMIT_NOFILE, &before) != 0) return fcntl(fd, F_DUPFD_CLOEXEC, fd + 1);
  const rlim_t place = std::min(before.rlim_cur, kHighestPlace);
  struct rlimit raised = before;
  raised.rlim_cur = std::max(before.rlim_cur, std::min(before.rlim_max, place + 1));
  setrlimit(RLIMIT_NOFILE, &raised);
  int moved = fcntl(fd, F_DUPFD_CLOEXEC, static_cast<int>(place));
  setrlimit(RLIMIT_NOFILE, &before);
  for (rlim_t lower = place - 1; moved < 0 && lower > static_cast<rlim_t>(fd); lower /= 2) {
    moved = fcntl(fd, F_DUPFD_CLOEXEC, static_cast<int>(lower));
  }
  return moved;
}

int TakeResultFd() {
  struct stat status;
  int fd = fork_protocol::kProcessResultFd;
  if (fstat(fd, &status) != 0 || !S_ISFIFO(status.st_mode)) return -1;
  int moved = MoveAway(fd);
  UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (moved >= 0 && null && dup3(null.get(), fd, O_CLOEXEC) == fd) return moved;
  // Without room for another descriptor it stays.
  if (moved >= 0) close(moved);
  return fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 ? fd : -1;
}

// 0, or the errno.
int WriteAll(int fd, absl::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written >= 0) {
      bytes.remove_prefix(static_cast<size_t>(written));
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

}  // namespace

ResultPipe::ResultPipe() : fd_(TakeResultFd()), owner_(getpid()) {
  if (fd_ >= 0 && fstat(fd_, &facts_) != 0) facts_ = {};
}

bool ResultPipe::IsStillThere(int fd) const {
  struct stat now;
  return fstat(fd, &now) == 0 && now.st_dev == facts_.st_dev && now.st_ino == facts_.st_ino;
}

void ResultPipe::Forget() {
  int fd = fd_.exchange(-1);
  if (fd >= 0 && IsStillThere(fd)) close(fd);
}

absl::Status ResultPipe::Write(absl::string_view head, absl::string_view rest) {
  if (getpid() != owner_) return absl::OkStatus();
  int fd = fd_.exchange(-1);
  if (fd < 0) return absl::OkStatus();
  if (!IsStillThere(fd)) {
    return absl::DataLossError(
        absl::StrCat("its result is lost: the program has closed descriptor ", fd,
                     ", through which it was to be returned"));
  }
  int error = WriteAll(fd, head);
  if (error == 0) error = WriteAll(fd, rest);
  close(fd);
  if (error == 0) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("its result cannot be written: ", strerror(error)));
}

}  // namespace shoal::internal
