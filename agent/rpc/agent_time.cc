#include "agent/rpc/agent_time.h"

#include <grpcpp/server_context.h>

#include "absl/strings/str_cat.h"
#include "shoal/v1/metadata.h"

namespace shoal::agent {

void TellTime(Clock* clock, grpc::CallbackServerContext* context) {
  context->AddTrailingMetadata(v1::kAgentTimeMetadata,
                               absl::StrCat(absl::ToUnixMillis(clock->Now())));
}

}  // namespace shoal::agent
