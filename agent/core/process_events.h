// What the parts of the core that follow a process through its life are told of it, at once and in
// the middle of a turn. What leaves the core waits for the commit: see process_observer.h.
//
// Ownership:     the one that is told is given to Core at its construction.
// Thread-safety: loop thread only.
// Blocking:      as those that are told.
// Errors:        none.
#ifndef SHOAL_AGENT_CORE_PROCESS_EVENTS_H_
#define SHOAL_AGENT_CORE_PROCESS_EVENTS_H_

#include "agent/core/model.h"

namespace shoal::agent {

class ProcessEvents {
 public:
  virtual ~ProcessEvents() = default;
  // The process has started, failed to start, or was lost before it had.
  virtual void OnStartSettled(ProcessEntry* process) = 0;
  // Its record says that more of its input was fed or taken, or that it was closed.
  virtual void OnInputMoved(ProcessEntry* process) = 0;
  // Its tree was seen empty; its output may still wait for room.
  virtual void OnTreeEmpty(ProcessEntry* process) = 0;
  // The process became over: its name is free, its session or the retention may let it go.
  virtual void OnOver(ProcessEntry* process) = 0;
  // It was taken out of the table, and is about to be destroyed, as if it had never been.
  virtual void OnUndone(const ProcessEntry& process) = 0;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_PROCESS_EVENTS_H_
