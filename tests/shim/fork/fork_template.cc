// The C++ template of the tests. Flags say what it is before it is forked, the forked process's
// argv what that does; fork_template.py knows the same.
//
// Flags: --open FILE (keeps it open) · --thread (has a second) · --ignore SIGNAL
//        --print TEXT (to stdout, unflushed)
// Verbs: describe · exit N · raise N · print OUT ERR · result TEXT · fork · thread · hang · offer
//        locks (mutexes that know their owner)
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include "shoal/fork_server.h"
#include "tests/shim/fork/facts.h"

namespace {

using shoal::testing::Facts;

int Describe(const shoal::ForkedProcess& process) {
  Facts facts;
  facts.AddDescriptors();
  facts.AddStatus();
  facts.AddCgroup();
  for (const std::string& word : process.argv) facts.Add("arg", word);
  for (char** variable = environ; *variable != nullptr; ++variable) facts.Add("env", *variable);
  char cwd[4096];
  facts.Add("cwd", getcwd(cwd, sizeof(cwd)) != nullptr ? cwd : strerror(errno));
  const mode_t mask = umask(0);
  umask(mask);
  facts.Add("umask", std::to_string(mask));
  rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  facts.Add("nofile", std::to_string(limit.rlim_cur));
  fputs(facts.Text().c_str(), stdout);
  return 0;
}

int TryFork() {
  const pid_t child = fork();
  if (child == 0) _exit(0);
  printf("%s\n", child < 0 ? strerrorname_np(errno) : "forked");
  return child > 0 && waitpid(child, nullptr, 0) != child;
}

// Locks and unlocks a mutex of a kind; what failed, or 0.
int LockOnce(int type, int protocol) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_settype(&attributes, type);
  pthread_mutexattr_setprotocol(&attributes, protocol);
  pthread_mutex_t mutex;
  pthread_mutex_init(&mutex, &attributes);
  int error = pthread_mutex_lock(&mutex);
  if (error == 0 && mutex.__data.__owner != gettid()) error = EOWNERDEAD;
  // An owner that is this thread is recognized, and by the kernel, too.
  if (error == 0 && type == PTHREAD_MUTEX_ERRORCHECK && pthread_mutex_lock(&mutex) != EDEADLK)
    error = EINVAL;
  if (error == 0) error = pthread_mutex_unlock(&mutex);
  return error;
}

int TryLocks() {
  printf("checked %d\n", LockOnce(PTHREAD_MUTEX_ERRORCHECK, PTHREAD_PRIO_NONE));
  printf("inheriting %d\n", LockOnce(PTHREAD_MUTEX_ERRORCHECK, PTHREAD_PRIO_INHERIT));
  printf("tid %d\n", gettid() - getpid());
  // libc believes its own record of the CPU, which the kernel must keep.
  int wrong = 0;
  cpu_set_t allowed;
  sched_getaffinity(0, sizeof(allowed), &allowed);
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    if (sched_setaffinity(0, sizeof(one), &one) == 0 && sched_getcpu() != cpu) ++wrong;
  }
  printf("wrong cpus %d\n", wrong);
  return 0;
}

int Run(const shoal::ForkedProcess& process) {
  const auto word = [&](size_t at) {
    return process.argv.size() > at ? process.argv[at] : std::string();
  };
  const std::string verb = word(1);
  if (verb == "describe") return Describe(process);
  if (verb == "exit") return atoi(word(2).c_str());
  if (verb == "raise") return raise(atoi(word(2).c_str()));
  if (verb == "print")
    return fputs(word(2).c_str(), stdout) < 0 || fputs(word(3).c_str(), stderr) < 0;
  if (verb == "result") return write(3, word(2).data(), word(2).size()) < 0;
  if (verb == "fork") return TryFork();
  if (verb == "thread") return std::thread([] { puts("thread"); }).join(), 0;
  if (verb == "locks") return TryLocks();
  if (verb == "hang") return pause();
  if (verb == "offer") return Run(*shoal::ServeForks());
  return 64;
}

}  // namespace

int main(int argc, char** argv) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // the test is the parent
  shoal::KeepResultDescriptorFree();
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    if (flag == "--open" && open(argv[++i], O_RDONLY) < 0) return 1;
    if (flag == "--print") fputs(argv[++i], stdout);
    if (flag == "--ignore") signal(atoi(argv[++i]), SIG_IGN);
    if (flag == "--thread") std::thread([] { pause(); }).detach();
  }
  absl::StatusOr<shoal::ForkedProcess> forked = shoal::ServeForks();
  if (forked.ok()) return Run(*forked);
  fprintf(stderr, "%s\n", std::string(forked.status().message()).c_str());
  return 9;
}
