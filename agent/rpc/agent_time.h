// Tells a caller what time it is here, so that it can make its request_ids by this clock.
//
// Ownership:     stateless.
// Thread-safety: thread-safe.
// Blocking:      never blocks.
// Errors:        none.
#ifndef SHOAL_AGENT_RPC_AGENT_TIME_H_
#define SHOAL_AGENT_RPC_AGENT_TIME_H_

#include <grpcpp/support/server_callback.h>

#include "agent/core/ports/clock.h"

namespace shoal::agent {

// REQUIRES: before the call is finished. See proto/shoal/v1/metadata.h.
void TellTime(Clock* clock, grpc::CallbackServerContext* context);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_RPC_AGENT_TIME_H_
