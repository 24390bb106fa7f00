// The calls that led to an error, by name.
//
//   return shoal::WithStack(absl::NotFoundError("no mesh"));
//
// An absl::Status says what went wrong, not where. One that went through WithStack() knows the
// calls that made it, and the child whose Run() returns it prints them to its stderr.
//
// Thread-safety: thread-safe.
#ifndef SHOAL_CLIENT_SHOAL_STACK_H_
#define SHOAL_CLIENT_SHOAL_STACK_H_

#include <cstdio>

#include "absl/status/status.h"

namespace shoal {

// `error` with the stack of this call, unless it has one or is OK. It stays in this process:
// the caller that joins the process gets code and message. Costs some microseconds; names are
// looked up when it is printed.
absl::Status WithStack(absl::Status error);

namespace internal {

// A line for each call to `file`, the innermost first: of the function that calls this, or of an
// error, of which nothing is printed if it has no stack.
void PrintStack(std::FILE* file);
void PrintStackOf(const absl::Status& error, std::FILE* file);

}  // namespace internal
}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_STACK_H_
