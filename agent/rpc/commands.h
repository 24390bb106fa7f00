// Requests of ProcessService and SessionService, checked and in the core's words.
//
// Thread-safety: thread-safe; runs on gRPC threads, before anything is posted to the loop.
// Errors:        INVALID_ARGUMENT naming the field, FAILED_PRECONDITION (request_id too old),
//                ABORTED (another agent or boot than the caller believes).
#ifndef SHOAL_AGENT_RPC_COMMANDS_H_
#define SHOAL_AGENT_RPC_COMMANDS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/core/supervisor.h"
#include "agent/rpc/edge.h"
#include "shoal/v1/process_service.pb.h"
#include "shoal/v1/session_service.pb.h"

namespace shoal::agent {

absl::StatusOr<SpawnCommand> ToCommand(const v1::SpawnRequest& request, const Edge& edge,
                                       const std::string& owner);
absl::StatusOr<SpawnCommand> ToCommand(const v1::SpawnBatchRequest& request, const Edge& edge,
                                       const std::string& owner);
absl::StatusOr<TerminateCommand> ToCommand(const v1::TerminateRequest& request,
                                           const std::string& owner);
absl::StatusOr<UpdateCommand> ToCommand(const v1::UpdateRequest& request, const std::string& owner);
absl::StatusOr<OpenSessionCommand> ToCommand(const v1::OpenRequest& request, const Edge& edge,
                                             const std::string& owner);

struct SignalCommand {
  std::string owner;
  std::string request_id;
  Selector selector;
  int signal = 0;
  SignalScope scope = SignalScope::kProcess;
};
absl::StatusOr<SignalCommand> ToCommand(const v1::SignalRequest& request, const std::string& owner);

struct WaitCommand {
  Selector selector;
  Until until = Until::kExited;
  bool any = false;
  absl::Duration timeout;  // infinite: until the call's deadline
};
absl::StatusOr<WaitCommand> ToCommand(const v1::WaitRequest& request);

// What to forget.
absl::StatusOr<Selector> ToDeletion(const v1::DeleteRequest& request);

struct Acknowledgement {
  std::string id;
  int stream = 0;  // 0 stdout, 1 stderr, 2 result
  int64_t offset = 0;
};
absl::StatusOr<std::vector<Acknowledgement>> ToAcknowledgements(
    const v1::AcknowledgeOutputRequest& request);

// 0 for STDOUT, 1 for STDERR, 2 for RESULT; INVALID_ARGUMENT for anything else.
absl::StatusOr<int> ToStream(int kind);

// What a request is about, for the audit line.
std::string Describe(const v1::ProcessSpec& spec);
std::string Describe(const v1::Selector& selector);
std::string DescribeBatch(const v1::SpawnBatchRequest& request);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_RPC_COMMANDS_H_
