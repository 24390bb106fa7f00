// What is to be read from what an agent tells of a rank.
//
// Thread-safety: thread-safe.
// Blocking:      never blocks.
// Errors:        none.
#ifndef SHOAL_CLIENT_SHOAL_JOB_RANK_FACTS_H_
#define SHOAL_CLIENT_SHOAL_JOB_RANK_FACTS_H_

#include "absl/status/status.h"
#include "shoal/v1/process_service.pb.h"

namespace shoal {

// Its program ran.
bool HasStarted(const v1::Process& process);
// The agent ended it because a caller asked: here, this program did. Also before it ran.
bool WasEndedOnRequest(const v1::Process& process);
// The request may have been carried out although no answer came.
bool IsUncertain(const absl::Status& status);
v1::RequestError ErrorFrom(const absl::Status& status);

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_JOB_RANK_FACTS_H_
