#include "client/cli/interrupts.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <utility>

namespace shoal::cli {

Interrupts::Interrupts() {
  sigset_t wanted;
  sigemptyset(&wanted);
  for (int number : {SIGINT, SIGTERM, SIGHUP}) {
    // What our parent ignores (nohup, a shell's background job) is not ours to take up again.
    struct sigaction before = {};
    sigaction(number, nullptr, &before);
    if (before.sa_handler != SIG_IGN) sigaddset(&wanted, number);
  }
  pthread_sigmask(SIG_BLOCK, &wanted, nullptr);
  signal(SIGPIPE, SIG_IGN);
  signals_ = UniqueFd(signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
  end_ = UniqueFd(eventfd(0, EFD_CLOEXEC));
}

Interrupts::~Interrupts() {
  if (!thread_.joinable()) return;
  eventfd_write(end_.get(), 1);
  thread_.join();
}

void Interrupts::Deliver(std::function<void(int signal)> handler) {
  thread_ = std::thread([this, handler = std::move(handler)] { Loop(handler); });
}

void Interrupts::Loop(const std::function<void(int)>& handler) {
  for (;;) {
    pollfd waits[2] = {{signals_.get(), POLLIN, 0}, {end_.get(), POLLIN, 0}};
    if (poll(waits, 2, -1) < 0) continue;
    if (waits[1].revents != 0) return;
    signalfd_siginfo info = {};
    if (read(signals_.get(), &info, sizeof(info)) == sizeof(info)) {
      handler(static_cast<int>(info.ssi_signo));
    }
  }
}

}  // namespace shoal::cli
