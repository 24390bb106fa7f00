#include "agent/readiness.h"

#include <fcntl.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "common/escape.h"

namespace shoal::agent {

Readiness::Readiness(int ready_fd) {
  if (ready_fd < 0) return;
  // Its number is one of ours from here on; stdin, stdout and stderr stay what they are.
  if (ready_fd <= STDERR_FILENO) ready_fd = fcntl(ready_fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  ready_fd_ = UniqueFd(ready_fd);
  if (ready_fd_) fcntl(ready_fd_.get(), F_SETFD, FD_CLOEXEC);
}

void Readiness::Say(absl::string_view line) {
  if (!ready_fd_) return;
  std::string text = absl::StrCat(line, "\n");
  // The reader may be gone; that is no reason to end.
  ssize_t written = write(ready_fd_.get(), text.data(), text.size());
  static_cast<void>(written);
  ready_fd_.Reset();
}

void Readiness::Ready(const std::string& socket_path) {
  Say(absl::StrCat("ready unix:", socket_path));
  sd_notify(0, "READY=1");
}

void Readiness::Failed(const absl::Status& status) {
  Say(absl::StrCat("error: ", EscapeForMessage(absl::string_view(status.message()), 1024)));
}

void Readiness::Stopping() { sd_notify(0, "STOPPING=1"); }

}  // namespace shoal::agent
