// Time, injected.
//
// Ownership:     main owns the implementation, which outlives the supervisor.
// Thread-safety: as the implementation says.
// Blocking:      never blocks.
// Errors:        none.
#ifndef SHOAL_AGENT_CORE_PORTS_CLOCK_H_
#define SHOAL_AGENT_CORE_PORTS_CLOCK_H_

#include "absl/time/time.h"

namespace shoal::agent {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() = 0;           // CLOCK_REALTIME
  virtual absl::Duration BootTime() = 0;  // CLOCK_BOOTTIME since boot
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_PORTS_CLOCK_H_
