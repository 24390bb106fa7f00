// Requests of ProcessService, SessionService and TemplateService, checked and in the core's words.
//
// Thread-safety: thread-safe; runs on gRPC threads, before anything is posted to the loop.
// Errors:        INVALID_ARGUMENT naming the field, ABORTED (another agent or boot than the caller
//                believes).
#ifndef SHOAL_AGENT_RPC_COMMANDS_H_
#define SHOAL_AGENT_RPC_COMMANDS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/core/commands.h"
#include "agent/rpc/edge.h"
#include "shoal/v1/process_service.pb.h"
#include "shoal/v1/session_service.pb.h"
#include "shoal/v1/template_service.pb.h"

namespace shoal::agent {

absl::StatusOr<SpawnCommand> ToCommand(const v1::SpawnRequest& request, const Edge& edge,
                                       const Permit& permit);
absl::StatusOr<SpawnCommand> ToCommand(const v1::SpawnBatchRequest& request, const Edge& edge,
                                       const Permit& permit);
absl::StatusOr<TerminateCommand> ToCommand(const v1::TerminateRequest& request,
                                           const Permit& permit);
absl::StatusOr<UpdateCommand> ToCommand(const v1::UpdateRequest& request, const Permit& permit);
absl::StatusOr<OpenSessionCommand> ToCommand(const v1::OpenRequest& request, const Permit& permit);
absl::StatusOr<TakeoverCommand> ToCommand(const v1::TakeoverRequest& request, const Permit& permit);
absl::StatusOr<DeleteCommand> ToCommand(const v1::DeleteRequest& request, const Permit& permit);
absl::StatusOr<CreateTemplateCommand> ToCommand(const v1::TemplateServiceCreateRequest& request,
                                                const Edge& edge, const Permit& permit);
absl::StatusOr<DeleteTemplatesCommand> ToCommand(const v1::TemplateServiceDeleteRequest& request,
                                                 const Permit& permit);
absl::StatusOr<SignalCommand> ToCommand(const v1::SignalRequest& request, const Permit& permit);

struct WaitCommand {
  Permit permit;
  Selector selector = {};
  Until until = Until::kExited;
  bool any = false;
  absl::Duration timeout = {};  // infinite: until the call's deadline
};
absl::StatusOr<WaitCommand> ToCommand(const v1::WaitRequest& request, const Permit& permit);

// When a Spawn is to be answered.
struct StartedWait {
  Until until = Until::kStarted;
  absl::Duration timeout;  // from the start on; infinite: until the call's deadline
};
absl::StatusOr<StartedWait> ToStartedWait(const v1::SpawnRequest& request);

absl::StatusOr<std::vector<Acknowledgement>> ToAcknowledgements(
    const v1::AcknowledgeOutputRequest& request);

// The stream of a StreamKind; INVALID_ARGUMENT for one that is unknown.
absl::StatusOr<int> ToStream(int kind);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_RPC_COMMANDS_H_
