// Lets ended processes go: by request, by age, by number.
//
// Ownership:     by the supervisor. Thread-safety: loop thread only. Blocking: never.
#ifndef SHOAL_AGENT_CORE_RETENTION_H_
#define SHOAL_AGENT_CORE_RETENTION_H_

#include <set>
#include <string>
#include <utility>

#include "agent/core/core.h"
#include "agent/core/launcher.h"
#include "agent/core/record_reader.h"

namespace shoal::agent {

class Retention {
 public:
  Retention(Core* core, Launcher* launcher, RecordReader* reader)
      : core_(core), launcher_(launcher), reader_(reader) {}

  // The process is over: its time begins, and the oldest may have to go.
  void OnOver(const ProcessEntry& process);

  // Forgets a process that is over, with its output. FAILED_PRECONDITION: it is not. The entry, for
  // the reply.
  absl::StatusOr<std::unique_ptr<ProcessEntry>> Delete(const std::string& id);

  void Delete(const Selector& selector, Supervisor::OutcomesCallback done);

 private:
  void Enforce();

  Core* const core_;
  Launcher* const launcher_;
  RecordReader* const reader_;
  std::set<std::pair<absl::Time, std::string>> over_;  // by end
  bool timer_set_ = false;
  bool enforce_set_ = false;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_RETENTION_H_
