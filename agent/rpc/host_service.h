// HostService at the wire: what this host is and can do.
//
// Ownership:     created by the server, outlives every call.
// Thread-safety: thread-safe; gRPC calls it on its own threads.
// Blocking:      never blocks; facts and checks are gathered on the helper thread.
#ifndef SHOAL_AGENT_RPC_HOST_SERVICE_H_
#define SHOAL_AGENT_RPC_HOST_SERVICE_H_

#include <grpcpp/support/server_callback.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "agent/log/audit_log.h"
#include "agent/os/helper_thread.h"
#include "agent/os/host_checks.h"
#include "agent/os/library_search.h"
#include "agent/rpc/edge.h"
#include "shoal/v1/host_service.grpc.pb.h"

namespace shoal::agent {

// What does not change while the agent runs.
struct HostInfo {
  std::string version;
  int slots = 0;  // 0: as many as cores
  std::map<std::string, std::string> labels;
  std::string state_dir;
  std::vector<std::string> capabilities;
  absl::Time start_time;
  absl::Duration template_dead_man;  // zero: templates end with the agent
  HostCheckInput checks;
  const AuditLog* audit = nullptr;  // outlives the service
  HelperThread* helper = nullptr;   // outlives the service
};

class HostService final : public v1::HostService::CallbackService {
 public:
  HostService(const Edge* edge, HostInfo info)
      : edge_(edge), info_(std::make_shared<const HostInfo>(std::move(info))) {}

  grpc::ServerUnaryReactor* Get(grpc::CallbackServerContext* context,
                                const v1::HostServiceGetRequest* request,
                                v1::HostServiceGetResponse* response) override;
  grpc::ServerUnaryReactor* FindMissingLibraries(
      grpc::CallbackServerContext* context, const v1::FindMissingLibrariesRequest* request,
      v1::FindMissingLibrariesResponse* response) override;

 private:
  const Edge* const edge_;
  // shared: this, and answers that still stand in the helper's queue.
  const std::shared_ptr<const HostInfo> info_;
  // Helper thread only.
  const std::shared_ptr<LibrarySearch> libraries_ = std::make_shared<LibrarySearch>();
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_RPC_HOST_SERVICE_H_
