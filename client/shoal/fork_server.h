// Lets an agent fork this process: the template's side of shoal/v1/fork_protocol.h.
//
// What is shared after a fork: memory, until one of both writes to it, and open files with their
// positions; so a forked process opens anew what it reads from. What is not: stdin, stdout, stderr,
// descriptor 3 (the result, where one is wanted), the environment, the working directory.
//
// Thread-safety: single-threaded process only; with a second thread every fork is refused.
// Blocking:      for ever; see ServeForks().
#ifndef SHOAL_CLIENT_SHOAL_FORK_SERVER_H_
#define SHOAL_CLIENT_SHOAL_FORK_SERVER_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace shoal {

// What a forked process is told that it does not find in its environment.
struct ForkedProcess {
  std::vector<std::string> argv;
};

// Offers this process, as it is now, to the agent that SHOAL_FORK_SOCKET names, and has it forked
// as often as the agent asks. Returns in each forked process, which then has its own environment,
// directory and descriptors, while static objects and the stack are those of this one: end it with
// exit() and what is registered with atexit() runs in each of them.
//
// Before its first offer it gathers the memory into huge pages, which takes up to some seconds and
// makes each fork of a large process cheaper by an order of magnitude (fork/huge_pages.h).
//
// In this process it returns with an error alone: FAILED_PRECONDITION when there is no agent to
// offer it to or that refuses it, INVALID_ARGUMENT when the socket's path is too long,
// UNIMPLEMENTED when what listens there speaks another protocol. An agent that is away is waited
// for.
absl::StatusOr<ForkedProcess> ServeForks();

// Occupies descriptor 3, unless something does, so that no file which is opened from now on stands
// where a forked process gets its result's pipe. For the start of main() of a template.
void KeepResultDescriptorFree();

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_FORK_SERVER_H_
