// Signals that tests send to their own process, for the command in it.
#ifndef SHOAL_TESTS_RPC_CLI_BLOCKED_SIGNALS_H_
#define SHOAL_TESTS_RPC_CLI_BLOCKED_SIGNALS_H_

#include <signal.h>

#include <initializer_list>

namespace shoal::testing {

// Before there is any thread, so that none is ended by them.
inline const bool kSignalsAreBlocked = [] {
  sigset_t ours;
  sigemptyset(&ours);
  for (int number : {SIGINT, SIGQUIT, SIGTERM, SIGHUP}) {
    sigaddset(&ours, number);
    signal(number, SIG_DFL);  // what is ignored is left alone by commands
  }
  return pthread_sigmask(SIG_BLOCK, &ours, nullptr) == 0;
}();

}  // namespace shoal::testing

#endif  // SHOAL_TESTS_RPC_CLI_BLOCKED_SIGNALS_H_
