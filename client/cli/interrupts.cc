#include "client/cli/interrupts.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <system_error>
#include <utility>
#include <vector>

#include "client/cli/leaving.h"

namespace shoal::cli {

namespace {

constexpr int kEnds[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP};
// What a terminal stops a background job with that reads or writes: a read fails instead, a write is done.
constexpr int kTerminalStops[] = {SIGTTIN, SIGTTOU};
constexpr int kMessages[] = {SIGUSR1, SIGUSR2, SIGALRM, SIGWINCH, SIGURG, SIGCONT};

sigset_t Only(int number) {
  sigset_t only;
  sigemptyset(&only);
  sigaddset(&only, number);
  return only;
}

// By our parent (nohup, a shell's background job): not ours to take up again.
bool IsIgnored(int number) {
  struct sigaction before = {};
  sigaction(number, nullptr, &before);
  return before.sa_handler == SIG_IGN;
}

// What a signal does to a program that has started nothing.
void DoAsUsual(int number) {
  if (Interrupts::MeansAnEnd(number)) DieBySignal(number);
  if (number == SIGTSTP) Interrupts::StopHere();
}

}  // namespace

bool Interrupts::MeansAnEnd(int signal) {
  return std::find(std::begin(kEnds), std::end(kEnds), signal) != std::end(kEnds);
}

// The signal has been seen and not taken: it is pending until it is let through here, and a SIGCONT takes it back. To
// raise one of our own would take away a SIGCONT that came just before it.
bool Interrupts::StopHere() {
  const sigset_t stop = Only(SIGTSTP);
  const sigset_t go_on = Only(SIGCONT);
  const timespec at_once = {};
  pthread_sigmask(SIG_UNBLOCK, &stop, nullptr);
  pthread_sigmask(SIG_BLOCK, &stop, nullptr);
  return sigtimedwait(&go_on, nullptr, &at_once) == SIGCONT;
}

Interrupts::Interrupts(Take take) : handler_(DoAsUsual) {
  sigset_t wanted;
  sigemptyset(&wanted);
  std::vector<int> numbers(std::begin(kEnds), std::end(kEnds));
  if (take == Take::kMessages) {
    numbers.insert(numbers.end(), std::begin(kMessages), std::end(kMessages));
  }
  for (int number : numbers) {
    if (!IsIgnored(number)) sigaddset(&wanted, number);
  }
  sigset_t before;
  pthread_sigmask(SIG_BLOCK, nullptr, &before);
  sigemptyset(&ends_);
  for (const int number : kEnds) {
    const bool is_ours = sigismember(&wanted, number) == 1 && sigismember(&before, number) == 0;
    if (is_ours) sigaddset(&ends_, number);
  }
  if (take == Take::kMessages) {
    sigset_t stops;
    sigemptyset(&stops);
    for (const int number : kTerminalStops) sigaddset(&stops, number);
    pthread_sigmask(SIG_BLOCK, &stops, nullptr);
  }
  sigset_t stop;
  sigemptyset(&stop);
  if (take == Take::kMessages && !IsIgnored(SIGTSTP)) sigaddset(&stop, SIGTSTP);
  pthread_sigmask(SIG_BLOCK, &wanted, nullptr);
  pthread_sigmask(SIG_BLOCK, &stop, nullptr);
  signal(SIGPIPE, SIG_IGN);
  signals_ = UniqueFd(signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
  stop_ = UniqueFd(signalfd(-1, &stop, SFD_CLOEXEC | SFD_NONBLOCK));
  over_ = UniqueFd(eventfd(0, EFD_CLOEXEC));
  end_ = UniqueFd(eventfd(0, EFD_CLOEXEC));
  try {
    thread_ = std::thread([this] { Loop(); });
  } catch (const std::system_error&) {
    // Without a thread they do what they do to any program.
    pthread_sigmask(SIG_UNBLOCK, &wanted, nullptr);
    pthread_sigmask(SIG_UNBLOCK, &stop, nullptr);
  }
}

Interrupts::~Interrupts() {
  eventfd_write(end_.get(), 1);
  if (thread_.joinable()) thread_.join();
  // Nobody takes them any more, and what is still to be written may have no reader.
  pthread_sigmask(SIG_UNBLOCK, &ends_, nullptr);
}

void Interrupts::Deliver(std::function<void(int signal)> handler, std::function<void()> in_pauses) {
  MutexLock lock(&mu_);
  handler_ = std::move(handler);
  in_pauses_ = std::move(in_pauses);
}

void Interrupts::Over() {
  eventfd_write(over_.get(), 1);
  MutexLock lock(&mu_);
}

bool Interrupts::AwaitOver(absl::Duration timeout) const {
  pollfd wait = {over_.get(), POLLIN, 0};
  return poll(&wait, 1, static_cast<int>(absl::ToInt64Milliseconds(timeout))) == 1;
}

void Interrupts::Loop() {
  int pause_ms = -1;  // no signal has come yet
  for (;;) {
    pollfd waits[3] = {
        {signals_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}, {end_.get(), POLLIN, 0}};
    const int ready = poll(waits, 3, pause_ms);
    if (ready < 0) continue;
    if (waits[2].revents != 0) return;
    if (ready == 0) {
      MutexLock lock(&mu_);
      in_pauses_();
      continue;
    }
    signalfd_siginfo info = {};
    const bool is_read = read(signals_.get(), &info, sizeof(info)) == sizeof(info);
    if (!is_read && waits[1].revents == 0) continue;
    pause_ms = static_cast<int>(absl::ToInt64Milliseconds(kPause));
    MutexLock lock(&mu_);
    handler_(is_read ? static_cast<int>(info.ssi_signo) : SIGTSTP);
  }
}

}  // namespace shoal::cli
