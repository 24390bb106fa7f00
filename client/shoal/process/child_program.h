// Where the executable of this program is, for the agents that are to run it.
//
// Thread-safety: thread-safe.
// Blocking:      sends what a host lacks.
#ifndef SHOAL_CLIENT_SHOAL_PROCESS_CHILD_PROGRAM_H_
#define SHOAL_CLIENT_SHOAL_PROCESS_CHILD_PROGRAM_H_

#include "absl/status/status.h"
#include "shoal/host.h"
#include "shoal/process/child_spec.h"
#include "shoal/v1/process.pb.h"

namespace shoal::internal {

// Makes the spec run this program: argv[0], with the name of the function behind it for readers of
// process lists. An agent of this machine, which is reached by a Unix socket, finds
// it where it is, with the LD_LIBRARY_PATH of this process, unless that is where an agent has put it
// (shipped_here.h); to any other it is sent, unless it is there already. So is an argument that is too long for the environment. Errors
// as in shipping.h.
absl::Status AddProgram(Host& host, const Work& work, v1::ProcessSpec* spec);

}  // namespace shoal::internal

#endif  // SHOAL_CLIENT_SHOAL_PROCESS_CHILD_PROGRAM_H_
