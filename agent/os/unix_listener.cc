#include "agent/os/unix_listener.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "agent/os/descriptor.h"
#include "agent/os/system_peers.h"
#include "common/boot_time.h"
#include "common/private_directory.h"
#include "common/status.h"

namespace shoal::agent {
namespace {

constexpr int kBacklog = 1024;
constexpr int kAcceptsPerTurn = 64;
constexpr size_t kSpares = 8;
constexpr absl::Duration kPause = absl::Milliseconds(100);
constexpr absl::Duration kComplaintInterval = absl::Seconds(10);

absl::Status CheckLength(const std::string& path) {
  constexpr size_t kMaxPath = sizeof(sockaddr_un::sun_path) - 1;
  if (path.size() <= kMaxPath) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("socket path too long (", path.size(), " > ", kMaxPath, "): ", path));
}

// REQUIRES: the lock is held, so that a socket that is there has no listener.
absl::StatusOr<UniqueFd> Bind(const std::string& path) {
  struct stat facts {};
  if (lstat(path.c_str(), &facts) == 0 && !S_ISSOCK(facts.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(path, " is there and is not a socket"));
  }
  unlink(path.c_str());
  UniqueFd born(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!born) return ErrnoStatus(errno, absl::StrCat("socket for ", path));
  SHOAL_ASSIGN_OR_RETURN(UniqueFd fd, MoveUp(std::move(born), path));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::copy(path.begin(), path.end(), address.sun_path);
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return ErrnoStatus(errno, absl::StrCat("bind ", path));
  }
  if (listen(fd.get(), kBacklog) != 0) return ErrnoStatus(errno, absl::StrCat("listen ", path));
  return fd;
}

}  // namespace

absl::StatusOr<std::unique_ptr<UnixListener>> UnixListener::Open(EventLoop* loop,
                                                                 const std::string& path,
                                                                 OnAccept on_accept,
                                                                 OnTrouble on_trouble) {
  SHOAL_RETURN_IF_ERROR(CheckLength(path));
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos || slash == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("socket path must be absolute, in a directory of its own: ", path));
  }
  SHOAL_RETURN_IF_ERROR(MakePrivateDirectory(path.substr(0, slash), "run directory"));
  SHOAL_ASSIGN_OR_RETURN(
      LockFile lock, LockFile::Take(absl::StrCat(path, ".lock"), absl::StrCat("socket ", path)));
  SHOAL_ASSIGN_OR_RETURN(UniqueFd fd, Bind(path));
  auto listener = absl::WrapUnique(new UnixListener(loop, path, std::move(lock), std::move(fd),
                                                    std::move(on_accept), std::move(on_trouble)));
  SHOAL_RETURN_IF_ERROR(listener->Watch());
  return listener;
}

UnixListener::UnixListener(EventLoop* loop, std::string path, LockFile lock, UniqueFd fd,
                           OnAccept on_accept, OnTrouble on_trouble)
    : loop_(loop),
      path_(std::move(path)),
      lock_(std::move(lock)),
      fd_(std::move(fd)),
      on_accept_(std::move(on_accept)),
      on_trouble_(std::move(on_trouble)),
      spares_(kSpares) {}

UnixListener::~UnixListener() {
  if (resume_ != 0) {
    loop_->Cancel(resume_);
  } else {
    loop_->Unwatch(fd_.get());
  }
  unlink(path_.c_str());
}

absl::Status UnixListener::Watch() {
  return loop_->Watch(fd_.get(), EPOLLIN, [this](uint32_t) { OnReadable(); });
}

void UnixListener::OnReadable() {
  spares_.Refill();
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    UniqueFd fd(accept4(fd_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd) {
      Admit(std::move(fd));
    } else if (errno == EMFILE && spares_.GiveUp()) {
      continue;
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
      PauseForWantOfDescriptors();
      return;
    } else if (errno != EINTR && errno != ECONNABORTED) {
      return;  // EAGAIN: none is left.
    }
  }
}

void UnixListener::Admit(UniqueFd fd) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return;
  if (peer.uid != geteuid() && peer.uid != 0) {
    Complain(absl::StrCat("refused PID ", peer.pid, " of uid ", peer.uid, " on ", path_,
                          ": only uid ", geteuid(), " and root may connect"));
    return;
  }
  on_accept_(std::move(fd), peer.uid, ReadPeer(peer.pid));
}

// The socket stays readable, so watching on would spin.
void UnixListener::PauseForWantOfDescriptors() {
  Complain(absl::StrCat("cannot accept on ", path_, ": ", ErrnoStatus(errno, "accept4").message(),
                        "; trying again"));
  loop_->Unwatch(fd_.get());
  resume_ = loop_->After(kPause, [this] {
    resume_ = 0;
    if (!Watch().ok()) PauseForWantOfDescriptors();
  });
}

void UnixListener::Complain(const std::string& line) {
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
