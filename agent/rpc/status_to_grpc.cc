#include "agent/rpc/status_to_grpc.h"

#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "agent/core/reason.h"
#include "common/error_info.h"
#include "common/escape.h"
#include "common/utf8.h"
#include "shoal/v1/error_detail.pb.h"

namespace shoal::agent {
namespace {

constexpr absl::string_view kCut = "…";

std::string DetailsOf(const absl::Status& status, const std::string& message) {
  std::optional<StartFailure> failure = StartFailureOf(status);
  const absl::optional<absl::Cord> reason = status.GetPayload(kReasonPayload);
  const bool is_for_now = absl::IsUnavailable(status);
  if (!failure.has_value() && !reason.has_value() && !is_for_now) return "";
  v1::ErrorInfo info;
  info.set_domain("shoal.dev");
  if (failure.has_value()) {
    info.set_reason(kStartFailedReason);
    (*info.mutable_metadata())["stage"] = CapMessage(failure->stage);
    (*info.mutable_metadata())["errno"] = absl::StrCat(failure->error_number);
  } else {
    info.set_reason(reason.has_value() ? std::string(*reason) : kRefusedForNowReason);
  }
  v1::ErrorDetails details;
  details.set_code(static_cast<int>(status.code()));
  details.set_message(message);
  google::protobuf::Any* any = details.add_details();
  any->set_type_url(kErrorInfoUrl);
  any->set_value(info.SerializeAsString());
  return details.SerializeAsString();
}

}  // namespace

std::string CapMessage(absl::string_view message) {
  std::string text = EscapeForMessage(message, message.size());
  if (text.size() <= kMaxMessageBytes) return text;
  return absl::StrCat(CutUtf8(text, kMaxMessageBytes - kCut.size()), kCut);
}

std::optional<StartFailure> StartFailureOf(const absl::Status& status) {
  absl::optional<absl::Cord> payload = status.GetPayload(kStartFailureUrl);
  if (!payload.has_value()) return std::nullopt;
  std::string text(*payload);
  std::vector<absl::string_view> lines = absl::StrSplit(text, '\n');
  StartFailure failure;
  failure.stage = std::string(lines[0]);
  if (lines.size() < 2 || !absl::SimpleAtoi(lines[1], &failure.error_number)) return std::nullopt;
  failure.message = std::string(status.message());
  return failure;
}

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  std::string message = CapMessage(status.message());
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), message,
                      DetailsOf(status, message));
}

void SetError(const absl::Status& status, v1::RequestError* error) {
  error->set_code(static_cast<int>(status.code()));
  error->set_message(CapMessage(status.message()));
  std::optional<StartFailure> failure = StartFailureOf(status);
  if (!failure.has_value()) return;
  error->mutable_start_failure()->set_stage(CapMessage(failure->stage));
  error->mutable_start_failure()->set_error_number(failure->error_number);
  error->mutable_start_failure()->set_message(CapMessage(failure->message));
}

}  // namespace shoal::agent
