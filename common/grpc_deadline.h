// The deadlines of gRPC, made here alone, by the monotonic clock: one made of the wall clock ends a
// call early, or an hour late, when that clock is set between the making and the call.
//
// Thread-safety: thread-safe.
// Blocking:      never blocks.
// Errors:        none.
#ifndef SHOAL_COMMON_GRPC_DEADLINE_H_
#define SHOAL_COMMON_GRPC_DEADLINE_H_

#include <grpc/support/time.h>

#include "absl/time/time.h"
#include "common/boot_time.h"

namespace shoal {

// For ClientContext::set_deadline(), Alarm::Set(), CompletionQueue::AsyncNext() and
// Server::Shutdown(), which take a gpr_timespec of any clock. What is over is over at once.
inline gpr_timespec GrpcDeadlineAfter(absl::Duration span) {
  // A year, which gRPC's own arithmetic bears.
  if (span > absl::Hours(24 * 365)) return gpr_inf_future(GPR_CLOCK_MONOTONIC);
  if (span < absl::ZeroDuration()) span = absl::ZeroDuration();
  const timespec part = absl::ToTimespec(span);
  gpr_timespec later = gpr_time_0(GPR_TIMESPAN);
  later.tv_sec = part.tv_sec;
  later.tv_nsec = static_cast<int32_t>(part.tv_nsec);
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), later);
}

inline gpr_timespec GrpcDeadline(BootTime deadline) {
  return GrpcDeadlineAfter(deadline - BootTime::Now());
}

}  // namespace shoal

#endif  // SHOAL_COMMON_GRPC_DEADLINE_H_
