// Named points at which a test build of the shim can be killed; nothing at all in other builds.
//
// SHOAL_SHIM_FAILPOINT="<step>=kill" in the shim's environment arms one; it is taken out of the
// environment before the process gets it. The steps, in order: agent-read, first-half, forked (no
// PID is written), executed, started, moved (output is in the files, not in the record), end-begun,
// signalled, killed, reaped, exit-written, empty, final.
#ifndef SHOAL_AGENT_SHIM_FAILPOINT_H_
#define SHOAL_AGENT_SHIM_FAILPOINT_H_

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

namespace shoal::shim {

#ifdef SHOAL_FAILPOINTS
inline const char* armed_failpoint = "";

inline void ArmFailpoint() {
  if (const char* value = getenv("SHOAL_SHIM_FAILPOINT")) armed_failpoint = value;
  unsetenv("SHOAL_SHIM_FAILPOINT");
}

inline void Reach(const char* step) {
  const size_t length = strlen(step);
  if (strncmp(armed_failpoint, step, length) != 0) return;
  if (strcmp(armed_failpoint + length, "=kill") == 0) kill(getpid(), SIGKILL);
}
#else
inline void ArmFailpoint() {}
inline void Reach(const char*) {}
#endif

}  // namespace shoal::shim

#endif  // SHOAL_AGENT_SHIM_FAILPOINT_H_
