#include "agent/os/accept_loop.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/status.h"

namespace shoal::agent {
namespace {

constexpr int kAcceptsPerTurn = 64;
constexpr absl::Duration kPause = absl::Milliseconds(100);
constexpr absl::Duration kComplaintInterval = absl::Seconds(10);

}  // namespace

AcceptLoop::AcceptLoop(EventLoop* loop, UniqueFd fd, std::string name, size_t spares,
                       OnAccept on_accept, OnTrouble on_trouble)
    : loop_(loop),
      fd_(std::move(fd)),
      name_(std::move(name)),
      on_accept_(std::move(on_accept)),
      on_trouble_(std::move(on_trouble)),
      spares_(spares) {}

AcceptLoop::~AcceptLoop() {
  if (resume_ != 0) loop_->Cancel(resume_);
  if (is_watched_) loop_->Unwatch(fd_.get());
}

absl::Status AcceptLoop::Start() {
  absl::Status watched = loop_->Watch(fd_.get(), EPOLLIN, [this](uint32_t) { OnReadable(); });
  is_watched_ = watched.ok();
  return watched;
}

void AcceptLoop::OnReadable() {
  spares_.Refill();
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    UniqueFd fd(accept4(fd_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    const int error = errno;
    if (fd) {
      on_accept_(std::move(fd));
    } else if (error == EMFILE && spares_.GiveUp()) {
      continue;
    } else if (error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS) {
      PauseForWantOfDescriptors(error);
      return;
    } else if (error == EAGAIN) {
      return;
    }
    // Anything else is the end of that one connection (accept(2), "Error handling").
  }
}

// The socket stays readable, so watching on would spin.
void AcceptLoop::PauseForWantOfDescriptors(int error) {
  Complain(absl::StrCat("cannot accept on ", name_, ": ", ErrnoStatus(error, "accept4").message(),
                        "; trying again"));
  if (std::exchange(is_watched_, false)) loop_->Unwatch(fd_.get());
  resume_ = loop_->After(kPause, [this] {
    resume_ = 0;
    if (!Start().ok()) PauseForWantOfDescriptors(ENOMEM);
  });
}

void AcceptLoop::Complain(const std::string& line) {
  const BootTime now = BootTime::Now();
  if (now < next_complaint_) {
    ++unsaid_;
    return;
  }
  next_complaint_ = now + kComplaintInterval;
  on_trouble_(unsaid_ == 0 ? line : absl::StrCat(line, " (", unsaid_, " more since the last)"));
  unsaid_ = 0;
}

}  // namespace shoal::agent
