#include "common/socket_trust.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

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
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    return ErrnoStatus(errno, absl::StrCat("SO_PEERCRED of ", socket_path));
  }
  if (IsOursOrRoots(peer.uid)) return absl::OkStatus();
  return Distrust(socket_path,
                  absl::StrCat("PID ", peer.pid, " of uid ", peer.uid, " listens there"));
}

}  // namespace shoal
