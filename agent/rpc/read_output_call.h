// ReadOutput: the request in the words of agent/output/, and its frames as messages of a stream.
//
// Ownership:     what a call is made of belongs to its stream's hooks, until OnDone.
// Thread-safety: gRPC threads.
// Blocking:      never blocks.
// Errors:        INVALID_ARGUMENT: a bad selector, unknown streams, negative offsets or counts;
//                then those of OutputFollower.
#ifndef SHOAL_AGENT_RPC_READ_OUTPUT_CALL_H_
#define SHOAL_AGENT_RPC_READ_OUTPUT_CALL_H_

#include <grpcpp/support/server_callback.h>

#include "absl/status/statusor.h"
#include "agent/output/output_query.h"
#include "agent/rpc/edge.h"
#include "shoal/v1/process_service.pb.h"

namespace shoal::agent {

absl::StatusOr<OutputQuery> ToQuery(const v1::ReadOutputRequest& request, const Permit& permit);

grpc::ServerWriteReactor<v1::ReadOutputResponse>* BeginReadOutput(
    const Edge* edge, const absl::StatusOr<Permit>& permit, const v1::ReadOutputRequest& request);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_RPC_READ_OUTPUT_CALL_H_
