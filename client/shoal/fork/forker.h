// Forks this process T by way of M, which becomes the shim of the forked process F.
//
// T → M is a clone that shares T's memory, T being suspended meanwhile; M → F is libc's fork, so
// that atfork handlers, malloc and the thread's id are right in F. So T's page tables are copied
// once, by the fork that is wanted. M runs on T's stack: it changes nothing that T relies on, and
// ends in execve or _exit.
//
// Ownership:     the descriptors stay the caller's; F's copies of them are F's.
// Thread-safety: single-threaded process only.
// Blocking:      until M has executed the shim, about as long as a fork and an execve.
// Errors:        a stage of fork_protocol.h and an errno; nothing is left then.
#ifndef SHOAL_CLIENT_SHOAL_FORK_FORKER_H_
#define SHOAL_CLIENT_SHOAL_FORK_FORKER_H_

#include <sys/types.h>

#include "shoal/fork/fork_request.h"
#include "shoal/fork/plumbing.h"

namespace shoal::forking {

struct ForkOrder {
  int sent[fork_protocol::kSentWithCgroup];  // in the order of fork_protocol::Sent
  bool has_cgroup = false;
  const char* slot = nullptr;
  const ForkPayload* payload = nullptr;
  // M becomes a child of this process's parent, which is a shim and reaps it.
  bool as_sibling = false;
};

struct ForkOutcome {
  enum class Where { kParent, kForked, kFailed };
  Where where = Where::kFailed;
  // kParent:
  pid_t process = 0;
  pid_t child = 0;  // M, for this process to reap; 0: its parent does
  // kForked:
  Plumbing plumbing;
  // kFailed (where a `child` is to be reaped, too):
  const char* stage = nullptr;
  int error_number = 0;
};

// REQUIRES: one thread. In F, DieWithShimAsyncSafe() has been called, and every signal is blocked.
ForkOutcome Fork(const ForkOrder& order);

}  // namespace shoal::forking

#endif  // SHOAL_CLIENT_SHOAL_FORK_FORKER_H_
