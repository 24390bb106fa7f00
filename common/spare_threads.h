// Whether this program can have the threads that it is going to need. gRPC does not ask: where it cannot start one, it
// ends the program or hangs it for good.
//
// Thread-safety: thread-safe.
// Blocking:      for as long as it takes to start and end the threads, some 20 µs each.
// Errors:        RESOURCE_EXHAUSTED, with how many can be had and what limits them.
#ifndef SHOAL_COMMON_SPARE_THREADS_H_
#define SHOAL_COMMON_SPARE_THREADS_H_

#include "absl/status/status.h"

namespace shoal {

// `count` threads can be had at the same time, now.
absl::Status CheckSpareThreads(int count);

}  // namespace shoal

#endif  // SHOAL_COMMON_SPARE_THREADS_H_
