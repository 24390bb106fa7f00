// SessionService at the wire: every method checks, posts to the loop and returns.
//
// Ownership:     created by the server, outlives every call. Owns nothing.
// Thread-safety: thread-safe; gRPC calls it on its own threads.
// Blocking:      never blocks.
#ifndef SHOAL_AGENT_RPC_SESSION_SERVICE_H_
#define SHOAL_AGENT_RPC_SESSION_SERVICE_H_

#include <grpcpp/support/server_callback.h>

#include "agent/rpc/edge.h"
#include "shoal/v1/session_service.grpc.pb.h"

namespace shoal::agent {

class SessionService final : public v1::SessionService::CallbackService {
 public:
  explicit SessionService(const Edge* edge) : edge_(edge) {}

  using Context = grpc::CallbackServerContext;
  using Unary = grpc::ServerUnaryReactor;

  Unary* Open(Context* context, const v1::OpenRequest* request,
              v1::OpenResponse* response) override;
  Unary* KeepAlive(Context* context, const v1::KeepAliveRequest* request,
                   v1::KeepAliveResponse* response) override;
  Unary* Takeover(Context* context, const v1::TakeoverRequest* request,
                  v1::TakeoverResponse* response) override;
  Unary* Close(Context* context, const v1::CloseRequest* request,
               v1::CloseResponse* response) override;
  Unary* List(Context* context, const v1::SessionServiceListRequest* request,
              v1::SessionServiceListResponse* response) override;

 private:
  const Edge* const edge_;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_RPC_SESSION_SERVICE_H_
