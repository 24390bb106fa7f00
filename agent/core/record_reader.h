// Turns what a record says into the state of its process.
//
// Ownership:     by the supervisor. Thread-safety: loop thread only. Blocking: never but for a
//                small read of the last bytes of stderr.
// Story:         a shim reports (OnReport) or dies (OnDeath) → Look at the slot → Apply: started,
//                failed, exited, output complete, empty, each at most once → final: save, and after
//                the commit free the slot. A shim that died without being final is lost: Lose()
//                says what cannot be known and ends what is left of its tree.
#ifndef SHOAL_AGENT_CORE_RECORD_READER_H_
#define SHOAL_AGENT_CORE_RECORD_READER_H_

#include <string>

#include "absl/container/flat_hash_map.h"
#include "agent/core/core.h"

namespace shoal::agent {

class RecordReader {
 public:
  explicit RecordReader(Core* core) : core_(core) {}

  void OnReport(int slot);
  void OnOverflow();
  void OnDeath(int slot, const std::string& id);

  // Takes over what the record says. For recovery, too.
  void Apply(ProcessEntry* process, const record::ShimHalf& shim);

  // The shim is gone before its time: the exit (unless recorded) is UNKNOWN, bytes in the pipe are
  // lost, the tree is ended by its cgroup or reported as unproven.
  void Lose(ProcessEntry* process, const std::string& detail);

  // The process was deleted while its shim still had the slot: frees the slot once the shim is
  // done.
  void Orphan(int slot, const std::string& id) { orphans_[slot] = id; }

 private:
  bool ApplyStart(ProcessEntry* process, const record::ShimHalf& shim);
  bool ApplyFlags(ProcessEntry* process, const record::ShimHalf& shim);
  bool ApplyExit(ProcessEntry* process, const record::ShimHalf& shim);
  bool ApplyEnds(ProcessEntry* process, const record::ShimHalf& shim);
  void ApplyStreams(ProcessEntry* process, const record::ShimHalf& shim);
  void FailFork(ProcessEntry* process, const ForkFailure& refused);
  void TakeStderrTail(ProcessEntry* process);
  void Finish(ProcessEntry* process);
  void StoreEnd(int slot, const std::string& id);
  void FreeOrphan(int slot, const std::string& id);

  Core* const core_;
  absl::flat_hash_map<int, std::string> orphans_;
};

// The exit as the record has it. `signals` tells a signal sent on request from one of another.
Exit ExitOf(const record::ShimHalf& shim, const ProcessEntry& process, bool out_of_memory);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_RECORD_READER_H_
