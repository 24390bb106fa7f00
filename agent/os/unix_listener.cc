#include "agent/os/unix_listener.h"

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
#include "common/private_directory.h"
#include "common/status.h"

namespace shoal::agent {
namespace {

constexpr int kBacklog = 1024;
constexpr size_t kSpares = 8;  // for clients that come when no descriptor is left

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
  SHOAL_RETURN_IF_ERROR(listener->accept_loop_.Start());
  return listener;
}

UnixListener::UnixListener(EventLoop* loop, std::string path, LockFile lock, UniqueFd fd,
                           OnAccept on_accept, OnTrouble on_trouble)
    : path_(std::move(path)),
      lock_(std::move(lock)),
      on_accept_(std::move(on_accept)),
      accept_loop_(
          loop, std::move(fd), path_, kSpares, [this](UniqueFd peer) { Admit(std::move(peer)); },
          std::move(on_trouble)) {}

UnixListener::~UnixListener() { unlink(path_.c_str()); }

void UnixListener::Admit(UniqueFd fd) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return;
  if (peer.uid != geteuid() && peer.uid != 0) {
    accept_loop_.Complain(absl::StrCat("refused PID ", peer.pid, " of uid ", peer.uid, " on ",
                                       path_, ": only uid ", geteuid(), " and root may connect"));
    return;
  }
  on_accept_(std::move(fd), peer.uid, ReadPeer(peer.pid));
}

}  // namespace shoal::agent
