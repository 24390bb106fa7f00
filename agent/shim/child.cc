#include "agent/shim/child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/shim/clock.h"
#include "agent/shim/proc.h"
#include "common/forbid_children.h"

namespace shoal::shim {
namespace {

using record::Stage;

constexpr int kSignals = 64;
constexpr int64_t kTickNs = 10 * kMillisecond;  // USER_HZ is 100 in the kernel's interface
constexpr int kBusyRetries = 3;                 // ETXTBSY: the program is still open for writing
constexpr unsigned kCloseRangeCloexec = 4;      // CLOSE_RANGE_CLOEXEC, Linux 5.11

[[noreturn]] void FailAsyncSafe(int start_pipe, Stage stage, int error_number) {
  const StartError error = {stage, error_number};
  [[maybe_unused]] ssize_t written = write(start_pipe, &error, sizeof(error));
  _exit(127);  // not reported: the shim reports the StartError
}

// Handlers are cleared by CLONE_CLEAR_SIGHAND, and the shim ignores nothing (UnignoreSignals).
void UnblockSignalsAsyncSafe() {
  const uint64_t none = 0;
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, sizeof(none));
}

void SetSoftLimitAsyncSafe(int resource, uint64_t soft) {
  struct rlimit limit;
  if (getrlimit(resource, &limit) != 0) return;
  limit.rlim_cur = soft < limit.rlim_max ? soft : limit.rlim_max;
  setrlimit(resource, &limit);
}

int ExecuteAsyncSafe(const char* path, char** argv) {
  const struct timespec pause = {0, static_cast<long>(10 * kMillisecond)};
  for (int attempt = 0;; ++attempt) {
    execve(path, argv, environ);
    if (errno != ETXTBSY || attempt == kBusyRetries) return errno;
    nanosleep(&pause, nullptr);
  }
}

// As execvp(3), by the PATH of the process's own environment, but never through a shell. Returns
// why not.
int SearchAndExecuteAsyncSafe(char** argv) {
  const char* name = argv[0];
  if (*name == 0) return ENOENT;
  if (strchr(name, '/') != nullptr) return ExecuteAsyncSafe(name, argv);
  const char* path = getenv("PATH");
  if (path == nullptr) path = "/bin:/usr/bin";
  int verdict = ENOENT;
  for (;; ++path) {
    const size_t length = strcspn(path, ":");
    char candidate[PATH_MAX];
    const int size = snprintf(candidate, sizeof(candidate), "%.*s%s%s", static_cast<int>(length),
                              path, length > 0 ? "/" : "", name);
    const int error = size < PATH_MAX ? ExecuteAsyncSafe(candidate, argv) : ENAMETOOLONG;
    if (error == EACCES) verdict = EACCES;
    const bool next = error == EACCES || error == ENOENT || error == ENOTDIR;
    if (!next && error != ESTALE && error != ENAMETOOLONG) return error;
    path += length;
    if (*path == 0) return verdict;
  }
}

// 0, or why not. A FIFO is waited for, as an open(2) of the program itself would.
int OpenInputAsyncSafe(const ChildPlan& plan) {
  const char* const path = plan.command.input();
  if (plan.stdin_fd < 0 && path == nullptr) return 0;
  const int fd = plan.stdin_fd >= 0 ? plan.stdin_fd : open(path, O_RDONLY | O_NOCTTY | O_CLOEXEC);
  return fd < 0 || dup2(fd, STDIN_FILENO) < 0 ? errno : 0;
}

[[noreturn]] void RunChildAsyncSafe(const ChildPlan& plan, const int (&start_ends)[2], pid_t shim) {
  const int start_pipe = start_ends[1];
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != shim) _exit(127);  // the shim died before the line above
  close(record::kRecordFd);           // the slot's lock is the shim's life, not ours
  setsid();
  if (dup2(plan.stdout_fd, STDOUT_FILENO) < 0 || dup2(plan.stderr_fd, STDERR_FILENO) < 0) {
    FailAsyncSafe(start_pipe, Stage::kPipe, errno);
  }
  int last = STDERR_FILENO;
  if (plan.result_fd >= 0) last = dup2(plan.result_fd, fork_protocol::kProcessResultFd);
  if (last < 0) FailAsyncSafe(start_pipe, Stage::kPipe, errno);
  syscall(SYS_close_range, last + 1, ~0u, kCloseRangeCloexec);
  UnblockSignalsAsyncSafe();
  umask(022);
  if (plan.nofile_soft != 0) SetSoftLimitAsyncSafe(RLIMIT_NOFILE, plan.nofile_soft);
  SetSoftLimitAsyncSafe(RLIMIT_CORE, plan.core_soft);
  const char* const cwd = plan.command.cwd();
  if (cwd != nullptr && chdir(cwd) != 0) FailAsyncSafe(start_pipe, Stage::kChdir, errno);
  const int no_input = OpenInputAsyncSafe(plan);
  if (no_input != 0) FailAsyncSafe(start_pipe, Stage::kInput, no_input);
  if (plan.has_terminal && ioctl(STDIN_FILENO, TIOCSCTTY, 0) != 0) {
    FailAsyncSafe(start_pipe, Stage::kTerminal, errno);
  }
  const int forbidden = plan.forbid_children ? ForbidChildrenAsyncSafe() : 0;
  if (forbidden != 0) FailAsyncSafe(start_pipe, Stage::kProcess, forbidden);
  environ = plan.command.env();
  // The shim's end is the same open file: it sees there that execve was reached, which an end of the pipe does not tell.
  fcntl(start_ends[0], F_SETFL, O_NONBLOCK);
  FailAsyncSafe(start_pipe, Stage::kExec, SearchAndExecuteAsyncSafe(plan.command.argv()));
}

