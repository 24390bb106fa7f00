// Ends processes: tells their shims, and waits for empty trees on behalf of the caller.
//
// Ownership:     owned by the supervisor; does not own the processes.
// Thread-safety: loop thread only.
// Blocking:      never blocks.
// Errors:        Terminate's callback gets one status for each process: see EndStatus.
// Story:         1 End: the termination request is saved (Termination) → 2 after the commit: it is
//                written into the record, the shim woken (Tell) → 3 the shim does signal → grace →
//                SIGKILL → empty by itself, whether or not an agent runs → 4 the record says so
//                (RecordReader). A shim that has not seen the request after 2 s is flagged
//                SHIM_STALLED.
#ifndef SHOAL_AGENT_CORE_TERMINATOR_H_
#define SHOAL_AGENT_CORE_TERMINATOR_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/core/core.h"
#include "agent/core/ports/process_trees.h"
#include "agent/core/ports/shim_slots.h"

namespace shoal::agent {

struct EndWish {
  Cause cause = Cause::kTerminated;
  std::string requested_by;
  int signal = 15;
  std::optional<absl::Duration> grace;  // absent: the spec's
};

class Terminator {
 public:
  Terminator(Core* core, ShimSlots* slots, ProcessTrees* trees)
      : core_(core), slots_(slots), trees_(trees) {}

  // Nothing happens to a process that is over; of one that is unmanaged it is noted.
  void End(ProcessEntry* process, const EndWish& wish);

  void Terminate(TerminateCommand command, OutcomesCallback done);
  // The same of these processes, whatever the selector says.
  void TerminateAll(TerminateCommand command, const std::vector<ProcessEntry*>& processes,
                    OutcomesCallback done);

  // Grace and time to prove, when the caller names no timeout.
  absl::Duration TimeoutFor(const std::vector<ProcessEntry*>& processes,
                            const std::optional<absl::Duration>& grace,
                            const std::optional<absl::Duration>& timeout) const;

  // OK: over and its tree empty. FAILED_PRECONDITION: the agent cannot end it, or cannot prove the
  // tree empty. Otherwise SurvivorStatus.
  absl::Status EndStatus(const ProcessEntry& process) const;
  // DEADLINE_EXCEEDED naming the members of the tree that are left.
  absl::Status SurvivorStatus(const ProcessEntry& process) const;

 private:
  struct Job;
  bool EndNext(const std::shared_ptr<Job>& job);     // false: the end of all was asked for
  bool AnswerNext(const std::shared_ptr<Job>& job);  // false: that was the last

  void Tell(const std::string& id, const EndWish& wish, absl::Duration grace);
  void CheckShimSaw(const std::string& id, uint32_t serial);

  Core* const core_;
  ShimSlots* const slots_;
  ProcessTrees* const trees_;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_TERMINATOR_H_
