// Abseil's look for deadlocks at each lock of its mutexes, which are gRPC's: Debian's is built with it, and it
// costs a server several per cent of its processor time.
//
// Ownership:     of the whole process.
// Thread-safety: thread-safe; before the first thread, so that all go without.
// Blocking:      never blocks.
// Errors:        none.
#ifndef SHOAL_COMMON_DEADLOCK_CHECKS_H_
#define SHOAL_COMMON_DEADLOCK_CHECKS_H_

namespace shoal {

void SkipDeadlockChecks();

}  // namespace shoal

#endif  // SHOAL_COMMON_DEADLOCK_CHECKS_H_
