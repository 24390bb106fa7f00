// TemplateService at the wire: every method checks, posts to the loop and returns.
//
// Ownership:     created by the server, outlives every call. Owns nothing.
// Thread-safety: thread-safe; gRPC calls it on its own threads.
// Blocking:      never blocks.
#ifndef SHOAL_AGENT_RPC_TEMPLATE_SERVICE_H_
#define SHOAL_AGENT_RPC_TEMPLATE_SERVICE_H_

#include <grpcpp/support/server_callback.h>

#include "agent/rpc/edge.h"
#include "shoal/v1/template_service.grpc.pb.h"

namespace shoal::agent {

class TemplateService final : public v1::TemplateService::CallbackService {
 public:
  explicit TemplateService(const Edge* edge) : edge_(edge) {}

  using Context = grpc::CallbackServerContext;
  using Unary = grpc::ServerUnaryReactor;

  Unary* Create(Context* context, const v1::TemplateServiceCreateRequest* request,
                v1::TemplateServiceCreateResponse* response) override;
  Unary* List(Context* context, const v1::TemplateServiceListRequest* request,
              v1::TemplateServiceListResponse* response) override;
  Unary* Delete(Context* context, const v1::TemplateServiceDeleteRequest* request,
                v1::TemplateServiceDeleteResponse* response) override;

 private:
  const Edge* const edge_;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_RPC_TEMPLATE_SERVICE_H_
