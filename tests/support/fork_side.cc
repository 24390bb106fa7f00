#include "tests/support/fork_side.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/record/record_layout.h"

namespace shoal::testing {
namespace {

namespace protocol = fork_protocol;

constexpr int kHighFd = 100;  // above every descriptor of the protocol

int Check(int result, const char* what) {
  if (result >= 0) return result;
  perror(what);
  _exit(125);
}

int Raise(int fd) {
  const int high = Check(fcntl(fd, F_DUPFD_CLOEXEC, kHighFd), "raise");
  close(fd);
  return high;
}

void Place(int fd, int at) {
  Check(dup2(fd, at), "place");
  close(fd);
}

struct Pipe {
  int read_end = -1;
  int write_end = -1;
  void Open() {
    int ends[2];
    Check(pipe2(ends, O_CLOEXEC), "pipe");
    read_end = Raise(ends[0]);
    write_end = Raise(ends[1]);
  }
  // Its master and its slave.
  void OpenTerminal() {
    int locked = 0;
    read_end = Raise(Check(open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC), "/dev/ptmx"));
    Check(ioctl(read_end, TIOCSPTLCK, &locked), "unlock the terminal");
    write_end = Raise(Check(ioctl(read_end, TIOCGPTPEER, O_RDWR | O_NOCTTY), "its other side"));
  }
};

struct Pipes {
  Pipe out, err, result, input, start, terminal;
};

void Enter(int cgroup_fd) {
  const int fd = Check(openat(cgroup_fd, "cgroup.procs", O_WRONLY | O_CLOEXEC), "cgroup.procs");
  Check(static_cast<int>(write(fd, "0", 1)), "enter the cgroup");
  close(fd);
}

// Of a process that is no child.
void AwaitEnd(pid_t pid) {
  const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  struct pollfd watched = {pidfd, POLLIN, 0};
  if (pidfd >= 0) poll(&watched, 1, -1);
  close(pidfd);
}

void TakeNull(int fd) { Place(Raise(Check(open("/dev/null", O_RDWR), "/dev/null")), fd); }

[[noreturn]] void RunF(const ForkSide& side, const Pipes& pipes, pid_t m,
                       const std::function<void()>& run) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != m) _exit(125);
  setsid();
  TakeNull(0);
  if (side.Has("terminal")) {
    for (int fd : {0, 1, 2}) dup2(pipes.terminal.write_end, fd);
    Check(ioctl(0, TIOCSCTTY, 0), "controlling terminal");
  } else {
    if (side.Has("input")) dup2(pipes.input.read_end, 0);
    dup2(pipes.out.write_end, 1);
    dup2(side.Has("merge") ? pipes.out.write_end : pipes.err.write_end, 2);
  }
  syscall(SYS_close_range, 3, protocol::kInputFd, 0);
  if (side.Has("result")) dup2(pipes.result.write_end, protocol::kProcessResultFd);
  const int start = fcntl(pipes.start.write_end, F_DUPFD_CLOEXEC, 2 * kHighFd);
  syscall(SYS_close_range, kHighFd, start - 1, 0);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  if (side.Has("fail-chdir")) {
    const protocol::StartError error = {static_cast<uint32_t>(record::Stage::kChdir), ENOENT};
    Check(static_cast<int>(write(start, &error, sizeof(error))), "start pipe");
    _exit(0);
  }
  if (!side.Has("mute")) close(start);
  run();
  _exit(0);
}

}  // namespace

void BecomeShim(const ForkSide& side, const std::function<void()>& run, pid_t t) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  signal(SIGCHLD, SIG_DFL);
  setsid();
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  if (side.Has("cgroup") && !side.Has("outside")) Enter(protocol::kCgroupFd);
  Pipes pipes;
  for (Pipe* pipe : {&pipes.out, &pipes.err, &pipes.result, &pipes.input, &pipes.start})
    pipe->Open();
  if (side.Has("terminal")) pipes.terminal.OpenTerminal();
  const pid_t m = getpid();
  const pid_t f = Check(fork(), "fork");
  if (f == 0) RunF(side, pipes, m, run);
  if (side.Has("kill-m")) kill(m, SIGKILL);
  for (int fd : {0, 1, 2}) TakeNull(fd);
  const bool has_terminal = side.Has("terminal");
  Place(has_terminal ? pipes.terminal.read_end : pipes.out.read_end, protocol::kStdoutFd);
  if (!side.Has("merge") && !has_terminal) Place(pipes.err.read_end, protocol::kStderrFd);
  if (side.Has("result")) Place(pipes.result.read_end, protocol::kResultFd);
  Place(pipes.start.read_end, protocol::kStartFd);
  if (has_terminal) {
    Place(pipes.terminal.write_end, protocol::kInputFd);
  } else if (side.Has("input")) {
    Place(pipes.input.write_end, protocol::kInputFd);
  }
  syscall(SYS_close_range, kHighFd, ~0u, 0);
  siginfo_t end;
  if (side.Has("await-f")) waitid(P_PID, static_cast<id_t>(f), &end, WEXITED | WNOWAIT);
  if (t > 0) AwaitEnd(t);
  execl(side.shim.c_str(), "shoal-shim", side.slot.c_str(), protocol::kAdoptFlag,
        std::to_string(f).c_str(), nullptr);
  kill(f, SIGKILL);
  _exit(125);
}

void Fork(const ForkSide& side, const std::string& dir, const std::string& cgroup,
          const std::string& refuge, const std::function<void()>& run) {
  struct clone_args args = {};
  args.flags = side.Has("sibling") ? CLONE_PARENT : 0;
  // With CLONE_PARENT the signal is that of T's own end.
  args.exit_signal = side.Has("sibling") ? 0 : SIGCHLD;
  const pid_t t = getpid();
  const pid_t m = Check(static_cast<int>(syscall(SYS_clone3, &args, sizeof(args))), "clone3");
  if (m > 0) return;
  struct Source {
    std::string path;
    int flags;
    int at;
  };
  const Source sources[] = {{dir + "/records", O_RDWR, record::kRecordFd},
                            {dir + "/fifo", O_RDWR | O_NONBLOCK, record::kReportFd},
                            {dir + "/output", O_RDONLY | O_DIRECTORY, record::kOutputFd},
                            {cgroup, O_RDONLY | O_DIRECTORY, record::kCgroupFd},
                            {refuge, O_RDONLY | O_DIRECTORY, protocol::kShimCgroupFd}};
  for (const Source& source : sources) {
    if (source.at >= record::kCgroupFd && !side.Has("cgroup")) continue;
    Place(Raise(Check(open(source.path.c_str(), source.flags), source.path.c_str())), source.at);
  }
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(strtoul(side.slot.c_str(), nullptr, 10) * record::kSlotBytes);
  lock.l_len = record::kSlotBytes;
  Check(fcntl(record::kRecordFd, F_OFD_SETLK, &lock), "lock");
  BecomeShim(side, run, side.Has("await-t") ? t : 0);
}

}  // namespace shoal::testing
