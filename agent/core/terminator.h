// Ends processes: tells their shims, and waits for empty trees on behalf of the caller.
//
// Ownership:     owned by the supervisor; does not own the processes.
// Thread-safety: loop thread only.
// Blocking:      never blocks.
// Errors:        Terminate's callback gets one status for each process: see EndStatus.
// Story:         1 End: the termination request is saved (Termination) → 2 after the commit: it is
//                written into the record, the shim woken (Tell), or waits until others are through
//                (TellSome) → 3 the shim does signal → grace → SIGKILL → empty by itself, whether or
//                not an agent runs → 4 the record says so (RecordReader). A shim that has not seen
//                the request after 2 s is flagged SHIM_STALLED.
// Many at once:  each shim is a session, and the kernel gives every session as much processor time
//                as the agent: thousands woken at once leave it none for anybody's call. So
//                SupervisorOptions::ends_at_once are told at a time, the ends of each call in its
//                turn. A place is free when its process is over, or after kPatience: one that goes
//                on in its grace, or whose shim does not react, keeps no other process waiting.
#ifndef SHOAL_AGENT_CORE_TERMINATOR_H_
#define SHOAL_AGENT_CORE_TERMINATOR_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "agent/core/core.h"
#include "agent/core/ports/process_trees.h"
#include "agent/core/ports/shim_slots.h"

namespace shoal::agent {

struct EndWish {
  uint64_t call = 0;  // those of one call take turns with those of others; 0: of none
  Cause cause = Cause::kTerminated;
  std::string requested_by;
  int signal = 15;
  std::optional<absl::Duration> grace;  // absent: the spec's
};

// What has ended a process beside `other`, as Termination::requested_by says it.
std::string ByTheEndOf(const ProcessEntry& other);

class Terminator {
 public:
  Terminator(Core* core, ShimSlots* slots, ProcessTrees* trees)
      : core_(core), slots_(slots), trees_(trees) {}

  static constexpr absl::Duration kPatience = absl::Milliseconds(20);

  // Nothing happens to a process that is over; of one that is unmanaged it is noted.
  void End(ProcessEntry* process, const EndWish& wish);
  // The process has ended by itself: so does what runs beside it; where it is lost, at once.
  void EndBeside(const ProcessEntry& process);
  // Its place is free.
  void OnOver(const ProcessEntry& process);

  void Terminate(TerminateCommand command, OutcomesCallback done);
  // The same of these processes, whatever the selector says.
  void TerminateAll(TerminateCommand command, const std::vector<ProcessEntry*>& processes,
                    OutcomesCallback done);

  // Grace and time to prove, when the caller names no timeout; of many also the time until all are
  // told.
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

  struct Order {
    std::string id;
    EndWish wish;
    absl::Duration grace;
  };
  using Call = std::pair<std::string, uint64_t>;  // who asked, and in which call

  void TellSome();
  void LoseNoMorePatience();
  void Tell(const std::string& id, const EndWish& wish, absl::Duration grace);
  void CheckShimSaw(const std::string& id, uint32_t serial);

  Core* const core_;
  ShimSlots* const slots_;
  ProcessTrees* const trees_;

  std::map<Call, std::deque<Order>> orders_;               // that wait to be told; none is empty
  std::deque<Call> turns_;                                 // of `orders_`, the next one first
  absl::flat_hash_map<std::string, absl::Duration> told_;  // ids, since when (CLOCK_BOOTTIME)
  Scheduler::TimerId patience_ = 0;
  uint64_t last_call_ = 0;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_TERMINATOR_H_
