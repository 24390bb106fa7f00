// Clock of the real system.
//
// Thread-safety: thread-safe.
#ifndef SHOAL_AGENT_OS_SYSTEM_CLOCK_H_
#define SHOAL_AGENT_OS_SYSTEM_CLOCK_H_

#include "absl/time/time.h"
#include "agent/core/ports/clock.h"

namespace shoal::agent {

class SystemClock : public Clock {
 public:
  absl::Time Now() override;
  absl::Duration BootTime() override;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OS_SYSTEM_CLOCK_H_
