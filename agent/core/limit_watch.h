// Notices time limits that have passed and of which nothing has come. It is the shim that keeps them, and one that is
// stopped says nothing: its process is flagged SHIM_STALLED until it goes on.
//
// Ownership:     owned by the supervisor; does not own the processes.
// Thread-safety: loop thread only.
// Blocking:      never blocks.
// Errors:        none.
#ifndef SHOAL_AGENT_CORE_LIMIT_WATCH_H_
#define SHOAL_AGENT_CORE_LIMIT_WATCH_H_

#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "agent/core/core.h"
#include "agent/core/ports/shim_slots.h"

namespace shoal::agent {

class LimitWatch {
 public:
  LimitWatch(Core* core, ShimSlots* slots) : core_(core), slots_(slots) {}

  // It has started, or its limit is another one. A span that its shim counts from execve on is counted from now on:
  // after a restart of the agent it is noticed later.
  void Watch(const ProcessEntry& process);
  void OnOver(const ProcessEntry& process);

 private:
  // `due`: when the limit is reached, by CLOCK_BOOTTIME; infinite: never any more.
  void LookAfter(absl::Duration wait, const std::string& id, absl::Duration due);
  void Look(const std::string& id, absl::Duration due);

  Core* const core_;
  ShimSlots* const slots_;
  absl::flat_hash_map<std::string, Scheduler::TimerId> limits_;  // by process
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_LIMIT_WATCH_H_
