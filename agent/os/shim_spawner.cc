#include "agent/os/shim_spawner.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/memory/memory.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "agent/os/descriptor.h"
#include "agent/record/adopting_shim.h"
#include "agent/record/orders.h"
#include "agent/record/record_layout.h"
#include "common/status.h"

namespace shoal::agent {
namespace {

// The child runs in the agent's memory: no sanitizer may think that a thread of the agent did this.
#define SHOAL_IN_CHILD __attribute__((no_sanitize("address", "thread", "undefined")))

constexpr int kSignals = 64;
constexpr int kUnsetExit = 127;

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

// The libc's functions are not used in the child: sanitizers intercept them.
SHOAL_IN_CHILD int ResetSignalsAsyncSafe() {
  const uint64_t none[4] = {};  // handler (SIG_DFL), flags, restorer, mask, as the kernel has them
  for (int number = 1; number <= kSignals; ++number) {
    syscall(SYS_rt_sigaction, number, none, nullptr, sizeof(none[0]));
  }
  return 0;
}

}  // namespace

// What the child is told, and what it tells: it runs in the agent's memory while the agent waits.
struct ShimSpawner::Child {
  struct Move {
    int from = -1;
    int to = -1;
  };

  std::array<Move, 3 + kPlaces> moves;
  size_t count = 0;
  unsigned first_unneeded = 0;  // descriptor
  bool shares_table = false;
  const char* program = nullptr;
  char* const* argv = nullptr;
  char* const* env = nullptr;

  int error = 0;
  bool could_not_leave = false;  // `error` is that of close_range

  void Give(int own, int shim) { moves[count++] = {own, shim}; }
};

std::string ShownName(const ShimStart& start) {
  return TellsOfWords(start.name, start.argv) ? std::string() : start.name;
}

ShimSpawner::ShimSpawner(UniqueFd binary, UniqueFd null, UniqueFd error, std::string program)
    : binary_(std::move(binary)),
      null_(std::move(null)),
      error_(std::move(error)),
      program_(std::move(program)),
      stack_(std::make_unique<std::byte[]>(kStackBytes)) {}

absl::StatusOr<std::unique_ptr<ShimSpawner>> ShimSpawner::Open(const std::string& shim_path) {
  SHOAL_ASSIGN_OR_RETURN(UniqueFd binary, OpenAt(AT_FDCWD, shim_path, O_RDONLY));
  struct stat facts {};
  if (fstat(binary.get(), &facts) != 0 || !S_ISREG(facts.st_mode) ||
      faccessat(AT_FDCWD, shim_path.c_str(), X_OK, 0) != 0) {
    return absl::FailedPreconditionError(absl::StrCat(shim_path, " is not an executable file"));
  }
  SHOAL_ASSIGN_OR_RETURN(UniqueFd null, OpenAt(AT_FDCWD, "/dev/null", O_RDWR));
  SHOAL_ASSIGN_OR_RETURN(UniqueFd error, DuplicateStderr());
  // The child has the binary at the same number until its execve, though it is close-on-exec.
  std::string program = absl::StrCat("/proc/self/fd/", binary.get());
  if (access(program.c_str(), X_OK) != 0) program = shim_path;
  auto spawner = absl::WrapUnique(
      new ShimSpawner(std::move(binary), std::move(null), std::move(error), std::move(program)));
  SHOAL_RETURN_IF_ERROR(spawner->Reserve());
  return spawner;
}

absl::Status ShimSpawner::Reserve() {
  for (UniqueFd& place : places_) {
    if (place) continue;
    place = UniqueFd(fcntl(null_.get(), F_DUPFD_CLOEXEC, kLowestOwnFd));
    if (!place) return ErrnoStatus(errno, "reserve descriptors for shims");
  }
  return absl::OkStatus();
}

absl::Status ShimSpawner::Stage(const ShimDescriptors& descriptors, Child* child) {
  const Child::Move given[kPlaces] = {
      {descriptors.record, record::kRecordFd}, {descriptors.report, record::kReportFd},
      {descriptors.output, record::kOutputFd}, {descriptors.payload, record::kPayloadFd},
      {descriptors.cgroup, record::kCgroupFd}, {descriptors.orders, record::kOrdersFd}};
  SHOAL_RETURN_IF_ERROR(Reserve());
  child->Give(null_.get(), STDIN_FILENO);
  child->Give(null_.get(), STDOUT_FILENO);
  child->Give(error_.get(), STDERR_FILENO);
  int highest = std::max({binary_.get(), null_.get(), error_.get()});
  for (size_t i = 0; i < kPlaces; ++i) {
    if (given[i].from < 0) continue;
    const int place = places_[i].get();
    if (dup3(given[i].from, place, O_CLOEXEC) < 0) return ErrnoStatus(errno, "dup3");
    child->Give(place, given[i].to);
    highest = std::max(highest, place);
  }
  child->first_unneeded = static_cast<unsigned>(highest) + 1;
  return absl::OkStatus();
}

// A place that kept the record's descriptor would keep the slot locked.
void ShimSpawner::Unstage() {
  for (UniqueFd& place : places_) {
    if (dup3(null_.get(), place.get(), O_CLOEXEC) < 0) place.Reset();
  }
}

// As the child of vfork(2): the agent's memory, a stack of its own, until execve or _exit.
SHOAL_IN_CHILD int ShimSpawner::RunChildAsyncSafe(void* argument) {
  Child& child = *static_cast<Child*>(argument);
  // Until this has succeeded each change would be one of the agent's table.
  if (child.shares_table &&
      syscall(SYS_close_range, child.first_unneeded, ~0u, CLOSE_RANGE_UNSHARE) != 0) {
    child.could_not_leave = true;
    child.error = errno;
    syscall(SYS_exit_group, kUnsetExit);
  }
  ResetSignalsAsyncSafe();
  for (size_t i = 0; i < child.count; ++i) {
    if (syscall(SYS_dup3, child.moves[i].from, child.moves[i].to, 0) < 0) {
      child.error = errno;
      syscall(SYS_exit_group, kUnsetExit);
    }
  }
  syscall(SYS_execve, child.program, child.argv, child.env);
  child.error = errno;
  syscall(SYS_exit_group, kUnsetExit);
  return 0;
}

// All signals are blocked in the child from its beginning: a handler of the agent must not run there.
int ShimSpawner::Clone(Child* child, pid_t* pid) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const int flags = CLONE_VM | CLONE_VFORK | SIGCHLD | (child->shares_table ? CLONE_FILES : 0);
  *pid = clone(RunChildAsyncSafe, stack_.get() + kStackBytes, flags, child);
  const int error = *pid < 0 ? errno : child->error;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (*pid > 0 && error != 0) waitpid(*pid, nullptr, 0);
  return error;
}