pid_t Clone(int cgroup_fd) {
  struct clone_args args = {};
  args.flags = CLONE_CLEAR_SIGHAND;
  args.exit_signal = SIGCHLD;
  if (cgroup_fd >= 0) {
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = static_cast<uint64_t>(cgroup_fd);
  }
  return static_cast<pid_t>(syscall(SYS_clone3, &args, sizeof(args)));
}

}  // namespace

// The libc's sigaction keeps some signals to itself; the kernel's (handler, flags, restorer, mask)
// none.
void UnignoreSignals() {
  const uint64_t by_default[4] = {};
  for (int number = 1; number <= kSignals; ++number) {
    uint64_t action[4] = {};
    syscall(SYS_rt_sigaction, number, nullptr, action, sizeof(action[3]));
    if (action[0] != reinterpret_cast<uint64_t>(SIG_IGN)) continue;
    syscall(SYS_rt_sigaction, number, by_default, nullptr, sizeof(by_default[3]));
  }
}

StartError StartChild(const ChildPlan& plan, Child* child) {
  int start_pipe[2];
  if (pipe2(start_pipe, O_CLOEXEC) != 0) return {Stage::kPipe, errno};
  const pid_t shim = getpid();
  const int64_t before = BootNow();
  pid_t pid = Clone(plan.cgroup_fd);
  const bool may_do_without = plan.cgroup_fd >= 0 && !plan.needs_cgroup;
  if (pid < 0 && may_do_without && errno != EAGAIN && errno != ENOMEM) {
    child->outside_cgroup = true;
    pid = Clone(-1);
  }
  if (pid == 0) RunChildAsyncSafe(plan, start_pipe, shim);
  const int error_number = errno;
  close(start_pipe[1]);
  if (pid < 0) {
    close(start_pipe[0]);
    return {Stage::kFork, error_number};
  }
  child->pid = pid;
  child->start_pipe = start_pipe[0];
  child->start_ticks = StartTicksBetween(before, BootNow(), pid);
  return {};
}

StartError FinishStart(Child* child) {
  const bool is_reached = (fcntl(child->start_pipe, F_GETFL) & O_NONBLOCK) != 0;
  StartError error;
  if (read(child->start_pipe, &error, sizeof(error)) != sizeof(error)) {
    error = is_reached ? StartError{} : StartError{Stage::kProcess, ECANCELED};
  }
  close(child->start_pipe);
  child->start_pipe = -1;
  return error;
}

uint64_t StartTicksBetween(int64_t before, int64_t after, pid_t pid) {
  const bool one_tick = before / kTickNs == after / kTickNs;
  return one_tick ? static_cast<uint64_t>(after / kTickNs) : StatField(pid, 22);
}

StartError AdoptChild(pid_t pid, Child* child) {
  syscall(SYS_close_range, fork_protocol::kInputFd + 1, ~0u, 0);
  syscall(SYS_close_range, record::kRecordFd, ~0u, kCloseRangeCloexec);
  umask(077);  // the template's, and so is the working directory
  [[maybe_unused]] const int moved = chdir("/");
  siginfo_t end;
  const int flags = WEXITED | WNOHANG | WNOWAIT;
  if (waitid(P_PID, static_cast<id_t>(pid), &end, flags) != 0) return {Stage::kSetup, errno};
  // What holds its other end by mistake must not hold us.
  fcntl(fork_protocol::kStartFd, F_SETFL, O_NONBLOCK);
  child->pid = pid;
  child->start_pipe = fork_protocol::kStartFd;
  child->start_ticks = StatField(pid, 22);
  return {};
}

}  // namespace shoal::shim
