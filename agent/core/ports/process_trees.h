// What runs below the shims: the main process, its group, and every member of its tree.
//
// Ownership:     main owns the implementation, which outlives the supervisor.
// Thread-safety: loop thread only.
// Blocking:      a few system calls; without cgroups Members walks /proc, as Orphans does.
// Errors:        as said at each method.
#ifndef SHOAL_AGENT_CORE_PORTS_PROCESS_TREES_H_
#define SHOAL_AGENT_CORE_PORTS_PROCESS_TREES_H_

#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/core/model.h"

namespace shoal::agent {

enum class SignalScope { kProcess, kGroup, kTree };

class ProcessTrees {
 public:
  virtual ~ProcessTrees() = default;

  // To the main process (pid, start time checked, by pidfd), its group, or every member of the
  // tree. FAILED_PRECONDITION: it has exited.
  virtual absl::Status Signal(const ProcessEntry& process, int signal, SignalScope scope) = 0;

  // Members of the tree now, main process included, by cgroup or by walking /proc. RESOURCE_EXHAUSTED
  // and the like: they could not be read, so that there may be any.
  virtual absl::StatusOr<std::vector<int>> Members(const ProcessEntry& process) = 0;

  // What a tree has left that lost its shim, as far as its environment tells by SHOAL_ID: for people,
  // no proof. The main process, which dies with its shim, is left out.
  virtual std::vector<int> Orphans(const ProcessEntry& process) = 0;

  // What survives, for people: /proc/PID/{comm,wchan}.
  virtual std::vector<Survivor> Describe(const std::vector<int>& pids) = 0;

  // Whether the kernel has counted an out-of-memory kill in the process's cgroup; false without one.
  virtual bool WasOutOfMemory(const std::string& id) = 0;

  // Kills what is left of the tree of a lost shim by its cgroup. OK: the cgroup was seen empty
  // within 2 s and is removed (`done` runs later on the loop); FAILED_PRECONDITION: nothing is
  // proven, since there is no cgroup, or since what ran in it could leave it.
  virtual void EndLostTree(const std::string& id, absl::AnyInvocable<void(absl::Status)> done) = 0;

  // Waits until the cgroup of a process whose shim is gone is seen empty; ends nothing. OK: it was,
  // and is removed (`done` runs later on the loop); FAILED_PRECONDITION as EndLostTree.
  virtual void AwaitEmptyTree(const std::string& id,
                              absl::AnyInvocable<void(absl::Status)> done) = 0;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_PORTS_PROCESS_TREES_H_
