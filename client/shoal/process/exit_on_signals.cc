#include "shoal/exit_on_signals.h"

#include <errno.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <system_error>
#include <thread>

#include "absl/strings/string_view.h"
#include "common/mutex.h"
#include "common/status.h"
#include "shoal/process/program.h"

namespace shoal {
namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};
constexpr int kStderrMilliseconds = 200;
constexpr absl::string_view kLeft =
    "shoal: ended at once; processes of this program that have not ended yet will be when its "
    "sessions lapse\n";

pid_t owner = 0;
std::atomic<int> first_signal{0};
sem_t has_signal;

// It comes again when the handler returns, and then nothing handles it.
void EndBy(int signal) {
  ::signal(signal, SIG_DFL);
  raise(signal);
}

void OnSignal(int signal) {
  const int error = errno;
  int none = 0;
  if (getpid() != owner) {
    EndBy(signal);
  } else if (first_signal.compare_exchange_strong(none, signal)) {
    sem_post(&has_signal);
  } else {
    pollfd room = {STDERR_FILENO, POLLOUT, 0};
    if (poll(&room, 1, kStderrMilliseconds) == 1) {
      [[maybe_unused]] ssize_t written = write(STDERR_FILENO, kLeft.data(), kLeft.size());
    }
    EndBy(signal);
  }
  errno = error;
}

void EndAfterSignal() {
  while (sem_wait(&has_signal) != 0) {
  }
  if (absl::Status ended = Program::Get().EndBySignal(); !ended.ok()) {
    std::fprintf(stderr, "shoal: %s\n", std::string(ended.message()).c_str());
  }
  std::exit(128 + first_signal);
}

}  // namespace

absl::Status ExitOnSignals() {
  static Mutex* const kMu = new Mutex;
  MutexLock lock(kMu);
  if (owner == getpid()) return absl::OkStatus();
  sem_init(&has_signal, /*pshared=*/0, 0);
  first_signal = 0;
  try {
    std::thread(EndAfterSignal).detach();
  } catch (const std::system_error& error) {
    return ErrnoStatus(error.code().value(), "thread for the signals of this program");
  }
  owner = getpid();
  for (int signal : kSignals) {
    struct sigaction action = {};
    if (sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) continue;
    action = {};
    action.sa_handler = OnSignal;
    action.sa_flags = SA_RESTART;
    sigaction(signal, &action, nullptr);
  }
  return absl::OkStatus();
}

}  // namespace shoal
