// What a follower of processes is told, on the loop thread.
//
// Ownership:     an observer is its owner's; Observers knows it until it is removed.
// Thread-safety: loop thread only.
// Blocking:      an observer must not block.
// Errors:        none.
// Order:         each change is told after its commit, the end of the turn last. Within a call an
//                observer may read the supervisor, and add or remove observers; nothing else.
#ifndef SHOAL_AGENT_CORE_PROCESS_OBSERVER_H_
#define SHOAL_AGENT_CORE_PROCESS_OBSERVER_H_

#include <cstdint>
#include <string>

#include "agent/core/model.h"

namespace shoal::agent {

class ProcessObserver {
 public:
  virtual ~ProcessObserver() = default;
  // State, labels, flags or exit changed; process.revision is new.
  virtual void OnChanged(const ProcessEntry& process) = 0;
  virtual void OnDeleted(const std::string& id, int64_t revision) = 0;
  // Only output positions changed. May come more than once in a turn.
  virtual void OnOutput(const ProcessEntry& process) = 0;
  virtual void OnSessionOver(const std::string& session_id) = 0;
  // Once at the end of a turn in which another call was made: time to pass on what was told.
  virtual void OnTurnEnd() = 0;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_PROCESS_OBSERVER_H_
