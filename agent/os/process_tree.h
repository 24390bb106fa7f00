// A process and its descendants as /proc shows them now, for people and for signals.
//
// Thread-safety: thread-safe.
// Blocking:      never waits; reads of /proc, one per process of the host at most.
#ifndef SHOAL_AGENT_OS_PROCESS_TREE_H_
#define SHOAL_AGENT_OS_PROCESS_TREE_H_

#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/os/procfs.h"

namespace shoal::agent {

// Of a process and the members of its tree.
struct LiveUsage {
  absl::Duration cpu_time;  // of the main process and the children that it has waited for
  int64_t rss_bytes = 0;    // of the main process
  int descendants = 0;      // members of the tree besides the main process
  bool stopped = false;     // the main process, by a signal or a debugger
};

// Every living descendant of `root`, itself left out, in no order; children that a shim reaps for a
// dead parent are its children in the kernel's eyes, so the whole tree hangs below the shim.
// Zombies are left out, and so are those for which `is_apart` is true, with all that is below them.
// RESOURCE_EXHAUSTED: some could not be read.
absl::StatusOr<std::vector<int>> DescendantsOf(int root,
                                               absl::FunctionRef<bool(const ProcStat&)> is_apart);

// nullopt fields stay 0 when the process is gone or hidden.
LiveUsage UsageOf(int pid, const std::vector<int>& members);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OS_PROCESS_TREE_H_
