// Named points at which a test build of the shim can be killed or stopped; nothing at all in other
// builds.
//
// SHOAL_SHIM_FAILPOINT="<step>=kill" or "<step>=stop" in the environment of the process arms one,
// until it is reached or the next process comes; for an adopting shim, which is not told that, in its
// own. It is taken out before the process gets it. The steps, in order: agent-read, first-half, forked (no PID is
// written), executed, started, moved (output is in the files, not in the record), end-begun,
// signalled, killed, reaped, exit-written, empty, final; of a shim that stays: over (nothing is left
// of the process in its memory), freed (seen, not answered), idle (its half is written).
#ifndef SHOAL_AGENT_SHIM_FAILPOINT_H_
#define SHOAL_AGENT_SHIM_FAILPOINT_H_

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

namespace shoal::shim {

#ifdef SHOAL_FAILPOINTS
inline char armed_failpoint[32] = "";

// `env` ends with a null pointer.
inline void ArmFailpoint(char** env) {
  constexpr char kVariable[] = "SHOAL_SHIM_FAILPOINT=";
  armed_failpoint[0] = 0;
  char** to = env;
  for (char** from = env; *from != nullptr; ++from) {
    if (strncmp(*from, kVariable, strlen(kVariable)) == 0) {
      snprintf(armed_failpoint, sizeof(armed_failpoint), "%s", *from + strlen(kVariable));
    } else {
      *to++ = *from;
    }
  }
  *to = nullptr;
}

inline void Reach(const char* step) {
  const size_t length = strlen(step);
  if (strncmp(armed_failpoint, step, length) != 0) return;
  const bool kills = strcmp(armed_failpoint + length, "=kill") == 0;
  const bool stops = strcmp(armed_failpoint + length, "=stop") == 0;
  if (!kills && !stops) return;
  armed_failpoint[0] = 0;  // one SIGCONT is the end of it, though a step be reached again
  kill(getpid(), kills ? SIGKILL : SIGSTOP);
}
#else
inline void ArmFailpoint(char**) {}
inline void Reach(const char*) {}
#endif

}  // namespace shoal::shim

#endif  // SHOAL_AGENT_SHIM_FAILPOINT_H_
