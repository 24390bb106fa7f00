// Calls that wait until processes have started, exited, written all output, or are empty.
//
// Ownership:     owned by the supervisor.
// Thread-safety: loop thread only.
// Blocking:      never blocks.
// Errors:        none. A wait calls back once, satisfied or timed out; not at all when cancelled.
#ifndef SHOAL_AGENT_CORE_WAITS_H_
#define SHOAL_AGENT_CORE_WAITS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "agent/core/commands.h"
#include "agent/core/ports/scheduler.h"

namespace shoal::agent {

class Waits {
 public:
  using Callback = absl::AnyInvocable<void(const std::vector<std::string>& ids, bool timed_out)>;
  using Id = WaitId;

  explicit Waits(Scheduler* scheduler) : scheduler_(scheduler) {}

  // Whether `until` is so of the process.
  static bool HasCome(const ProcessEntry& process, Until until);

  // Waits for any or all of `processes`; never calls back before returning, so Settle() must follow
  // in this turn.
  Id Add(const std::vector<ProcessEntry*>& processes, Until until, bool any, absl::Duration timeout,
         Callback done);
  void Cancel(Id wait);

  void OnChanged(const ProcessEntry& process);
  void OnDeleted(const std::string& id);

  // Calls back the waits that are satisfied. True if there were any.
  bool Settle();

 private:
  struct Wait {
    std::vector<std::string> ids;
    size_t missing = 0;  // of them
    Until until;
    bool any;
    Scheduler::TimerId timer = 0;
    Callback done;
  };

  bool IsSatisfied(const Wait& wait) const {
    return wait.missing == 0 || (wait.any && wait.missing < wait.ids.size());
  }
  void Come(Id wait_id);
  void Finish(Id wait_id, bool timed_out);
  void Unlink(Id wait_id, const Wait& wait);

  Scheduler* const scheduler_;
  absl::flat_hash_map<Id, Wait> waits_;
  absl::flat_hash_map<std::string, std::vector<Id>> by_process_;  // of what is missing
  std::vector<Id> satisfied_;
  Id last_id_ = 0;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_WAITS_H_
