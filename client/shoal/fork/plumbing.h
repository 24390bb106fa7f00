// The descriptors of one fork: what the agent sent, and the pipes between the process and its shim.
//
// Ownership:     plain numbers; forker.cc and process_setup.cc close them. None of the pipes is
//                below kLowestOwnFd, where the shim and the process have fixed places.
// Thread-safety: single-threaded process only.
#ifndef SHOAL_CLIENT_SHOAL_FORK_PLUMBING_H_
#define SHOAL_CLIENT_SHOAL_FORK_PLUMBING_H_

#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

#include "shoal/v1/fork_protocol.h"

namespace shoal::forking {

inline constexpr int kLowestOwnFd = fork_protocol::kInputFd + 1;

struct Pipe {
  int read_end = -1;
  int write_end = -1;
};

// Made by M, so that T never has them; copied into F by the fork.
struct Plumbing {
  Pipe out;       // none with a terminal, as the next and that of the input
  Pipe err;       // none if stderr is merged
  Pipe result;    // none if no result is wanted
  Pipe input;     // none if no input is wanted
  Pipe terminal;  // its master and its slave
  Pipe start;
  int null = -1;
  pid_t shim = 0;  // M
};

// The same file, close-on-exec, at kLowestOwnFd or above; the old number is closed. -1 with errno,
// then both are closed.
inline int RaiseAsyncSafe(int fd) {
  if (fd < 0 || fd >= kLowestOwnFd) return fd;
  const int high = fcntl(fd, F_DUPFD_CLOEXEC, kLowestOwnFd);
  close(fd);
  return high;
}

}  // namespace shoal::forking

#endif  // SHOAL_CLIENT_SHOAL_FORK_PLUMBING_H_
