#include "common/deadlock_checks.h"

#include "absl/synchronization/mutex.h"

namespace shoal {

void SkipDeadlockChecks() { absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore); }

}  // namespace shoal
