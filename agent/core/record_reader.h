// Turns what a record says into the state of its process.
//
// Ownership:     owned by the supervisor; does not own the processes.
// Thread-safety: loop thread only.
// Blocking:      small reads: of the last bytes of stderr and, for a lost or unmanaged process, of
//                the directory of the output files.
// Errors:        none returned; a damaged or missing record makes its process LOST.
// Story:         a shim reports (OnReport) or dies (OnDeath) → Look at the slot → Apply: started,
//                failed, exited, output complete, empty, each at most once → final: save, and after
//                the commit free the slot. A shim that died without being final is lost: Lose()
//                says what cannot be known and ends what is left of its tree. One that died before it
//                had written its half has run nothing: StartAgain. A record that only a
//                newer agent can read says nothing: LoseUnmanaged() when its shim is gone.
#ifndef SHOAL_AGENT_CORE_RECORD_READER_H_
#define SHOAL_AGENT_CORE_RECORD_READER_H_

#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "agent/core/core.h"
#include "agent/core/forks.h"
#include "agent/core/launcher.h"
#include "agent/core/orphans.h"
#include "agent/core/ports/output_files.h"
#include "agent/core/ports/process_files.h"
#include "agent/core/ports/process_trees.h"
#include "agent/core/ports/programs.h"
#include "agent/core/ports/shim_slots.h"
#include "agent/core/terminator.h"

namespace shoal::agent {

class RecordReader final : public ShimEvents {
 public:
  RecordReader(Core* core, const Ports& ports, Launcher* launcher, Forks* forks,
               Terminator* terminator)
      : core_(core),
        slots_(ports.slots),
        programs_(ports.programs),
        trees_(ports.trees),
        output_(ports.output),
        files_(ports.files),
        launcher_(launcher),
        forks_(forks),
        terminator_(terminator),
        orphans_(ports.slots, ports.trees) {}

  void OnReport(int slot) override;
  void OnOverflow() override;
  void OnDeath(int slot, const std::string& id) override;

  // Takes over what the record says. For recovery, too.
  void Apply(ProcessEntry* process, const record::ShimHalf& shim);

  // The shim is gone before its time: the exit (unless recorded) is UNKNOWN, bytes in the pipe are
  // lost, the tree is ended by its cgroup or reported as unproven.
  void Lose(ProcessEntry* process, const std::string& detail);

  // The shim of a process whose record only a newer agent can read is gone: its exit is UNKNOWN;
  // its tree is waited for, not ended.
  void LoseUnmanaged(ProcessEntry* process);

  // Looks for new output of an unmanaged process, which reports nothing that can be read. Bounded:
  // a few processes at a time.
  void MeasureSoon(const std::string& id);

  // The process was deleted while its shim still had the slot; what that could not write is given up.
  void Orphan(int slot, const std::string& id) {
    orphans_.Add(slot, id);
    DropRest(slot, id);
  }

  // What the shim of a process whose tree is over has not written yet is given up.
  void DropRest(int slot, const std::string& id);

  // An agent before this one started the process, and what it did that with is not all stored: if
  // nothing of it has run, nothing will. For recovery.
  void NoteStartedBefore(const std::string& id);

  // One that ran beside another is over: that one may be, too, if it waited for it.
  void OnBesideOver(const ProcessEntry& process);

  // What lives of a tree that is LEAKED, as far as its environment tells it now. Walks /proc.
  std::vector<Survivor> LivingOf(const ProcessEntry& process) const;

  // What of the input and the size of the terminal the agent half says, for recovery: see InputState.
  void ApplyInputKept(ProcessEntry* process, const record::AgentHalf& half);

  // Who asked for the end of the process, if only its record knows: the agent that wrote that could
  // not store it. For recovery, before Apply.
  void ApplyAsked(ProcessEntry* process, const record::AgentHalf& half);

 private:
  bool ApplyStart(ProcessEntry* process, const record::ShimHalf& shim);
  bool ApplyFlags(ProcessEntry* process, const record::ShimHalf& shim);
  bool ApplyDescendants(ProcessEntry* process, const record::ShimHalf& shim);
  bool ApplyExit(ProcessEntry* process, const record::ShimHalf& shim);
  bool ApplyEnds(ProcessEntry* process, const record::ShimHalf& shim);
  void ApplyStreams(ProcessEntry* process, const record::ShimHalf& shim);
  bool ApplyInput(ProcessEntry* process, const record::ShimHalf& shim);
  bool ApplyStall(ProcessEntry* process, const record::ShimHalf& shim);
  bool IsHeld(const ProcessEntry& process, const record::ShimHalf& shim) const;
  void MeasureSome();
  void LoseExit(ProcessEntry* process, Cause cause, const std::string& detail);
  void OnTreeOver(const std::string& id, const absl::Status& proven);
  void FailFork(ProcessEntry* process, const ForkFailure& refused);
  void StartAgain(ProcessEntry* process);
  void TakeStderrTail(ProcessEntry* process);
  void Finish(ProcessEntry* process);
  void StoreEnd(int slot, const std::string& id);

  Core* const core_;
  ShimSlots* const slots_;
  Programs* const programs_;
  ProcessTrees* const trees_;
  OutputFiles* const output_;
  ProcessFiles* const files_;
  Launcher* const launcher_;
  Forks* const forks_;
  Terminator* const terminator_;
  absl::flat_hash_map<std::string, int> starts_;  // by id, of those that were not started at once
  Orphans orphans_;
  // What was proven of trees, by id, that are not over before those beside them are.
  absl::flat_hash_map<std::string, absl::Status> held_;
  absl::flat_hash_set<std::string> unmeasured_;
  bool measure_set_ = false;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_RECORD_READER_H_
