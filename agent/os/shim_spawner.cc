#include "agent/os/shim_spawner.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "agent/os/descriptor.h"
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

// The process's own words behind "shoal-shim SLOT CWD", pointing into `start`.
std::vector<char*> ArgumentsOf(const std::string& slot, const ShimStart& start) {
  static const char* const kName = "shoal-shim";
  std::vector<char*> argv;
  argv.reserve(start.argv.size() + record::kShimArgs + 2);  // and CWD, and the end
  argv.push_back(const_cast<char*>(kName));
  argv.push_back(const_cast<char*>(slot.c_str()));
  argv.push_back(const_cast<char*>(start.cwd.empty() ? "/" : start.cwd.c_str()));
  for (const std::string& word : start.argv) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  return argv;
}

std::vector<char*> EnvironmentOf(const ShimStart& start) {
  std::vector<char*> env;
  env.reserve(start.env.size() + 1);
  for (const std::string& entry : start.env) env.push_back(const_cast<char*>(entry.c_str()));
  env.push_back(nullptr);
  return env;
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
  if (descriptors.cgroup >= 0) actions.Give(descriptors.cgroup, record::kCgroupFd);
  const std::string slot_text = absl::StrCat(slot);
  const std::vector<char*> argv = ArgumentsOf(slot_text, start);
  const std::vector<char*> env = EnvironmentOf(start);
  pid_t pid = 0;
  const int error = actions.error() != 0 ? actions.error()
                                         : posix_spawn(&pid, program_.c_str(), actions.get(),
                                                       &attributes_, argv.data(), env.data());
  if (error != 0) return ErrnoStatus(error, absl::StrCat("start of the shim of ", start.id));
  return pid;
}

}  // namespace shoal::agent
