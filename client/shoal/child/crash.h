// What becomes of a crash in a child: a line with the signal, and the stack, before it ends as it
// would have.
//
// Thread-safety: single-threaded process only; the crash itself may be on any thread.
// Blocking:      a crash that cannot be told within 5 s is not told.
// Errors:        a signal that the program handles, or a sanitizer, is left to it.
#ifndef SHOAL_CLIENT_SHOAL_CHILD_CRASH_H_
#define SHOAL_CLIENT_SHOAL_CHILD_CRASH_H_

namespace shoal::internal {

// From here on, for the process that CurrentProcess() is.
void TellCrashes();

}  // namespace shoal::internal

#endif  // SHOAL_CLIENT_SHOAL_CHILD_CRASH_H_
