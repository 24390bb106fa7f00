#include "shoal/fork/process_setup.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

#if __has_include(<sys/rseq.h>)
#include <sys/rseq.h>
#endif

#include "common/forbid_children.h"

namespace shoal::forking {
namespace {

// Stages of agent/record/record_layout.h.
constexpr uint32_t kStagePipe = 2;
constexpr uint32_t kStageChdir = 4;
constexpr uint32_t kStageProcess = 6;
constexpr uint32_t kStageInput = 7;
constexpr uint32_t kStageTerminal = 8;

[[noreturn]] void Fail(int start_pipe, uint32_t stage, int error_number) {
  const fork_protocol::StartError error = {stage, error_number};
  [[maybe_unused]] ssize_t written = write(start_pipe, &error, sizeof(error));
  _exit(127);  // not reported: the shim reports the StartError
}

// The kernel takes restartable sequences from a process that shares its parent's memory, and so
// from what that forks; libc, which registered them, does not know and would believe a stale CPU
// number.
void RenewRestartableSequences() {
#ifdef RSEQ_SIG
  constexpr unsigned kOriginalBytes = 32;  // of struct rseq
  if (__rseq_size == 0) return;            // libc has not registered any
  char* const area = static_cast<char*>(__builtin_thread_pointer()) + __rseq_offset;
  const unsigned size = std::max(__rseq_size, kOriginalBytes);
  if (syscall(SYS_rseq, area, size, 0, RSEQ_SIG) != 0 && errno != EBUSY)
    reinterpret_cast<volatile struct rseq*>(area)->cpu_id =
        static_cast<uint32_t>(RSEQ_CPU_ID_REGISTRATION_FAILED);
#endif
}

// Moves `from`, which is above, to its place.
void Place(int from, int place, int start_pipe) {
  if (dup2(from, place) < 0) Fail(start_pipe, kStagePipe, errno);
}

void PlaceDescriptors(const Plumbing& plumbing, const ForkPayload& payload) {
  const int start_pipe = plumbing.start.write_end;
  if (payload.terminal) {
    for (const int place : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
      Place(plumbing.terminal.write_end, place, start_pipe);
    }
    if (ioctl(STDIN_FILENO, TIOCSCTTY, 0) != 0) Fail(start_pipe, kStageTerminal, errno);
  } else {
    Place(payload.input ? plumbing.input.read_end : plumbing.null, STDIN_FILENO, start_pipe);
    Place(plumbing.out.write_end, STDOUT_FILENO, start_pipe);
    Place(payload.merge_stderr ? STDOUT_FILENO : plumbing.err.write_end, STDERR_FILENO, start_pipe);
  }
  if (payload.result) Place(plumbing.result.write_end, fork_protocol::kProcessResultFd, start_pipe);
  close(plumbing.null);
  for (const Pipe& pipe :
       {plumbing.out, plumbing.err, plumbing.result, plumbing.input, plumbing.terminal}) {
    if (pipe.read_end < 0) continue;
    close(pipe.read_end);
    close(pipe.write_end);
  }
  close(plumbing.start.read_end);
}

// In the working directory of the process.
void OpenInput(const ForkPayload& payload, int start_pipe) {
  if (payload.input_file == nullptr) return;
  const int file = open(payload.input_file, O_RDONLY | O_NOCTTY | O_CLOEXEC);
  if (file < 0 || dup2(file, STDIN_FILENO) < 0) Fail(start_pipe, kStageInput, errno);
  if (file != STDIN_FILENO) close(file);
}

void SetDescriptorLimit(uint64_t soft) {
  struct rlimit limit;
  if (soft == 0 || getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = std::min<rlim_t>(soft, limit.rlim_max);
  setrlimit(RLIMIT_NOFILE, &limit);
}

// What T had read or could not write is T's. Looked at first: a page that is not touched is not
// copied.
void DropStaleBuffers() {
#ifdef __GLIBC__
  if (stdin->_IO_read_ptr != stdin->_IO_read_end) __fpurge(stdin);
#else
  __fpurge(stdin);
#endif
  for (FILE* stream : {stdout, stderr}) {
    if (__fpending(stream) > 0) __fpurge(stream);
  }
}

// Calls `visit` with each signal that is ignored.
template <typename Visit>
void ForEachIgnored(Visit visit) {
  for (int signal = 1; signal < NSIG; ++signal) {
    struct sigaction action;
    if (sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) visit(signal);
  }
}

sigset_t ignored_at_init;  // empty: Init() was not called

// A handler is a function that is there in the fork, too; what is ignored would stay so in whatever
// the fork executes.
void HeedSignals() {
  ForEachIgnored([](int ignored) {
    if (sigismember(&ignored_at_init, ignored) == 0) signal(ignored, SIG_DFL);
  });
}

// libc reads the file of its time zone again, which takes longer than the rest of this page, only
// where the variable that names it has changed.
void ReplaceEnvironment(char** env) {
  const char* const before = getenv("TZ");
  environ = env;
  const char* const now = getenv("TZ");
  const bool same = before == nullptr || now == nullptr ? before == now : strcmp(before, now) == 0;
  if (!same) tzset();
}

}  // namespace

void DieWithShimAsyncSafe(pid_t shim) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != shim) _exit(127);  // it died before the line above
}

void NoteIgnoredSignals() {
  ForEachIgnored([](int ignored) { sigaddset(&ignored_at_init, ignored); });
}

void SetUpProcess(const Plumbing& plumbing, ForkPayload& payload) {
  const int start_pipe = plumbing.start.write_end;
  RenewRestartableSequences();
  setsid();
  PlaceDescriptors(plumbing, payload);
  DropStaleBuffers();
  const uint64_t none = 0;
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, sizeof(none));
  HeedSignals();
  umask(022);
  SetDescriptorLimit(payload.nofile);
  if (chdir(payload.cwd) != 0) Fail(start_pipe, kStageChdir, errno);
  OpenInput(payload, start_pipe);
  ReplaceEnvironment(payload.env.data());
  if (payload.forbid_children) {
    const int error = ForbidChildrenAsyncSafe();
    if (error != 0) Fail(start_pipe, kStageProcess, error);
  }
  close(start_pipe);
}

}  // namespace shoal::forking
