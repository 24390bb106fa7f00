#include "client/cli/stdin_source.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "common/status.h"

namespace shoal::cli {
namespace {

// A group may come to the foreground without a SIGCONT.
constexpr int kLookAgainMs = 500;

UniqueFd OpenAgain(int fd) {
  struct stat found = {};
  if (fstat(fd, &found) != 0 || !S_ISFIFO(found.st_mode)) return UniqueFd();
  const std::string path = absl::StrCat("/proc/self/fd/", fd);
  return UniqueFd(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
}

}  // namespace

bool IsForeground(int fd) {
  const pid_t foreground = tcgetpgrp(fd);
  // Not our controlling terminal: it has no job control for us.
  return foreground < 0 || foreground == getpgrp();
}

bool IsInputGiven(int fd) {
  struct stat found = {};
  if (fstat(fd, &found) != 0) return false;
  if (!S_ISCHR(found.st_mode)) return true;
  struct stat null = {};
  return stat("/dev/null", &null) != 0 || found.st_rdev != null.st_rdev;
}

StdinSource::StdinSource(int fd)
    : fd_(fd),
      is_terminal_(isatty(fd) == 1),
      again_(OpenAgain(fd)),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

absl::StatusOr<std::string> StdinSource::Read(size_t most) {
  if (buffer_.size() < most) buffer_.resize(most);
  while (!is_stopped_) {
    const bool may_read = !is_terminal_ || IsForeground(fd_);
    if (is_terminal_ && is_foreground_.exchange(may_read) != may_read && may_read) on_foreground_();
    pollfd waits[2] = {{wake_.get(), POLLIN, 0}, {fd_, POLLIN, 0}};
    if (poll(waits, may_read ? 2 : 1, may_read ? -1 : kLookAgainMs) < 0) continue;
    eventfd_t woken = 0;
    if (waits[0].revents != 0) eventfd_read(wake_.get(), &woken);
    // A regular file is always ready; what is neither has an error that read(2) tells.
    if (!may_read || waits[1].revents == 0) continue;
    // Polled is fd_: of one that was opened behind the last writer poll(2) reports no end.
    const ssize_t got = read(again_ ? again_.get() : fd_, buffer_.data(), most);
    if (got >= 0) return buffer_.substr(0, static_cast<size_t>(got));
    // EIO: a terminal in whose background we are by now.
    if (errno == EINTR || errno == EAGAIN || (errno == EIO && is_terminal_ && !IsForeground(fd_))) {
      continue;
    }
    return ErrnoStatus(errno, "cannot read stdin");
  }
  return std::string();
}

void StdinSource::Stop() {
  is_stopped_ = true;
  // The writer learns that nothing is read once no other program reads.
  const UniqueFd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (null && again_) dup3(null.get(), again_.get(), O_CLOEXEC);
  Wake();
}

void StdinSource::OnUnread() {
  if (is_terminal_) return;
  const UniqueFd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (null) dup2(null.get(), fd_);
  if (null && again_) dup3(null.get(), again_.get(), O_CLOEXEC);
}

void StdinSource::LookAgain() {
  is_foreground_ = false;
  Wake();
}

void StdinSource::Wake() { eventfd_write(wake_.get(), 1); }

}  // namespace shoal::cli
