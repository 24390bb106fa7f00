// Sends signals, each once.
//
// Ownership:     by the supervisor.
// Thread-safety: loop thread only.
// Blocking:      never blocks.
// Errors:        NOT_FOUND and INVALID_ARGUMENT of the selector; per process FAILED_PRECONDITION
//                (ended, not started). After a failed commit of the intent nothing was sent.
//
// Story:         1 Signal: the intent is logged → 2 after its commit (Deliver): sent to each, the
//                outcome logged → 3 after that commit, whether or not it worked: answered. An agent
//                that is killed between 2 and 3 leaves an intent without an outcome; it is never
//                sent again (bulk_answer.h).
#ifndef SHOAL_AGENT_CORE_SIGNAL_SENDER_H_
#define SHOAL_AGENT_CORE_SIGNAL_SENDER_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/core/core.h"
#include "agent/core/ports/process_trees.h"

namespace shoal::agent {

class SignalSender {
 public:
  SignalSender(Core* core, ProcessTrees* trees) : core_(core), trees_(trees) {}

  void Signal(SignalCommand command, OutcomesCallback done);

 private:
  struct Delivery;
  void Begin(SignalCommand command, const absl::StatusOr<std::vector<ProcessEntry*>>& selected,
             OutcomesCallback done);
  bool Deliver(Delivery* delivery);  // to the next process; false: to all
  absl::Status Send(const SignalCommand& command, const std::string& id);

  Core* const core_;
  ProcessTrees* const trees_;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_SIGNAL_SENDER_H_
