// From clone3 to execve: the start of the process; or the adoption of one that was forked
// elsewhere.
//
// Thread-safety: single-threaded process only.
// Blocking:      never; execve may take long (a cold disk, NFS), the shim goes on meanwhile.
// Errors:        a {stage, errno} that reaches the shim through a close-on-exec pipe; never an exit
//                code.
#ifndef SHOAL_AGENT_SHIM_CHILD_H_
#define SHOAL_AGENT_SHIM_CHILD_H_

#include <sys/types.h>

#include "agent/record/record_layout.h"
#include "agent/shim/command.h"

namespace shoal::shim {

// What a process is started with.
struct ChildPlan {
  const Command& command;
  int stdin_fd;  // -1: the file that the command names, or the shim's, which is /dev/null
  int stdout_fd;
  int stderr_fd;
  int result_fd;         // -1: the process has no result
  uint64_t nofile_soft;  // soft limit of descriptors; 0: the shim's
  uint64_t core_soft;    // soft limit of core dumps
  int cgroup_fd;         // -1: the shim's own cgroup
  bool needs_cgroup;     // it runs there or not at all
  bool forbid_children;
  bool has_terminal;  // stdin_fd is one, and becomes its controlling terminal
};

// Why no program runs. kNone: it does.
struct StartError {
  record::Stage stage = record::Stage::kNone;
  int error_number = 0;
};

struct Child {
  pid_t pid = 0;
  // At EOF: execve succeeded. Else it has a StartError.
  int start_pipe = -1;
  uint64_t start_ticks = 0;     // field 22 of /proc/PID/stat; 0 = unknown
  bool outside_cgroup = false;  // it could not be cloned into cgroup_fd
};

// The shim ignores no signal from now on, and nor does what it clones: a program that inherits SIGCHLD
// ignored loses exits. Once for all processes, since it takes 64 system calls.
void UnignoreSignals();

// Clones the process into its cgroup. On failure nothing is left behind.
//
// The process has a session of its own, descriptors 0-2 (and 3, its result) only, every disposition
// SIG_DFL, an empty mask, umask 022, and is killed by the kernel should the shim die (which,
// single-threaded, may use PDEATHSIG). REQUIRES: UnignoreSignals() was called.
StartError StartChild(const ChildPlan& plan, Child* child);

// Takes on a process that was forked from another by its runtime and is this shim's child already:
// fork_protocol.h says what is at which descriptor. On failure (ECHILD: it is not our child)
// nothing is known of it.
StartError AdoptChild(pid_t pid, Child* child);

// Takes what the start pipe has to say and closes it. REQUIRES: it is readable, at EOF, or the
// child is dead.
StartError FinishStart(Child* child);

// Start time in clock ticks since boot (field 22) of a process that was started between two
// readings of BootNow(). Read from /proc only if a tick passed in between.
uint64_t StartTicksBetween(int64_t before, int64_t after, pid_t pid);

}  // namespace shoal::shim

#endif  // SHOAL_AGENT_SHIM_CHILD_H_
