#include "agent/os/shim_spawner.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "absl/memory/memory.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "agent/os/descriptor.h"
#include "agent/record/adopting_shim.h"
#include "agent/record/record_layout.h"
#include "common/status.h"

namespace shoal::agent {
namespace {

class FileActions {
 public:
  FileActions() { posix_spawn_file_actions_init(&actions_); }
  ~FileActions() { posix_spawn_file_actions_destroy(&actions_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;

  void Give(int own, int shim) {
    if (error_ == 0) error_ = posix_spawn_file_actions_adddup2(&actions_, own, shim);
  }
  int error() const { return error_; }
  const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_;
  int error_ = 0;
};

constexpr size_t kShortestPattern = 3;  // what users look for processes by is no shorter

// True if `pgrep -f` with a word of the process, or with the file of one, could find the name.
bool TellsOfWords(absl::string_view name, const std::vector<std::string>& argv) {
  return std::any_of(argv.begin(), argv.end(), [name](absl::string_view word) {
    const absl::string_view file = word.substr(word.rfind('/') + 1);
    return absl::StrContains(word, name) ||
           (file.size() >= kShortestPattern && absl::StrContains(name, file));
  });
}

absl::StatusOr<UniqueFd> DuplicateStderr() {
  UniqueFd fd(fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, kLowestOwnFd));
  if (fd) return fd;
  return OpenAt(AT_FDCWD, "/dev/null", O_RDWR);
}

}  // namespace

ShimSpawner::ShimSpawner(UniqueFd binary, UniqueFd null, UniqueFd error, std::string program)
    : binary_(std::move(binary)),
      null_(std::move(null)),
      error_(std::move(error)),
      program_(std::move(program)) {
  sigset_t all;
  sigfillset(&all);
  posix_spawnattr_init(&attributes_);
  posix_spawnattr_setsigmask(&attributes_, &all);
  posix_spawnattr_setsigdefault(&attributes_, &all);
  posix_spawnattr_setflags(
      &attributes_,
      static_cast<short>(POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF));
}

ShimSpawner::~ShimSpawner() { posix_spawnattr_destroy(&attributes_); }

absl::StatusOr<std::unique_ptr<ShimSpawner>> ShimSpawner::Open(const std::string& shim_path) {
  SHOAL_ASSIGN_OR_RETURN(UniqueFd binary, OpenAt(AT_FDCWD, shim_path, O_RDONLY));
  struct stat facts {};
  if (fstat(binary.get(), &facts) != 0 || !S_ISREG(facts.st_mode) ||
      faccessat(AT_FDCWD, shim_path.c_str(), X_OK, 0) != 0) {
    return absl::FailedPreconditionError(absl::StrCat(shim_path, " is not an executable file"));
  }
  SHOAL_ASSIGN_OR_RETURN(UniqueFd null, OpenAt(AT_FDCWD, "/dev/null", O_RDWR));
  SHOAL_ASSIGN_OR_RETURN(UniqueFd error, DuplicateStderr());
  // The child of posix_spawn has copies of our descriptors until its execve, so the number is good
  // there, too, though it is close-on-exec.
  std::string program = absl::StrCat("/proc/self/fd/", binary.get());
  if (access(program.c_str(), X_OK) != 0) program = shim_path;
  return absl::WrapUnique(
      new ShimSpawner(std::move(binary), std::move(null), std::move(error), std::move(program)));
}

absl::StatusOr<pid_t> ShimSpawner::Spawn(int slot, const ShimStart& start,
                                         const ShimDescriptors& descriptors) const {
  FileActions actions;
  actions.Give(null_.get(), STDIN_FILENO);
  actions.Give(null_.get(), STDOUT_FILENO);
  actions.Give(error_.get(), STDERR_FILENO);
  actions.Give(descriptors.record, record::kRecordFd);
  actions.Give(descriptors.report, record::kReportFd);
  actions.Give(descriptors.output, record::kOutputFd);
  actions.Give(descriptors.payload, record::kPayloadFd);
  if (descriptors.cgroup >= 0) actions.Give(descriptors.cgroup, record::kCgroupFd);
  const std::string slot_text = absl::StrCat(slot);
  const bool has_name = !TellsOfWords(start.name, start.argv);
  char* const argv[] = {const_cast<char*>(record::kShimName), const_cast<char*>(slot_text.c_str()),
                        const_cast<char*>(start.id.c_str()),
                        has_name ? const_cast<char*>(start.name.c_str()) : nullptr, nullptr};
  char* const env[] = {nullptr};
  pid_t pid = 0;
  const int error = actions.error() != 0 ? actions.error()
                                         : posix_spawn(&pid, program_.c_str(), actions.get(),
                                                       &attributes_, argv, env);
  if (error != 0) return ErrnoStatus(error, absl::StrCat("start of the shim of ", start.id));
  return pid;
}

}  // namespace shoal::agent
