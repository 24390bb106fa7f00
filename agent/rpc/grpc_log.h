// What gRPC and protobuf log, as lines of the agent's log: their own way is a write to stderr, which
// blocks where that is not read.
//
// Thread-safety: before the first use of gRPC.
#ifndef SHOAL_AGENT_RPC_GRPC_LOG_H_
#define SHOAL_AGENT_RPC_GRPC_LOG_H_

namespace shoal::agent {

void RedirectGrpcLog();

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_RPC_GRPC_LOG_H_
