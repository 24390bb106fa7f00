// The end of the tree: when it begins, how it goes on, and the proof that nothing is left.
//
//   1. kRunning  until a deadline passes or the agent asks. Of these: a   CheckDeadlines(), Begin()
//                time limit, the dead-man time and, once the process was
//                reaped, the grace that its descendants have to end by
//                themselves
//   2. kAsked    the signal is sent, and besides SIGTERM a SIGHUP to     Begin()
//                a process with a terminal that ignores it; the tree
//                has the grace, which no growth of the tree prolongs
//   3. kKilling  SIGKILL in rounds until no member is left; survivors    StartKilling(), Drive()
//                are named after 2 s
//   4. kEmpty    no child, and no member of the cgroup: in every phase,  CheckEmpty()
//                since a tree may end by itself
//
// Ownership:     a member of Shim; what it is given outlives it.
// Thread-safety: single-threaded process only.
// Blocking:      Drive() for at most 64 rounds of kill and reap.
// Errors:        a tree that cannot be ended is kUnkillable, and is tried again every 100 ms.
#ifndef SHOAL_AGENT_SHIM_END_SEQUENCE_H_
#define SHOAL_AGENT_SHIM_END_SEQUENCE_H_

#include <stdint.h>

#include "agent/record/record_layout.h"
#include "agent/shim/clock.h"
#include "agent/shim/publisher.h"
#include "agent/shim/record_slot.h"
#include "agent/shim/subreaper.h"
#include "agent/shim/tree.h"

namespace shoal::shim {

class EndSequence {
 public:
  EndSequence(RecordSlot* record, Tree* tree, Subreaper* children, Publisher* publisher);

  // At the fork, and again once execve has succeeded: a limit that counts from there runs. What execve waits for, such as
  // the other end of a FIFO, is not waited for without end.
  void BeginLimit();
  // The process was reaped at `now`: its descendants have their grace.
  void OnExit(int64_t now);
  // A child was reaped, so that its orphans are children now.
  void OnReaped(int64_t now);

  void CheckDeadlines(int64_t now);
  void Begin(int64_t now, record::EndCause cause, int number, int64_t grace_ns);
  void StartKilling(int64_t now);
  void Drive(int64_t now);
  // True when the tree is seen empty, once.
  bool CheckEmpty(int64_t now);

  // The earliest instant at which something must end; counts while the host is suspended.
  int64_t deadline() const;
  // The next round of SIGKILL, or look at children and cgroup.
  int64_t look_at() const;

 private:
  enum class Phase { kRunning, kAsked, kKilling };

  bool IsOvertaken() const;
  void NoteDescendants();
  bool HasEnded() const { return publisher_->Has(record::kExited | record::kStartFailed); }
  bool IsEmpty() const { return publisher_->Has(record::kEmpty); }

  RecordSlot* const record_;
  Tree* const tree_;
  Subreaper* const children_;
  Publisher* const publisher_;
  record::ShimHalf& half_;         // what is; of record_
  const record::AgentHalf& wish_;  // what is wanted; of record_

  Phase phase_ = Phase::kRunning;
  int64_t limit_at_ = kNever;        // from the span that runs from the fork, then from execve on
  int64_t dead_man_check_at_ = 0;    // not before, while an agent holds its lock
  int64_t descendants_at_ = kNever;  // end of the descendants' grace
  int64_t note_at_ = kNever;         // what is left of the tree is noted for people
  int64_t kill_at_ = kNever;
  int64_t unkillable_at_ = kNever;
  int64_t check_at_ = kNever;  // next round of SIGKILL, or look at the cgroup
  int64_t pause_ = 0;          // between such rounds, growing
};

}  // namespace shoal::shim

#endif  // SHOAL_AGENT_SHIM_END_SEQUENCE_H_
