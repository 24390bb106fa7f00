// The life of one process, from the agent's half of its record to kFinal.
//
// The story, with the functions that tell it:
//   1. Start:     signalfd, first half written, pipes, clone3           Start()
//      or, of a process that is there already, its pipes                Adopt()
//   2. Started:   execve succeeded or the {stage, errno} is known       OnStarted()
//   3. Running:   output moves, desired state and deadlines are watched Turn()
//   4. End:       signal → grace → SIGKILL, until nobody is left        BeginEnd(), DriveEnd()
//   5. Exited:    the main process is reaped; written at once           OnExit()
//   6. Empty:     ECHILD, and nobody in the cgroup                      CheckEmpty()
//   7. Complete:  the pipes at EOF, or drained once the tree is empty  MoveOutput()
//   8. Final:     exited (or not started), complete and empty           Turn()
// 5, 6 and 7 are three events and come in any order; what comes together is written by one pwrite.
//
// Ownership:     everything the shim has; the record outlives it.
// Thread-safety: single-threaded process only. All signals must be blocked.
// Blocking:      Run() blocks in one ppoll(2); without deadlines, output or signals it never wakes.
// Errors:        whatever prevents the start is written as {stage, errno}; later ones are waited
//                out.
#ifndef SHOAL_AGENT_SHIM_SUPERVISOR_H_
#define SHOAL_AGENT_SHIM_SUPERVISOR_H_

#include <poll.h>
#include <stdint.h>
#include <sys/resource.h>

#include "agent/record/record_layout.h"
#include "agent/shim/child.h"
#include "agent/shim/clock.h"
#include "agent/shim/output.h"
#include "agent/shim/record_slot.h"
#include "agent/shim/tree.h"

namespace shoal::shim {

class Supervisor {
 public:
  // `record` is open; `argv` is the process's, `cwd` its working directory or nullptr. All outlive
  // this. `adopted`: the process, if it is there already; then there is no argv.
  Supervisor(RecordSlot* record, char** argv, const char* cwd, pid_t adopted);

  // Runs the process to the end; returns when the record is final.
  void Run();

 private:
  enum class Phase { kRunning, kAsked, kKilling };
  enum Watched { kSignals, kStartPipe, kTimer, kStdout, kStderr, kResult, kWatchedCount };

  StartError Start();
  StartError OpenPipes(ChildPlan* plan);
  StartError Fork();
  StartError Adopt();
  void OnForked(int cgroup_fd, int refuge_fd);
  void TakePipes();
  void OnStarted();
  void FailStart(StartError error);
  bool Reap();
  void OnExit(int status, const struct rusage& used);

  void Turn();
  void Wait();
  void OnSignals();
  void ReadDesired();

  int64_t NextDeadline() const;
  void CheckDeadlines();
  void BeginEnd(record::EndCause cause, int number, int64_t grace_ns);
  void StartKilling();
  void DriveEnd();

  bool NoChildren();
  void CheckEmpty();
  void MoveOutput();
  bool Move(int stream);
  // Sets flags; the half is written at the end of this turn.
  void Changed(uint32_t flags);
  void PublishNow();

  bool Has(uint32_t flags) const { return (half_.flags & flags) != 0; }
  bool AnyStreamOpen() const;
  bool Ended() const { return Has(record::kExited | record::kStartFailed); }
  bool Wants(uint32_t flag) const { return (wish_.flags & flag) != 0; }

  RecordSlot* const record_;
  record::ShimHalf& half_;         // what is; of record_
  const record::AgentHalf& wish_;  // what is wanted; of record_
  char** const argv_;
  const char* const cwd_;
  const pid_t adopted_;
  Child child_;
  Tree tree_;
  TimeIndex index_;
  OutputStream streams_[record::kStreams];
  struct pollfd watched_[kWatchedCount];
  int64_t now_ = 0;  // BootNow() of this turn

  bool no_children_ = true;  // the last wait4 said ECHILD, or all that are left are adopting shims
  bool changed_ = false;     // to be published at once
  bool moved_ = false;       // to be published 1 ms after the last report
  bool unread_ = false;      // the agent's half is to be read, or was torn
  int64_t published_at_ = 0;
  int64_t timer_at_ = kNever;  // what the timerfd is armed for

  Phase phase_ = Phase::kRunning;
  int64_t limit_at_ = kNever;        // from the span that runs from execve on
  int64_t dead_man_check_at_ = 0;    // not before, while an agent holds its lock
  int64_t descendants_at_ = kNever;  // end of the descendants' grace
  int64_t kill_at_ = kNever;
  int64_t unkillable_at_ = kNever;
  int64_t look_at_ = kNever;   // next look at the children that are left
  int64_t ended_at_ = 0;       // BootNow() at which the process was reaped
  int64_t check_at_ = kNever;  // next round of SIGKILL, or look at the cgroup
  int64_t pause_ = 0;          // between such rounds, growing
};

}  // namespace shoal::shim

#endif  // SHOAL_AGENT_SHIM_SUPERVISOR_H_
