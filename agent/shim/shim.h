// The life of one process, from the agent's half of its record to kFinal.
//
// The story, with the functions that tell it:
//   1. Start:     signalfd, first half written, pipes, clone3           Start()
//      or, of a process that is there already, its pipes                Adopt()
//   2. Started:   execve succeeded or the {stage, errno} is known       OnStarted()
//   3. Running:   output moves, input is fed, desired state and deadlines are watched   Turn()
//   4. End:       signal → grace → SIGKILL, until no member is left     EndSequence
//   5. Exited:    the main process is reaped; written at once           TakeExit()
//   6. Empty:     ECHILD, and no member of the cgroup                   EndSequence::CheckEmpty()
//   7. Complete:  the pipes at EOF, or drained once the tree is empty  MoveOutput()
//      or, of a process that was deleted, dropped                       DropRest()
//   8. Final:     exited (or not started), complete and empty           Turn()
// 5, 6 and 7 are three events and come in any order; what comes together is written by one pwrite.
//
// Ownership:     everything the shim has; the record outlives it.
// Thread-safety: single-threaded process only. All signals must be blocked.
// Blocking:      Run() blocks in one ppoll(2); without deadlines, output or signals it never wakes.
// Errors:        whatever prevents the start is written as {stage, errno}; later ones are waited
//                out.
#ifndef SHOAL_AGENT_SHIM_SHIM_H_
#define SHOAL_AGENT_SHIM_SHIM_H_

#include <poll.h>
#include <stdint.h>

#include "agent/record/record_layout.h"
#include "agent/shim/child.h"
#include "agent/shim/clock.h"
#include "agent/shim/collector.h"
#include "agent/shim/command.h"
#include "agent/shim/end_sequence.h"
#include "agent/shim/feeder.h"
#include "agent/shim/publisher.h"
#include "agent/shim/record_slot.h"
#include "agent/shim/subreaper.h"
#include "agent/shim/terminal.h"
#include "agent/shim/tree.h"

namespace shoal::shim {

// What belongs to the program that a shim is, and not to the process that it serves.
struct Self {
  uint32_t slot;
  uint64_t core_soft;    // soft limit of core dumps that it was started with; its own is 0
  uint64_t start_ticks;  // field 22 of /proc/PID/stat; 0: not known yet
};

// All state of one process. Another one's begins with another Shim.
class Shim {
 public:
  // `record` is open; all outlive this. `adopted`: the process, if it is there already; then
  // `command` is of no concern. `cgroup_fd`: directory of the process's cgroup, which is closed at
  // the end; -1: it has none. Learns `self->start_ticks` if that is not known.
  Shim(Self* self, RecordSlot* record, Command* command, pid_t adopted, int cgroup_fd);
  ~Shim();
  Shim(const Shim&) = delete;
  Shim& operator=(const Shim&) = delete;

  // Runs the process to the end; returns when the record is final.
  void Run();

 private:
  enum Watched {
    kSignals,
    kStartPipe,
    kTimer,
    kInput,
    kFirstStream,
    kWatchedCount = kFirstStream + record::kStreams,
  };

  StartError Start();
  StartError OpenPipes(ChildPlan* plan);
  StartError OpenTerminal(ChildPlan* plan);
  StartError TakeTerminal();
  StartError Fork();
  StartError Adopt();
  void OnForked(int cgroup_fd, int refuge_fd);
  void TakePipes();
  void OnStarted();
  void FailStart(StartError error);
  void TakeExit();
  void TakeLastOutput();

  void Turn();
  void Wait();
  void OnSignals();
  void ReadDesired();

  bool HasInput() const { return wish_.input_window > 0; }
  bool HasTerminal() const { return Wants(record::kTerminal); }
  StartError OpenInput(ChildPlan* plan);
  StartError TakeInput();
  void FeedInput();

  void MoveOutput();
  bool Move(int stream);
  void DropRest();

  bool MayStay() const;

  bool Has(uint32_t flags) const { return publisher_.Has(flags); }
  bool AnyStreamOpen() const;
  bool Ended() const { return Has(record::kExited | record::kStartFailed); }
  bool Wants(uint32_t flag) const { return (wish_.flags & flag) != 0; }
  bool HasStream(int stream) const { return record::HasStream(wish_.flags, stream); }

  Self* const self_;
  RecordSlot* const record_;
  record::ShimHalf& half_;         // what is; of record_
  const record::AgentHalf& wish_;  // what is wanted; of record_
  Command* const command_;
  const pid_t adopted_;
  const int cgroup_fd_;
  Child child_;
  Tree tree_;
  Publisher publisher_;
  Subreaper children_;
  EndSequence end_;
  TimeIndex index_;
  Collector streams_[record::kStreams];
  Terminal terminal_;
  Feeder input_;
  struct pollfd watched_[kWatchedCount];
  int64_t now_ = 0;  // BootNow() of this turn

  bool unread_ = false;        // the agent's half is to be read, or was torn
  int64_t timer_at_ = kNever;  // what the timerfd is armed for
};

}  // namespace shoal::shim

#endif  // SHOAL_AGENT_SHIM_SHIM_H_