absl::StatusOr<pid_t> ShimSpawner::Spawn(int slot, const ShimStart& start,
                                         const ShimDescriptors& descriptors) {
  std::vector<std::string> words = {absl::StrCat(slot), start.id};
  std::string name = ShownName(start);
  const bool stays = descriptors.orders >= 0;
  if (stays || !name.empty()) words.push_back(std::move(name));
  if (stays) words.emplace_back(record::kTitle);
  return Execute(words, descriptors);
}

absl::StatusOr<pid_t> ShimSpawner::SpawnIdle(int slot, const ShimDescriptors& descriptors) {
  return Execute({absl::StrCat(slot), record::kIdleFlag, record::kTitle}, descriptors);
}

absl::StatusOr<pid_t> ShimSpawner::Execute(const std::vector<std::string>& words,
                                           const ShimDescriptors& descriptors) {
  std::vector<char*> argv = {const_cast<char*>(record::kShimName)};
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  char* const env[] = {nullptr};
  Child child;
  child.program = program_.c_str();
  child.argv = argv.data();
  child.env = env;
  pid_t pid = 0;
  absl::Status staged = Stage(descriptors, &child);
  if (staged.ok()) {
    child.shares_table = can_leave_;
    int error = Clone(&child, &pid);
    if (child.could_not_leave && (error == ENOSYS || error == EPERM || error == EINVAL)) {
      can_leave_ = child.shares_table = child.could_not_leave = false;
      child.error = 0;
      error = Clone(&child, &pid);
    }
    if (error != 0) staged = ErrnoStatus(error, absl::StrCat("start of the shim of ", words[1]));
  }
  Unstage();
  if (!staged.ok()) return staged;
  return pid;
}

}  // namespace shoal::agent
