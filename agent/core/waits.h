// Calls that wait until processes have started, exited, written all output, or are empty.
//
// Ownership:     owned by the supervisor.
// Thread-safety: loop thread only.
// Blocking:      never blocks.
// Errors:        none. A wait calls back once, satisfied or timed out; not at all when cancelled.
// Story:         Add: which processes → LinkSome: each is looked at and noted for it, in slices → it is
//                satisfied, or its time has passed (Finish), or it is cancelled → UnlinkSome: what is
//                noted for it goes, in slices.
#ifndef SHOAL_AGENT_CORE_WAITS_H_
#define SHOAL_AGENT_CORE_WAITS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "agent/core/caller.h"
#include "agent/core/commands.h"
#include "agent/core/model.h"
#include "agent/core/ports/scheduler.h"
#include "agent/core/slices.h"

namespace shoal::agent {

class Waits {
 public:
  // Those that were waited for, in their order.
  using Callback = absl::AnyInvocable<void(const SharedProcesses& processes, bool timed_out)>;
  using Id = WaitId;

  Waits(Scheduler* scheduler, Slices* slices) : scheduler_(scheduler), slices_(slices) {}

  // Whether `until` is so of the process.
  static bool HasCome(const ProcessEntry& process, Until until);

  // Waits for any or all of `processes`, on behalf of `caller`; never calls back before returning, so
  // Settle() must follow in this turn. A timeout that passes before all have been looked at counts
  // from then.
  Id Add(const Caller& caller, HeldProcesses processes, Until until, bool any,
         absl::Duration timeout, Callback done);
  Id Add(const Caller& caller, const std::vector<ProcessEntry*>& processes, Until until, bool any,
         absl::Duration timeout, Callback done);
  void Cancel(Id wait);

  void OnChanged(const ProcessEntry& process);
  void OnDeleted(const std::string& id);

  // Calls back the waits that are satisfied. True if there were any.
  bool Settle();

 private:
  struct Wait {
    Caller caller;
    SharedProcesses processes;
    size_t linked = 0;   // so many of them have been looked at
    size_t missing = 0;  // of those
    Until until;
    bool any;
    bool is_late = false;  // its time has passed, and not all have been looked at
    Scheduler::TimerId timer = 0;
    Callback done;
  };

  bool IsSatisfied(const Wait& wait) const {
    return (wait.linked == wait.processes->size() && wait.missing == 0) ||
           (wait.any && wait.missing < wait.linked);
  }
  bool LinkSome(Id wait_id);  // false: all are, or the wait is over
  void OnTimer(Id wait_id);
  void Come(Id wait_id);
  void Finish(Id wait_id, bool timed_out);
  // Takes a wait that is over out of the index, of which `wait` has what is left.
  void Unlink(Id wait_id, Wait wait);

  Scheduler* const scheduler_;
  Slices* const slices_;
  absl::flat_hash_map<Id, Wait> waits_;
  // Of what is missing; may name waits that are over.
  absl::flat_hash_map<std::string, std::vector<Id>> by_process_;
  std::vector<Id> satisfied_;
  Id last_id_ = 0;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_WAITS_H_
