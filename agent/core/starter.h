// Starts a process in one of the two ways: by a fresh image (Launcher), or by its parent (Forks).
//
// Ownership:     the implementations are owned by the supervisor.
// Thread-safety: loop thread only.
// Blocking:      as the implementation says.
// Errors:        none returned; a start that fails is the state of its process.
#ifndef SHOAL_AGENT_CORE_STARTER_H_
#define SHOAL_AGENT_CORE_STARTER_H_

#include "agent/core/model.h"

namespace shoal::agent {

class Starter {
 public:
  virtual ~Starter() = default;
  // REQUIRES: the process is PENDING, its intent durable, its files in their places. It becomes
  // STARTING or FAILED_TO_START, now or later.
  virtual void Start(ProcessEntry* process) = 0;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_STARTER_H_
