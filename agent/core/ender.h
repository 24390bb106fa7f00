// Ends processes: tells their shims, and waits for empty trees on behalf of who asked.
//
// Ownership:     by the supervisor. Thread-safety: loop thread only. Blocking: never.
// Story:         1 End: the wish is saved (Termination) → 2 after the commit: written into the
//                record, the shim woken (Tell) → 3 the shim does signal → grace → SIGKILL → empty
//                by itself, agent or no agent → 4 the record says so (RecordReader). A shim that
//                has not seen the wish after 2 s is flagged SHIM_STALLED.
#ifndef SHOAL_AGENT_CORE_ENDER_H_
#define SHOAL_AGENT_CORE_ENDER_H_

#include <optional>
#include <string>
#include <vector>

#include "agent/core/core.h"

namespace shoal::agent {

struct EndWish {
  Cause cause = Cause::kTerminated;
  std::string requested_by;
  int signal = 15;
  std::optional<absl::Duration> grace;  // absent: the spec's
};

class Ender {
 public:
  explicit Ender(Core* core) : core_(core) {}

  // Nothing happens to a process that is over.
  void End(ProcessEntry* process, const EndWish& wish);

  void Terminate(TerminateCommand command, Supervisor::OutcomesCallback done);

  // Grace and time to prove, when the caller names no timeout.
  absl::Duration TimeoutFor(const std::vector<ProcessEntry*>& processes,
                            const std::optional<absl::Duration>& grace,
                            const std::optional<absl::Duration>& timeout) const;

  // DEADLINE_EXCEEDED naming who is left.
  absl::Status SurvivorStatus(const ProcessEntry& process) const;

 private:
  void Tell(const std::string& id, const EndWish& wish, absl::Duration grace);
  void CheckShimSaw(const std::string& id, uint32_t serial);

  Core* const core_;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_ENDER_H_
