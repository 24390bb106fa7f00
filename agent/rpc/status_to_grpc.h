// The one place where a status becomes what goes over the wire.
//
// Messages are cut at 1 KiB and escaped: a 9 kB one failed an unrelated call on the same channel
// (gRPC 1.51), and a control character must not reach a terminal or a log.
//
// Thread-safety: thread-safe.
#ifndef SHOAL_AGENT_RPC_STATUS_TO_GRPC_H_
#define SHOAL_AGENT_RPC_STATUS_TO_GRPC_H_

#include <grpcpp/support/status.h>

#include <cstddef>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "agent/core/model.h"
#include "shoal/v1/process_service.pb.h"

namespace shoal::agent {

inline constexpr size_t kMaxMessageBytes = 1024;

// The payload by which the core tells why a start was refused: "<stage>\n<errno>\n".
inline constexpr char kStartFailureUrl[] = "shoal.dev/StartFailure";

// `message` without control characters and invalid UTF-8, at most 1 KiB, cut at a character.
std::string CapMessage(absl::string_view message);

// The start failure that a status carries, if it does.
std::optional<StartFailure> StartFailureOf(const absl::Status& status);

// The same code; details with google.rpc.ErrorInfo {START_FAILED, stage, errno} where the status
// carries a start failure, or with another reason that it carries (reason.h). UNAVAILABLE always has
// one, REFUSED_FOR_NOW at least: without, clients take it for a connection that is broken.
grpc::Status ToGrpc(const absl::Status& status);

// The same for one of several things.
void SetError(const absl::Status& status, v1::RequestError* error);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_RPC_STATUS_TO_GRPC_H_
