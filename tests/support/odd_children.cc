#include "tests/support/odd_children.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace shoal::testing {
namespace {

// Without CLONE_VM: the child has memory of its own, whatever else it shares.
pid_t Clone(int flags) {
  return static_cast<pid_t>(syscall(SYS_clone, flags | SIGCHLD, nullptr, nullptr, nullptr, 0));
}

pid_t ForkTraced() {
  const pid_t pid = fork();
  if (pid == 0) {
    if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(125);
    raise(SIGSTOP);
  } else if (pid > 0) {
    waitpid(pid, nullptr, WUNTRACED);
  }
  return pid;
}

}  // namespace

pid_t ForkAs(const char* kind) {
  if (strcmp(kind, "vfork") == 0) return Clone(CLONE_VFORK);
  if (strcmp(kind, "sibling") == 0) return Clone(CLONE_PARENT);
  if (strcmp(kind, "traced") == 0) return ForkTraced();
  errno = EINVAL;
  return -1;
}

}  // namespace shoal::testing
