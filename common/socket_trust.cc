#include "common/socket_trust.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/status.h"

namespace shoal {
namespace {

constexpr mode_t kOthersWrite = 022;

bool IsOursOrRoots(uid_t uid) { return uid == geteuid() || uid == 0; }

absl::Status Distrust(const std::string& socket_path, const std::string& why) {
  return absl::FailedPreconditionError(absl::StrCat(
      "the agent's socket ", socket_path, " is not trusted, and nothing was sent: ", why,
      "; remove it, or name a socket with -H unix:PATH or SHOAL_HOSTS"));
}

absl::StatusOr<ucred> PeerOf(int socket, const std::string& socket_path) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    return ErrnoStatus(errno, absl::StrCat("SO_PEERCRED of ", socket_path));
  }
  return peer;
}

}  // namespace

absl::Status CheckSocketDirectory(const std::string& socket_path) {
  const size_t slash = socket_path.rfind('/');
  if (slash == std::string::npos || slash == 0) return absl::OkStatus();
  const std::string directory = socket_path.substr(0, slash);
  // The link itself first: whoever owns that says where it leads.
  for (const bool follows : {false, true}) {
    struct stat facts {};
    const int failed = follows ? stat(directory.c_str(), &facts) : lstat(directory.c_str(), &facts);
    if (failed != 0) {
      return absl::UnavailableError(
          absl::StrCat("no agent is running on this machine: there is no ", directory));
    }
    if (!IsOursOrRoots(facts.st_uid)) {
      return Distrust(socket_path,
                      absl::StrCat("its directory ", directory, " belongs to uid ", facts.st_uid));
    }
    if (!S_ISLNK(facts.st_mode) && (facts.st_mode & kOthersWrite) != 0) {
      return Distrust(socket_path,
                      absl::StrFormat("others may write into its directory %s (mode %04o)",
                                      directory, facts.st_mode & 07777));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckSocketPeer(int socket, const std::string& socket_path) {
  SHOAL_ASSIGN_OR_RETURN(const ucred peer, PeerOf(socket, socket_path));
  if (IsOursOrRoots(peer.uid)) return absl::OkStatus();
  return Distrust(socket_path,
                  absl::StrCat("PID ", peer.pid, " of uid ", peer.uid, " listens there"));
}

absl::StatusOr<SocketListener> FindListener(const std::string& socket_path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (socket_path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat(socket_path, " is too long for a socket"));
  }
  std::memcpy(address.sun_path, socket_path.data(), socket_path.size());
  UniqueFd probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!probe) return ErrnoStatus(errno, absl::StrCat("socket for ", socket_path));
  if (connect(probe.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    return absl::UnavailableError(
        absl::StrCat("no process listens on ", socket_path, ": ", std::strerror(errno)));
  }
  SHOAL_ASSIGN_OR_RETURN(const ucred peer, PeerOf(probe.get(), socket_path));
  return SocketListener{std::move(probe), peer.pid, peer.uid};
}

absl::StatusOr<ListenerHandle> OpenListener(const std::string& socket_path) {
  SHOAL_ASSIGN_OR_RETURN(const SocketListener first, FindListener(socket_path));
  SHOAL_RETURN_IF_ERROR(CheckSocketPeer(first.connection.get(), socket_path));
  if (first.pid <= 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("the process that listens on ", socket_path, " is of another PID namespace"));
  }
  UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, first.pid, 0)));
  if (!pidfd)
    return ErrnoStatus(errno, absl::StrCat("cannot reach the agent with PID ", first.pid));
  SHOAL_ASSIGN_OR_RETURN(const SocketListener again, FindListener(socket_path));
  pollfd end = {pidfd.get(), POLLIN, 0};
  if (again.pid != first.pid || again.uid != first.uid || poll(&end, 1, 0) != 0) {
    return absl::UnavailableError(
        absl::StrCat("the process that listens on ", socket_path, " has changed; try again"));
  }
  return ListenerHandle{std::move(pidfd), first.pid};
}

}  // namespace shoal
