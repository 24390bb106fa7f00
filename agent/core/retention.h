// Lets ended processes go: by request, by age, by number, and by what their specs take up. Above a limit
// on number or specs, the owner that has most loses its oldest process first.
//
// Ownership:     owned by the supervisor; does not own the processes.
// Thread-safety: loop thread only.
// Blocking:      never blocks.
// Errors:        NOT_FOUND: no such process. FAILED_PRECONDITION: it is not over.
#ifndef SHOAL_AGENT_CORE_RETENTION_H_
#define SHOAL_AGENT_CORE_RETENTION_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "agent/core/core.h"
#include "agent/core/ports/output_files.h"
#include "agent/core/ports/process_files.h"
#include "agent/core/record_reader.h"

namespace shoal::agent {

class Retention {
 public:
  Retention(Core* core, OutputFiles* output, ProcessFiles* files, RecordReader* reader)
      : core_(core), output_(output), files_(files), reader_(reader) {}

  // The process is over: its time begins, and the oldest may have to go.
  void OnOver(ProcessEntry* process);

  // The process is gone by another way. Harmless if it was not over.
  void Drop(const ProcessEntry& process);

  // Forgets a process that is over, with its output. FAILED_PRECONDITION: it is not, or it is LEAKED and
  // something of its tree is seen to live. The entry, for the reply.
  absl::StatusOr<std::shared_ptr<ProcessEntry>> Delete(const std::string& id);

  // Forgets the output of a process that is over now, and the rest of it `after` that. Of one whose shim still waits
  // for room for output, that is given up.
  void Forget(const std::string& id, absl::Duration after);

  // Delete() for a caller, once, and after its commit; a failed one leaves the processes.
  void Delete(DeleteCommand command, OutcomesCallback done);

 private:
  struct Job;
  void Begin(DeleteCommand command, const absl::StatusOr<std::vector<ProcessEntry*>>& selected,
             OutcomesCallback done);
  bool Step(const std::shared_ptr<Job>& job);  // the next process; false: that was the last slice
  void OnCommitted(Job* job, const absl::Status& committed);
  void Fail(Job* job);

  absl::Status CheckMayGo(const std::string& id) const;
  // Everything but its row in the store.
  std::shared_ptr<ProcessEntry> Remove(const std::string& id);
  void Keep(const ProcessEntry& process);  // from now on, until it is due
  void LetFilesGo(ProcessEntry* process);
  // What may not go yet is kept for another while.
  void Spare(const std::string& id);
  void EnforceSoon();
  void Enforce();
  std::optional<std::string> NextToGo() const;

  Core* const core_;
  OutputFiles* const output_;
  ProcessFiles* const files_;
  RecordReader* const reader_;
  absl::Time DueOf(const ProcessEntry& process) const;

  using Due = std::pair<absl::Time, std::string>;  // when it is to go, id
  struct Kept {
    std::set<Due> due;
    SpecSum specs;
  };

  std::map<std::string, Kept> kept_;  // by owner
  std::set<Due> due_;                 // of all
  // Ids of those whose files are let go once their shims have given up the rest of the output.
  absl::flat_hash_set<std::string> dropping_;
  int64_t spec_bytes_ = 0;        // of all
  Scheduler::TimerId timer_ = 0;  // 0: none
  bool enforce_set_ = false;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_RETENTION_H_
