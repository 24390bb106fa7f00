// What is left of the tree of a shim that died, by the cgroup that it left behind: ended, or waited
// for.
//
// Thread-safety: loop thread only.
// Blocking:      never blocks; looks at the cgroup again by a timer.
#ifndef SHOAL_AGENT_OS_LOST_TREE_H_
#define SHOAL_AGENT_OS_LOST_TREE_H_

#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "agent/loop/event_loop.h"
#include "agent/os/cgroup.h"

namespace shoal::agent {

// Writes cgroup.kill until the cgroup of `id` was seen empty, removes it, calls `done` from the
// loop. OK: proven empty. DEADLINE_EXCEEDED: after 2 s it was not; the message names the survivors.
// FAILED_PRECONDITION: there is no such cgroup, nothing is proven. `cgroups` may be null and
// outlives the loop's run.
void EndLostTree(EventLoop* loop, const CgroupBase* cgroups, const std::string& id,
                 absl::AnyInvocable<void(absl::Status)> done);

// The same without ending anything, however long it takes: OK or FAILED_PRECONDITION.
void AwaitEmptyTree(EventLoop* loop, const CgroupBase* cgroups, const std::string& id,
                    absl::AnyInvocable<void(absl::Status)> done);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OS_LOST_TREE_H_
