#include "agent/os/descriptor.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status.h"

namespace shoal::agent {

absl::StatusOr<UniqueFd> OpenAt(int directory, const std::string& path, int flags, mode_t mode) {
  UniqueFd fd(openat(directory, path.c_str(), flags | O_CLOEXEC, mode));
  if (!fd) return ErrnoStatus(errno, absl::StrCat("open ", path));
  return MoveUp(std::move(fd), path);
}

absl::StatusOr<UniqueFd> MoveUp(UniqueFd fd, absl::string_view name) {
  if (fd.get() >= kLowestOwnFd) return fd;
  UniqueFd moved(fcntl(fd.get(), F_DUPFD_CLOEXEC, kLowestOwnFd));
  if (!moved) return ErrnoStatus(errno, absl::StrCat("dup of ", name));
  return moved;
}

absl::StatusOr<std::string> ReadSmallFile(int directory, const std::string& path) {
  constexpr size_t kMaxBytes = size_t{1} << 20;
  UniqueFd fd(openat(directory, path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return ErrnoStatus(errno, absl::StrCat("open ", path));
  std::string text;
  char buffer[4096];
  while (text.size() < kMaxBytes) {
    const ssize_t got = read(fd.get(), buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus(errno, absl::StrCat("read ", path));
    if (got == 0) break;
    text.append(buffer, static_cast<size_t>(got));
  }
  return text;
}

absl::Status WriteControlFile(int directory, const std::string& path, absl::string_view text) {
  UniqueFd fd(openat(directory, path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd) return ErrnoStatus(errno, absl::StrCat("open ", path));
  if (write(fd.get(), text.data(), text.size()) < 0) {
    return ErrnoStatus(errno, absl::StrCat("write ", path));
  }
  return absl::OkStatus();
}

}  // namespace shoal::agent
