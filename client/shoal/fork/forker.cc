#include "shoal/fork/forker.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <new>

#include "shoal/fork/process_setup.h"
#include "shoal/fork/shared_clone.h"

namespace shoal::forking {
namespace {

using namespace fork_protocol;

constexpr unsigned kCloseRangeCloexec = 4;  // CLOSE_RANGE_CLOEXEC, Linux 5.11
constexpr int kDecimalBytes = 12;

// What M tells T.
struct Report {
  volatile pid_t process;
  const char* volatile stage;  // nullptr: M has executed the shim
  volatile int error_number;
};

// One that M and T both see, whether or not they share all of their memory.
class SharedReport {
 public:
  SharedReport() : report_(&own_) {
    if (CanShareMemory()) return;
    void* const page =
        mmap(nullptr, sizeof(Report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    report_ = page == MAP_FAILED ? nullptr : new (page) Report{};
  }
  ~SharedReport() {
    if (report_ != &own_ && report_ != nullptr) munmap(report_, sizeof(Report));
  }
  SharedReport(const SharedReport&) = delete;
  SharedReport& operator=(const SharedReport&) = delete;

  Report* get() const { return report_; }  // nullptr: no memory
  Report* operator->() const { return report_; }

 private:
  Report own_ = {};
  Report* report_;
};

// As wide as the kernel's set: libc's would keep two signals to itself.
uint64_t SetSignalMask(uint64_t mask) {
  uint64_t previous = 0;
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, &previous, sizeof(mask));
  return previous;
}

[[noreturn]] void GiveUpAsyncSafe(Report* report, const char* stage, int error_number) {
  if (report->process > 0) {
    kill(report->process, SIGKILL);
    while (waitpid(report->process, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  report->error_number = error_number;
  report->stage = stage;
  _exit(127);
}

bool MakePipeAsyncSafe(Pipe* made) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return false;
  made->read_end = RaiseAsyncSafe(ends[0]);
  made->write_end = RaiseAsyncSafe(ends[1]);
  return made->read_end >= 0 && made->write_end >= 0;
}

// In its size from the start, unless an older agent has not told that: then the shim gives it.
bool MakeTerminalAsyncSafe(const ForkPayload& payload, Pipe* made) {
  made->read_end = RaiseAsyncSafe(open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC));
  int locked = 0;
  if (made->read_end < 0 || ioctl(made->read_end, TIOCSPTLCK, &locked) != 0) return false;
  made->write_end =
      RaiseAsyncSafe(ioctl(made->read_end, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  struct termios modes;
  if (made->write_end < 0 || tcgetattr(made->write_end, &modes) != 0) return false;
  modes.c_iflag |= IUTF8;
  const struct winsize size = {static_cast<unsigned short>(payload.rows),
                               static_cast<unsigned short>(payload.columns), 0, 0};
  return tcsetattr(made->write_end, TCSANOW, &modes) == 0 &&
         ioctl(made->read_end, TIOCSWINSZ, &size) == 0;
}

bool MakePlumbingAsyncSafe(const ForkPayload& payload, Plumbing* made) {
  made->null = RaiseAsyncSafe(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (made->null < 0 || !MakePipeAsyncSafe(&made->start)) return false;
  if (payload.result && !MakePipeAsyncSafe(&made->result)) return false;
  if (payload.terminal) return MakeTerminalAsyncSafe(payload, &made->terminal);
  return MakePipeAsyncSafe(&made->out) && (payload.merge_stderr || MakePipeAsyncSafe(&made->err)) &&
         (!payload.input || MakePipeAsyncSafe(&made->input));
}

// Gives the shim its descriptors and no other. Returns that of its program, or -1 with errno.
int PlaceDescriptorsAsyncSafe(const ForkOrder& order, const Plumbing& plumbing) {
  int sent[kSentWithCgroup];
  for (int i = 0; i < kSentWithCgroup; ++i) {
    sent[i] = i < kSentWithoutCgroup || order.has_cgroup ? order.sent[i] : -1;
    if (sent[i] < 0 || sent[i] >= kLowestOwnFd) continue;
    sent[i] = fcntl(sent[i], F_DUPFD_CLOEXEC, kLowestOwnFd);
    if (sent[i] < 0) return -1;
  }
  const bool has_terminal = plumbing.terminal.read_end >= 0;
  const int sources[kLowestOwnFd] = {
      plumbing.null,
      plumbing.null,
      plumbing.null,
      sent[kSentRecord],
      sent[kSentReport],
      sent[kSentOutput],
      sent[kSentCgroup],
      has_terminal ? plumbing.terminal.read_end : plumbing.out.read_end,
      plumbing.err.read_end,
      plumbing.result.read_end,
      plumbing.start.read_end,
      sent[kSentShimCgroup],
      has_terminal ? plumbing.terminal.write_end : plumbing.input.write_end};
  static_assert(kRecordFd == 3 && kReportFd == 4 && kOutputFd == 5 && kCgroupFd == 6 &&
                kStdoutFd == 7 && kStderrFd == 8 && kResultFd == 9 && kStartFd == 10 &&
                kShimCgroupFd == 11 && kInputFd == 12);
  for (int place = 0; place < kLowestOwnFd; ++place) {
    if (sources[place] < 0) {
      close(place);
    } else if (dup2(sources[place], place) < 0) {
      return -1;
    }
  }
  if (syscall(SYS_close_range, kLowestOwnFd, ~0u, kCloseRangeCloexec) != 0) return -1;
  return sent[kSentShim];
}

void WriteDecimalAsyncSafe(pid_t number, char (&text)[kDecimalBytes]) {
  char* at = text + kDecimalBytes;
  *--at = 0;
  for (; number > 0; number /= 10) *--at = static_cast<char>('0' + number % 10);
  for (char* to = text; (*to = *at) != 0; ++to) ++at;
}

[[noreturn]] void ExecuteShimAsyncSafe(const ForkOrder& order, const Plumbing& plumbing,
                                       Report* report) {
  char process[kDecimalBytes];
  WriteDecimalAsyncSafe(report->process, process);
  const int shim = PlaceDescriptorsAsyncSafe(order, plumbing);
  if (shim < 0) GiveUpAsyncSafe(report, kStagePipe, errno);
  const char* const argv[] = {"shoal-shim", order.slot, kAdoptFlag, process, nullptr};
  const char* const env[] = {nullptr};
  syscall(SYS_execveat, shim, "", argv, env, AT_EMPTY_PATH);
  GiveUpAsyncSafe(report, kStageShim, errno);
}

// All that M does. Returns in F only.
[[gnu::noinline]] void BecomeShimAsyncSafe(const ForkOrder& order, Plumbing* plumbing,
                                           Report* report) {
  // M must see the end of F, F shall have T's disposition.
  struct sigaction by_default = {};
  struct sigaction previous;
  by_default.sa_handler = SIG_DFL;
  sigaction(SIGCHLD, &by_default, &previous);
  if (!MakePlumbingAsyncSafe(*order.payload, plumbing)) GiveUpAsyncSafe(report, kStagePipe, errno);
  plumbing->shim = getpid();
  // What F leaves behind before the shim runs is reaped by the shim, not by the reaper of T's
  // orphans.
  if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) GiveUpAsyncSafe(report, kStageFork, errno);
  const pid_t process = fork();
  if (process == 0) {
    DieWithShimAsyncSafe(plumbing->shim);
    sigaction(SIGCHLD, &previous, nullptr);
    return;
  }
  if (process < 0) GiveUpAsyncSafe(report, kStageFork, errno);
  report->process = process;
  setsid();  // F has not waited for it
  ExecuteShimAsyncSafe(order, *plumbing, report);
}

// PID of M, or -errno; 0 in F. M, in which the clone says 0 as well, does not return.
[[gnu::noinline]] long CloneOnce(clone_args* arguments, bool share, const ForkOrder& order,
                                 Plumbing* plumbing, Report* report) {
  long pid;
  if (share) {
    pid = ShoalSharedClone(arguments, sizeof(*arguments));
  } else {
    pid = syscall(SYS_clone3, arguments, sizeof(*arguments));
    if (pid < 0) pid = -errno;
  }
  if (pid == 0) BecomeShimAsyncSafe(order, plumbing, report);
  return pid;
}

long Clone(const ForkOrder& order, bool as_sibling, Plumbing* plumbing, Report* report) {
  const bool share = CanShareMemory();
  clone_args arguments = {};
  arguments.flags = CLONE_VFORK;
  // A sibling's end is told as this process's own would be. A child's end is told by no signal
  // while it is M; execve makes that SIGCHLD.
  if (as_sibling) arguments.flags |= CLONE_PARENT;
  if (share) arguments.flags |= CLONE_VM;
  if (order.has_cgroup) {
    arguments.flags |= CLONE_INTO_CGROUP;
    arguments.cgroup = static_cast<uint64_t>(order.sent[kSentCgroup]);
  }
  return CloneOnce(&arguments, share, order, plumbing, report);
}

}  // namespace

ForkOutcome Fork(const ForkOrder& order) {
  ForkOutcome outcome;
  const SharedReport report;
  if (report.get() == nullptr) {
    outcome.stage = kStageFork;
    outcome.error_number = ENOMEM;
    return outcome;
  }
  const uint64_t mask = SetSignalMask(~uint64_t{0});
  bool as_sibling = order.as_sibling;
  long shim = Clone(order, as_sibling, &outcome.plumbing, report.get());
  if (shim == -EINVAL && as_sibling) {  // the init of a PID namespace has no siblings
    as_sibling = false;
    shim = Clone(order, as_sibling, &outcome.plumbing, report.get());
  }
  if (shim == 0) {
    outcome.where = ForkOutcome::Where::kForked;
    return outcome;
  }
  SetSignalMask(mask);
  if (shim > 0 && !as_sibling) outcome.child = static_cast<pid_t>(shim);
  outcome.process = report->process;
  outcome.stage = shim < 0 ? kStageFork : report->stage;
  outcome.error_number = shim < 0 ? static_cast<int>(-shim) : report->error_number;
  if (outcome.stage == nullptr && outcome.process > 0) {
    outcome.where = ForkOutcome::Where::kParent;
  } else if (outcome.stage == nullptr) {
    outcome.stage = kStageFork;  // M was killed
  }
  return outcome;
}

}  // namespace shoal::forking
