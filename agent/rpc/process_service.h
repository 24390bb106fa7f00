// ProcessService at the wire: every method checks, posts to the loop and returns.
//
// Ownership:     created by the server, outlives every call. Owns nothing.
// Thread-safety: thread-safe; gRPC calls it on its own threads.
// Blocking:      never blocks.
// Cancel:        a call that the client gives up ends at once; a spawn or an end that was accepted
//                goes on.
#ifndef SHOAL_AGENT_RPC_PROCESS_SERVICE_H_
#define SHOAL_AGENT_RPC_PROCESS_SERVICE_H_

#include <grpcpp/support/server_callback.h>

#include "agent/rpc/edge.h"
#include "shoal/v1/process_service.grpc.pb.h"

namespace shoal::agent {

class ProcessService final : public v1::ProcessService::CallbackService {
 public:
  explicit ProcessService(const Edge* edge) : edge_(edge) {}

  using Context = grpc::CallbackServerContext;
  using Unary = grpc::ServerUnaryReactor;

  Unary* Spawn(Context* context, const v1::SpawnRequest* request,
               v1::SpawnResponse* response) override;
  Unary* SpawnBatch(Context* context, const v1::SpawnBatchRequest* request,
                    v1::SpawnBatchResponse* response) override;
  Unary* Get(Context* context, const v1::GetRequest* request, v1::GetResponse* response) override;
  Unary* List(Context* context, const v1::ListRequest* request,
              v1::ListResponse* response) override;
  Unary* Wait(Context* context, const v1::WaitRequest* request,
              v1::WaitResponse* response) override;
  Unary* Signal(Context* context, const v1::SignalRequest* request,
                v1::SignalResponse* response) override;
  Unary* Terminate(Context* context, const v1::TerminateRequest* request,
                   v1::TerminateResponse* response) override;
  Unary* Update(Context* context, const v1::UpdateRequest* request,
                v1::UpdateResponse* response) override;
  Unary* Delete(Context* context, const v1::DeleteRequest* request,
                v1::DeleteResponse* response) override;
  Unary* AcknowledgeOutput(Context* context, const v1::AcknowledgeOutputRequest* request,
                           v1::AcknowledgeOutputResponse* response) override;
  Unary* WriteInput(Context* context, const v1::WriteInputRequest* request,
                    v1::WriteInputResponse* response) override;
  Unary* ResizeTerminal(Context* context, const v1::ResizeTerminalRequest* request,
                        v1::ResizeTerminalResponse* response) override;

  grpc::ServerWriteReactor<v1::WatchResponse>* Watch(Context* context,
                                                     const v1::WatchRequest* request) override;
  grpc::ServerWriteReactor<v1::ReadOutputResponse>* ReadOutput(
      Context* context, const v1::ReadOutputRequest* request) override;
  grpc::ServerBidiReactor<v1::StreamInputRequest, v1::StreamInputResponse>* StreamInput(
      Context* context) override;

 private:
  const Edge* const edge_;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_RPC_PROCESS_SERVICE_H_
