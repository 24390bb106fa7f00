// Ctrl-C and its kin, handed to a thread that may do what a signal handler may not.
//
// Ownership:     the caller's. The destructor ends the thread; signals stay blocked.
// Thread-safety: construct on the main thread before any other thread is there, so that all inherit
//                the mask.
// Blocking:      never blocks; the handler runs on a thread of its own.
#ifndef SHOAL_CLIENT_CLI_INTERRUPTS_H_
#define SHOAL_CLIENT_CLI_INTERRUPTS_H_

#include <functional>
#include <thread>

#include "common/unique_fd.h"

namespace shoal::cli {

class Interrupts {
 public:
  // SIGINT, SIGTERM and SIGHUP are blocked from now on, SIGPIPE is ignored.
  Interrupts();
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  // Calls `handler` with the number of each signal from now on, those that came before included.
  void Deliver(std::function<void(int signal)> handler);

 private:
  void Loop(const std::function<void(int)>& handler);

  UniqueFd signals_;  // signalfd
  UniqueFd end_;      // eventfd, readable when the thread is to end
  std::thread thread_;
};

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_INTERRUPTS_H_
