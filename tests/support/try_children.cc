#include "tests/support/try_children.h"

#include <errno.h>
#include <linux/sched.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace shoal::testing {
namespace {

// A child that ends at once; in the parent, errno of why there is none, or 0.
int EndChild(long pid) {
  if (pid == 0) _exit(0);
  if (pid < 0) return errno;
  waitpid(static_cast<pid_t>(pid), nullptr, 0);
  return 0;
}

int Clone3() {
  struct clone_args args = {};
  args.exit_signal = SIGCHLD;
  return EndChild(syscall(SYS_clone3, &args, sizeof(args)));
}

int Spawn() {
  char* argv[] = {const_cast<char*>("true"), nullptr};
  pid_t pid = 0;
  const int error = posix_spawn(&pid, "/bin/true", nullptr, nullptr, argv, environ);
  if (error == 0) waitpid(pid, nullptr, 0);
  return error;
}

int Thread() {
  pthread_t thread;
  const auto idle = [](void*) -> void* { return nullptr; };
  const int error = pthread_create(&thread, nullptr, idle, nullptr);
  if (error == 0) pthread_join(thread, nullptr);
  return error;
}

void Say(const char* way, int error) { printf("%s=%d\n", way, error); }

}  // namespace

void TryChildren() {
  fflush(stdout);
  Say("fork", EndChild(fork()));
  fflush(stdout);
  Say("clone", EndChild(syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr)));
  fflush(stdout);
  Say("clone3", Clone3());
#ifdef __x86_64__
  fflush(stdout);
  Say("sys_fork", EndChild(syscall(SYS_fork)));
  fflush(stdout);
  Say("x32_fork", EndChild(syscall(0x40000000 + SYS_fork)));
#endif
  Say("posix_spawn", Spawn());
  Say("system", WEXITSTATUS(system("true")));  // 127 where no shell can be started
  Say("thread", Thread());
  fflush(stdout);
}

}  // namespace shoal::testing
