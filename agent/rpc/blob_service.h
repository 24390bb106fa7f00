// BlobService at the wire: every method checks, hands over to the thread of disk work and returns.
//
// Ownership:     created by the server, outlives every call. Owns nothing.
// Thread-safety: thread-safe; gRPC calls it on its own threads.
// Blocking:      never blocks.
#ifndef SHOAL_AGENT_RPC_BLOB_SERVICE_H_
#define SHOAL_AGENT_RPC_BLOB_SERVICE_H_

#include <grpcpp/support/server_callback.h>

#include "agent/rpc/edge.h"
#include "shoal/v1/blob_service.grpc.pb.h"

namespace shoal::agent {

class BlobService final : public v1::BlobService::CallbackService {
 public:
  explicit BlobService(const Edge* edge) : edge_(edge) {}

  grpc::ServerUnaryReactor* FindMissing(grpc::CallbackServerContext* context,
                                        const v1::FindMissingRequest* request,
                                        v1::FindMissingResponse* response) override;
  grpc::ServerReadReactor<v1::WriteRequest>* Write(grpc::CallbackServerContext* context,
                                                   v1::WriteResponse* response) override;
  grpc::ServerWriteReactor<v1::ReadResponse>* Read(grpc::CallbackServerContext* context,
                                                   const v1::ReadRequest* request) override;

 private:
  const Edge* const edge_;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_RPC_BLOB_SERVICE_H_
