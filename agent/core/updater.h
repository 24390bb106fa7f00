// Changes labels, lifetime and time limit of processes, each call once.
//
// Ownership:     by the supervisor.
// Thread-safety: loop thread only.
// Blocking:      never blocks.
// Errors:        NOT_FOUND and INVALID_ARGUMENT of the selector; per process FAILED_PRECONDITION
//                (ended), ALREADY_EXISTS (its name is held by a DETACHED process). After a failed
//                commit everything is as before.
#ifndef SHOAL_AGENT_CORE_UPDATER_H_
#define SHOAL_AGENT_CORE_UPDATER_H_

#include <memory>
#include <string>
#include <vector>

#include "agent/core/core.h"
#include "agent/core/ports/shim_slots.h"

namespace shoal::agent {

class LimitWatch;
class Sessions;

class Updater {
 public:
  Updater(Core* core, ShimSlots* slots, Sessions* sessions, LimitWatch* limits)
      : core_(core), slots_(slots), sessions_(sessions), limits_(limits) {}

  void Update(UpdateCommand command, OutcomesCallback done);

 private:
  // As it was before the call.
  struct Before {
    std::string id;
    std::string session_id;
    Labels labels;
  };

  struct Job;

  void Begin(UpdateCommand command, const absl::StatusOr<std::vector<ProcessEntry*>>& selected,
             OutcomesCallback done);
  bool Step(const std::shared_ptr<Job>& job);  // the next process; false: that was the last slice
  void OnCommitted(Job* job, const absl::Status& committed);
  void Fail(Job* job);
  absl::Status Apply(const UpdateCommand& command, ProcessEntry* process);
  void TellShim(const UpdateCommand& command, const std::string& id);
  void Undo();

  Core* const core_;
  ShimSlots* const slots_;
  Sessions* const sessions_;
  LimitWatch* const limits_;
  std::vector<Before> changed_;  // by calls whose commit is to come
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_UPDATER_H_
