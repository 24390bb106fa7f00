#include "shoal/job/rank_facts.h"

#include <cerrno>
#include <string>

#include "shoal/error.h"

namespace shoal {

bool HasStarted(const v1::Process& process) {
  switch (process.state()) {
    case v1::STATE_RUNNING:
    case v1::STATE_STOPPING:
    case v1::STATE_EXITED:
      return true;
    default:
      return process.has_start_time() && process.state() != v1::STATE_FAILED_TO_START;
  }
}

bool WasEndedOnRequest(const v1::Process& process) {
  if (process.state() == v1::STATE_FAILED_TO_START) {
    return process.start_failure().error_number() == ECANCELED;
  }
  return process.exit().cause() == v1::CAUSE_TERMINATED ||
         process.exit().cause() == v1::CAUSE_SESSION_CLOSED;
}

bool IsUncertain(const absl::Status& status) {
  return IsUnreachable(status) || absl::IsDeadlineExceeded(status) || absl::IsCancelled(status) ||
         absl::IsAborted(status);
}

v1::RequestError ErrorFrom(const absl::Status& status) {
  v1::RequestError error;
  error.set_code(static_cast<int>(status.code()));
  error.set_message(std::string(status.message()));
  return error;
}

}  // namespace shoal
