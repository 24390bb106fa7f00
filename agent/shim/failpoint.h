// Named points at which a test build of the shim can be killed; nothing at all in other builds.
//
// SHOAL_SHIM_FAILPOINT="<step>=kill" in the shim's environment arms one. It is taken out of the
// environment before the process gets it.
#ifndef SHOAL_AGENT_SHIM_FAILPOINT_H_
#define SHOAL_AGENT_SHIM_FAILPOINT_H_

namespace shoal::shim {

// The steps of a shim's life, in order. A name is the enumerator in lower case with dashes:
// "first-half".
enum class Step {
  kAgentRead,  // the agent's half is read, nothing is written
  kFirstHalf,  // the shim's first half is written
  kForked,     // the process exists, its PID is nowhere written
  kExecuted,   // execve succeeded, not written
  kStarted,    // written
  kEndBegun,   // the first signal of an end is about to be sent
  kSignalled,  // it was sent, not written
  kKilled,     // SIGKILL was sent, not written
  kReaped,     // the exit is known, not written
  kExitWritten,
  kMoved,  // output is in the files, the new length not written
  kEmpty,  // the tree is empty, not written
  kFinal,  // all is written
};

#ifdef SHOAL_FAILPOINTS
// Reads and removes the variable. Before the first Reach().
void ArmFailpoint();
// Dies by SIGKILL if `step` is armed.
void Reach(Step step);
#else
inline void ArmFailpoint() {}
inline void Reach(Step) {}
#endif

}  // namespace shoal::shim

#endif  // SHOAL_AGENT_SHIM_FAILPOINT_H_
