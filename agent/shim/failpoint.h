// Named points at which a test build of the shim can be killed; nothing at all in other builds.
//
// SHOAL_SHIM_FAILPOINT="<step>=kill" in the shim's environment arms one; it is taken out of the
// environment before the process gets it. The steps, in order: agent-read, first-half, forked (no
// PID is written), executed, started, moved (output is in the files, not in the record), end-begun,
// signalled, killed, reaped, exit-written, empty, final.
#ifndef SHOAL_AGENT_SHIM_FAILPOINT_H_
#define SHOAL_AGENT_SHIM_FAILPOINT_H_

#ifdef SHOAL_FAILPOINTS

#include <signal.h>
#include <string.h>
#include <unistd.h>

namespace shoal::shim {

inline const char* armed_failpoint = "";

inline void ArmFailpoint() {
  char** kept = environ;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (strncmp(*entry, "SHOAL_SHIM_FAILPOINT=", 21) == 0) {
      armed_failpoint = *entry + 21;
    } else {
      *kept++ = *entry;
    }
  }
  *kept = nullptr;
}

inline void Reach(const char* step) {
  const size_t length = strlen(step);
  if (strncmp(armed_failpoint, step, length) != 0) return;
  if (strcmp(armed_failpoint + length, "=kill") == 0) kill(getpid(), SIGKILL);
}

}  // namespace shoal::shim

#else

namespace shoal::shim {
inline void ArmFailpoint() {}
inline void Reach(const char*) {}
}  // namespace shoal::shim

#endif

#endif  // SHOAL_AGENT_SHIM_FAILPOINT_H_
