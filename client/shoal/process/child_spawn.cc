#include "shoal/process/child_spawn.h"

#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "common/status.h"
#include "shoal/error.h"
#include "shoal/process/child_program.h"
#include "shoal/process/empty_tree.h"
#include "shoal/process/inherited.h"
#include "shoal/process/program.h"

namespace shoal::internal {
namespace {

// How long Start() tries to reach a host that is gone.
constexpr absl::Duration kSpawnPatience = absl::Seconds(30);

// Whether a call that ended so may have been carried out, or be yet.
bool MayBeDone(const absl::Status& status) {
  return absl::IsDeadlineExceeded(status) || absl::IsUnavailable(status);
}

// An agent of 0.1 gives no reason, but the word at the beginning of the message.
bool IsSessionOver(const absl::Status& refusal) {
  if (!absl::IsFailedPrecondition(refusal)) return false;
  const std::optional<v1::ErrorInfo> info = ErrorInfoOf(refusal);
  return info.has_value() ? info->reason() == "SESSION_EXPIRED"
                          : absl::StartsWith(refusal.message(), "SESSION_EXPIRED");
}

}  // namespace

// A name that is held by an ended process, whose tree was not seen to be empty yet, is waited for:
// a caller that has seen that a process is not alive may start it again.
absl::StatusOr<v1::Process> ChildSpawn::Start(const ProcessOptions& options, const Work& work) {
  host_ = options.host != nullptr ? options.host : options.slot.host;
  if (host_ == nullptr) {
    SHOAL_ASSIGN_OR_RETURN(host_, Program::Get().LocalHost());
  }
  v1::SpawnRequest request;
  *request.mutable_spec() = MakeSpec(options, work);
  SHOAL_RETURN_IF_ERROR(AddInherited(options, request.mutable_spec()));
  if (work.is_function()) {
    SHOAL_RETURN_IF_ERROR(AddProgram(*host_, work, request.mutable_spec()));
  }
  if (!options.detached) {
    SHOAL_ASSIGN_OR_RETURN(*request.mutable_session_id(), Program::Get().SessionOn(host_));
  }
  absl::StatusOr<v1::Process> process = Call(options.request_id, request);
  if (IsSessionOver(process.status())) {
    // It lapsed, and this program, which may have been stopped, has not heard of it yet.
    SHOAL_ASSIGN_OR_RETURN(*request.mutable_session_id(),
                           Program::Get().SessionOn(host_, request.session_id()));
    process = Call(options.request_id, request);
  }
  // A refusal is kept by its request_id.
  if (!absl::IsAlreadyExists(process.status()) || !options.request_id.empty()) return process;
  if (!AwaitFreeName(*host_, request.session_id(), options.name)) return process;
  return Call(options.request_id, std::move(request));
}

// The agent answers the same id with the process that it started for it, so that a second Start()
// finds what the first one may have left behind.
absl::StatusOr<v1::Process> ChildSpawn::Call(const std::string& given_id,
                                             v1::SpawnRequest request) {
  if (request_id_.empty()) request_id_ = given_id.empty() ? host_->NewRequestId() : given_id;
  request.set_request_id(request_id_);
  CallOptions call;
  call.timeout = SpawnTimeoutOf(request.spec());
  call.patience = kSpawnPatience;
  absl::StatusOr<v1::SpawnResponse> response = host_->Spawn(std::move(request), call);
  if (!MayBeDone(response.status())) request_id_.clear();
  SHOAL_RETURN_IF_ERROR(response.status());
  return std::move(*response->mutable_process());
}

}  // namespace shoal::internal
