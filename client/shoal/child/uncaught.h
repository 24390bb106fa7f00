// What becomes of an uncaught exception in a child: a message with the stack of its throw, an error
// for the caller that joins the process, and exit code 1.
//
// Thread-safety: single-threaded process only.
#ifndef SHOAL_CLIENT_SHOAL_CHILD_UNCAUGHT_H_
#define SHOAL_CLIENT_SHOAL_CHILD_UNCAUGHT_H_

#include <functional>

#include "absl/status/status.h"

namespace shoal::internal {

// From here on; `tell` gets the exception as an INTERNAL error, at most once. The thread that calls
// this is the one whose exceptions end the process by exit(); those of another, which may hold
// anything, end it after EndProgram() without destructors.
void EndOnUncaught(std::function<void(const absl::Status&)> tell);

}  // namespace shoal::internal

#endif  // SHOAL_CLIENT_SHOAL_CHILD_UNCAUGHT_H_
