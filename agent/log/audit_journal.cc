#include "agent/log/audit_journal.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "agent/os/descriptor.h"
#include "common/status.h"

namespace shoal::agent {
namespace {

constexpr int kPatienceMs = 1000;

}  // namespace

absl::Status AuditJournal::Connect() {
  if (fd_) return absl::OkStatus();
  UniqueFd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return ErrnoStatus(errno, "socket for journald");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat(socket_, " is too long for a socket"));
  }
  socket_.copy(address.sun_path, sizeof(address.sun_path) - 1);
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return ErrnoStatus(errno, "connect " + socket_);
  }
  SHOAL_ASSIGN_OR_RETURN(fd_, MoveUp(std::move(fd), "socket for journald"));
  return absl::OkStatus();
}

absl::Status AuditJournal::Write(const std::vector<std::string>& lines, size_t* written) {
  *written = 0;
  SHOAL_RETURN_IF_ERROR(Connect());
  while (*written < lines.size()) {
    // Values have no newline: see QuoteField.
    const std::string message = absl::StrCat("SYSLOG_IDENTIFIER=shoald-audit\nPRIORITY=5\nMESSAGE=",
                                             absl::StripSuffix(lines[*written], "\n"), "\n");
    if (send(fd_.get(), message.data(), message.size(), MSG_NOSIGNAL) >= 0) {
      ++*written;
      continue;
    }
    const int error = errno;
    if (error == EINTR) continue;
    pollfd room{.fd = fd_.get(), .events = POLLOUT, .revents = 0};
    if (error == EAGAIN && poll(&room, 1, kPatienceMs) > 0) continue;
    fd_.Reset();  // It may have been started again.
    return ErrnoStatus(error, "send to journald");
  }
  return absl::OkStatus();
}

}  // namespace shoal::agent
