// Lets ended processes go: by request, by age, by number.
//
// Ownership:     owned by the supervisor; does not own the processes.
// Thread-safety: loop thread only.
// Blocking:      never blocks.
// Errors:        NOT_FOUND: no such process. FAILED_PRECONDITION: it is not over.
#ifndef SHOAL_AGENT_CORE_RETENTION_H_
#define SHOAL_AGENT_CORE_RETENTION_H_

#include <memory>
#include <set>
#include <string>
#include <utility>

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
  void OnOver(const ProcessEntry& process);

  // Forgets a process that is over, with its output. FAILED_PRECONDITION: it is not. The entry, for
  // the reply.
  absl::StatusOr<std::unique_ptr<ProcessEntry>> Delete(const std::string& id);

  // Forgets the output of a process that is over now, and the rest of it `after` that.
  void Forget(const std::string& id, absl::Duration after);

  // Delete() for a caller, once, and after its commit; a failed one leaves the processes.
  void Delete(DeleteCommand command, OutcomesCallback done);

 private:
  absl::Status CheckMayGo(const std::string& id) const;
  // Everything but its row in the store.
  std::unique_ptr<ProcessEntry> Remove(const std::string& id);
  void EnforceSoon();
  void Enforce();

  Core* const core_;
  OutputFiles* const output_;
  ProcessFiles* const files_;
  RecordReader* const reader_;
  absl::Time DueOf(const ProcessEntry& process) const;

  std::set<std::pair<absl::Time, std::string>> over_;  // by when they are to go
  Scheduler::TimerId timer_ = 0;                       // 0: none
  bool enforce_set_ = false;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_RETENTION_H_
