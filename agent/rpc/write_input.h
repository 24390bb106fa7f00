// WriteInput: one call, one piece of input. And what ResizeTerminal asks for.
//
// Thread-safety: thread-safe; runs on gRPC threads, and posts to the loop.
// Blocking:      never blocks.
// Errors:        INVALID_ARGUMENT names the field; the rest is that of WriteInput of the proto.
#ifndef SHOAL_AGENT_RPC_WRITE_INPUT_H_
#define SHOAL_AGENT_RPC_WRITE_INPUT_H_

#include <grpcpp/support/server_callback.h>

#include "absl/status/statusor.h"
#include "agent/core/commands.h"
#include "agent/rpc/edge.h"
#include "shoal/v1/process_service.pb.h"

namespace shoal::agent {

absl::StatusOr<WriteInputCommand> ToCommand(const v1::WriteInputRequest& request,
                                            const Permit& permit);
// `first` is the first message of the stream, which names process and writer.
absl::StatusOr<WriteInputCommand> ToCommand(v1::StreamInputRequest&& request,
                                            const v1::StreamInputRequest& first,
                                            const Permit& permit);

absl::StatusOr<ResizeCommand> ToCommand(const v1::ResizeTerminalRequest& request,
                                        const Permit& permit);

grpc::ServerUnaryReactor* BeginWriteInput(const Edge* edge,
                                          const grpc::CallbackServerContext& context,
                                          const v1::WriteInputRequest& request,
                                          v1::WriteInputResponse* response);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_RPC_WRITE_INPUT_H_
