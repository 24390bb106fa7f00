// From the fork to the process: what F of fork_protocol.h does before anything of its own.
//
// Thread-safety: single-threaded process only.
// Blocking:      as long as chdir(2) takes.
// Errors:        a StartError through the start pipe, and the end of this process.
#ifndef SHOAL_CLIENT_SHOAL_FORK_PROCESS_SETUP_H_
#define SHOAL_CLIENT_SHOAL_FORK_PROCESS_SETUP_H_

#include "shoal/fork/fork_request.h"
#include "shoal/fork/plumbing.h"

namespace shoal::forking {

// Ties this process to the life of its shim. The first step, before anything that may take time.
void DieWithShimAsyncSafe(pid_t shim);

// What is ignored now is what main() ignores before Init(), in a fresh image, too; what is ignored
// later, by a preload say, is not ignored in what is forked.
void NoteIgnoredSignals();

// All other steps; closes what is left of the plumbing. The descriptors of the protocol are closed
// already. The environment is `payload.env` itself, which must live as long as the process.
void SetUpProcess(const Plumbing& plumbing, ForkPayload& payload);

}  // namespace shoal::forking

#endif  // SHOAL_CLIENT_SHOAL_FORK_PROCESS_SETUP_H_
