#include "tests/support/system/host_files.h"

#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <filesystem>
#include <thread>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "common/status.h"

namespace shoal::testing {
namespace {

// A file or directory by its descriptor, which outlives that its path is hidden.
struct Kept {
  std::string path;
  UniqueFd fd;
};

absl::Status PutBack(const Kept& kept) {
  std::filesystem::path path(kept.path);
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);
  std::string source = absl::StrCat("/proc/thread-self/fd/", kept.fd.get());
  if (std::filesystem::is_directory(source, error)) {
    std::filesystem::create_directory(path, error);
  } else {
    UniqueFd(open(kept.path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  }
  if (mount(source.c_str(), kept.path.c_str(), nullptr, MS_BIND, nullptr) == 0) {
    return absl::OkStatus();
  }
  return ErrnoStatus(errno, absl::StrCat("mount of ", kept.path));
}

absl::StatusOr<UniqueFd> MakeInThisThread(const std::vector<std::string>& hidden,
                                          const std::vector<std::string>& kept_paths) {
  if (unshare(CLONE_NEWNS) != 0) return ErrnoStatus(errno, "unshare");
  // Else the machine would see what is mounted from here on.
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return ErrnoStatus(errno, "mount of / as private");
  }
  std::vector<Kept> kept;  // of this namespace: those of another cannot be mounted
  for (const std::string& path : kept_paths) {
    UniqueFd fd(open(path.c_str(), O_PATH | O_CLOEXEC));
    if (!fd) return ErrnoStatus(errno, absl::StrCat("open of ", path));
    kept.push_back({path, std::move(fd)});
  }
  for (const std::string& path : hidden) {
    if (mount("host", path.c_str(), "tmpfs", 0, "mode=0755") != 0) {
      return ErrnoStatus(errno, absl::StrCat("mount over ", path));
    }
  }
  for (const Kept& entry : kept) SHOAL_RETURN_IF_ERROR(PutBack(entry));
  return UniqueFd(open("/proc/thread-self/ns/mnt", O_RDONLY | O_CLOEXEC));
}

}  // namespace

UniqueFd MakeHostFiles(const std::vector<std::string>& hidden,
                       const std::vector<std::string>& kept) {
  absl::StatusOr<UniqueFd> made;
  // A thread may have a mount namespace of its own; the descriptor keeps it when the thread ends.
  std::thread([&] { made = MakeInThisThread(hidden, kept); }).join();
  if (made.ok() && *made) return *std::move(made);
  ADD_FAILURE() << "no file system for a host: " << made.status();
  return UniqueFd();
}

}  // namespace shoal::testing
