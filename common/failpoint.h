// Named points in the code where a fault test can kill this program or make a step fail.
//
// Armed by the environment: SHOAL_FAILPOINT="name=kill", "name=kill@3" (the third time that it is
// reached) or "name=error"; several are separated by commas. Compiled in with the CMake option
// SHOAL_FAILPOINTS only: without it the macros are nothing.
//
// Thread-safety: thread-safe; the environment is read at the first point that is reached.
// Blocking:      never blocks.
#ifndef SHOAL_COMMON_FAILPOINT_H_
#define SHOAL_COMMON_FAILPOINT_H_

#ifdef SHOAL_FAILPOINTS

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace shoal {

// Ends this program with SIGKILL if `name` is armed so and due; UNAVAILABLE if it is armed as an
// error; else OK.
absl::Status ReachFailpoint(absl::string_view name);

}  // namespace shoal

// For any place: only `kill` does something here.
#define SHOAL_FAILPOINT(name) ::shoal::ReachFailpoint(name).IgnoreError()
// For functions that return absl::Status or StatusOr: `error` makes them return here.
#define SHOAL_FAILPOINT_OR_RETURN(name)                                                          \
  do {                                                                                           \
    if (absl::Status shoal_failpoint_ = ::shoal::ReachFailpoint(name); !shoal_failpoint_.ok()) { \
      return shoal_failpoint_;                                                                   \
    }                                                                                            \
  } while (false)

#else

#define SHOAL_FAILPOINT(name) static_cast<void>(0)
#define SHOAL_FAILPOINT_OR_RETURN(name) static_cast<void>(0)

#endif  // SHOAL_FAILPOINTS

#endif  // SHOAL_COMMON_FAILPOINT_H_
