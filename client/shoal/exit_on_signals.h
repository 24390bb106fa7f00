// What Ctrl-C does to a program whose processes are not to be joined first.
//
//   int main(int argc, char** argv) {
//     shoal::Init(&argc, &argv);
//     shoal::ExitOnSignals().IgnoreError();
//
// A signal handler of a program must not call exit(): the signal may have interrupted any function of
// this library, of gRPC or of malloc, whose mutexes exit() needs. This is the handler that may be
// had instead.
//
// Thread-safety: thread-safe. Signals come to whichever thread the kernel chooses.
// Blocking:      never blocks.
#ifndef SHOAL_CLIENT_SHOAL_EXIT_ON_SIGNALS_H_
#define SHOAL_CLIENT_SHOAL_EXIT_ON_SIGNALS_H_

#include "absl/status/status.h"

namespace shoal {

// From here on SIGINT, SIGTERM and SIGHUP, unless they are ignored, end the processes of this
// program, joining none, each as its ProcessOptions::grace says; then the program, by exit(128 +
// signal) on a thread of the library. A second one ends the program at once, by that signal: its
// processes then end when its sessions lapse. In a fork of this program they do what they do without
// a handler. Again: OK, and nothing is done. RESOURCE_EXHAUSTED: no thread could be started; nothing
// was changed. Not before Init(): a template has one thread.
absl::Status ExitOnSignals();

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_EXIT_ON_SIGNALS_H_
