// What /proc says of a process.
//
// Thread-safety: single-threaded process only.
// Blocking:      reads of /proc and of the record.
// Errors:        what cannot be read is nothing: 0, or false.
#ifndef SHOAL_AGENT_SHIM_PROC_H_
#define SHOAL_AGENT_SHIM_PROC_H_

#include <stdint.h>
#include <sys/types.h>

namespace shoal::shim {

// Field number `field` (proc(5); from 4 on) of /proc/PID/stat; 0 if it cannot be read.
uint64_t StatField(pid_t pid, int field);

// True if it has ended, every thread of it, and waits to be reaped.
bool IsZombie(pid_t pid);

// True if it ignores the signal.
bool IgnoresSignal(pid_t pid, int number);

// Name of its command, empty if it cannot be read.
void ReadCommand(pid_t pid, char (&command)[16]);

// True if `pid` is an adopting shim of this agent. A template's shims are made below the template's
// own: they seem to be of its tree, and are not. The name alone is not believed, the record is.
bool IsAdoptingShim(pid_t pid);

}  // namespace shoal::shim

#endif  // SHOAL_AGENT_SHIM_PROC_H_
