// Ctrl-C and its kin, handed to a thread that may do what a signal handler may not. Until Deliver() a signal ends
// the program at once, as it would have without this: nothing was started that could be left behind.
//
// Ownership:     the caller's. The destructor ends the thread; from then on signals that mean an end do what they did
//                before; the others stay blocked.
// Thread-safety: construct on the main thread before any other thread is there, so that all inherit
//                the mask.
// Blocking:      Deliver(), Over() and the destructor while a handler runs, which is on a thread of its own.
#ifndef SHOAL_CLIENT_CLI_INTERRUPTS_H_
#define SHOAL_CLIENT_CLI_INTERRUPTS_H_

#include <signal.h>

#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "common/mutex.h"
#include "common/unique_fd.h"

namespace shoal::cli {

class Interrupts {
 public:
  enum class Take {
    kEnds,  // SIGINT, SIGQUIT, SIGTERM and SIGHUP
    // These, SIGTSTP, and those that are for the processes: SIGUSR1, SIGUSR2, SIGALRM, SIGWINCH, SIGURG, SIGCONT.
    // SIGTTIN and SIGTTOU are blocked besides: a job in the background is not stopped for looking at its terminal.
    kMessages,
  };
  // They are blocked from now on, SIGPIPE is ignored.
  explicit Interrupts(Take take);
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  static bool MeansAnEnd(int signal);
  // For the handler, which has to call it for a SIGTSTP: stops this program as that does, until it is continued, and
  // takes the SIGCONT that did that; at once if that has come already. False: it was not stopped, as in a group that
  // nobody could continue.
  static bool StopHere();
  // Calls `handler` with the number of each signal from now on; of those before, messages are lost. It calls nothing of this but AwaitOver().
  // `in_pauses`: called besides, once a signal has come, whenever none has for kPause.
  static constexpr absl::Duration kPause = absl::Milliseconds(500);
  void Deliver(
      std::function<void(int signal)> handler, std::function<void()> in_pauses = [] {});
  // What a signal could end has ended. Waits for the handler to say what it has to say to earlier signals, so that
  // nothing comes in front of it.
  void Over();
  // For the handler: waits for Over(). False: it was not called, after `timeout`.
  bool AwaitOver(absl::Duration timeout) const;

 private:
  void Loop();

  sigset_t ends_;     // of what is blocked here, those that mean an end
  UniqueFd signals_;  // signalfd
  UniqueFd stop_;     // the same of SIGTSTP, which is never read: see StopHere()
  UniqueFd over_;     // eventfd, readable after Over()
  UniqueFd end_;      // the same, when the thread is to end
  Mutex mu_;
  std::function<void(int)> handler_ ABSL_GUARDED_BY(mu_);
  std::function<void()> in_pauses_ ABSL_GUARDED_BY(mu_) = [] {};
  std::thread thread_;
};

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_INTERRUPTS_H_
