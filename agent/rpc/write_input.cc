#include "agent/rpc/write_input.h"

#include <limits>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/rpc/process_conversion.h"
#include "agent/rpc/unary_call.h"
#include "agent/spec/spec_checks.h"
#include "agent/spec/time_conversion.h"
#include "common/status.h"

namespace shoal::agent {
namespace {

constexpr size_t kMaxDataBytes = 512 << 10;
constexpr size_t kMaxWriterBytes = 64;
constexpr absl::Duration kLongestHold = absl::Minutes(1);

absl::StatusOr<std::string> OneTerm(const std::string& term) {
  v1::Selector one;
  one.add_terms(term);
  SHOAL_ASSIGN_OR_RETURN(Selector selector, ToSelector(one));
  return std::move(selector.terms[0]);
}

absl::Status CheckPiece(int64_t offset, const std::string& data, const std::string& writer) {
  if (offset < 0) {
    return absl::InvalidArgumentError(absl::StrCat("offset is ", offset, ": must not be negative"));
  }
  if (data.size() > kMaxDataBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("data is ", data.size(), " bytes, limit ", kMaxDataBytes));
  }
  if (offset > std::numeric_limits<int64_t>::max() - static_cast<int64_t>(data.size())) {
    return absl::InvalidArgumentError(absl::StrCat("offset ", offset, " is too large"));
  }
  if (writer.size() <= kMaxWriterBytes) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("writer is ", writer.size(), " bytes, limit ", kMaxWriterBytes));
}

absl::StatusOr<InputUntil> ToUntil(int until) {
  switch (until) {
    case v1::WriteInputRequest::UNTIL_UNSPECIFIED:
    case v1::WriteInputRequest::UNTIL_KEPT:
      return InputUntil::kKept;
    case v1::WriteInputRequest::UNTIL_FED:
      return InputUntil::kFed;
    case v1::WriteInputRequest::UNTIL_TAKEN:
      return InputUntil::kTaken;
    default:
      return absl::InvalidArgumentError(absl::StrCat("unknown WriteInputRequest.Until ", until));
  }
}

}  // namespace

absl::StatusOr<WriteInputCommand> ToCommand(const v1::WriteInputRequest& request,
                                            const Permit& permit) {
  WriteInputCommand command{permit};
  SHOAL_ASSIGN_OR_RETURN(command.selector, OneTerm(request.selector()));
  SHOAL_RETURN_IF_ERROR(CheckPiece(request.offset(), request.data(), request.writer()));
  SHOAL_ASSIGN_OR_RETURN(command.until, ToUntil(request.until()));
  if (request.has_timeout()) {
    SHOAL_ASSIGN_OR_RETURN(command.timeout, ToDuration(request.timeout(), "timeout"));
  }
  if (request.has_hold()) {
    SHOAL_ASSIGN_OR_RETURN(command.hold, ToDuration(request.hold(), "hold"));
    if (*command.hold > kLongestHold) {
      return absl::InvalidArgumentError(
          absl::StrCat("hold is ", absl::FormatDuration(*command.hold), ", limit ",
                       absl::FormatDuration(kLongestHold)));
    }
  }
  command.steal = request.steal();
  command.offset = request.offset();
  command.data = request.data();
  command.end = request.end();
  command.writer = request.writer();
  return command;
}

absl::StatusOr<WriteInputCommand> ToCommand(v1::StreamInputRequest&& request,
                                            const v1::StreamInputRequest& first,
                                            const Permit& permit) {
  WriteInputCommand command{permit};
  if (!request.selector().empty() && request.selector() != first.selector()) {
    return absl::InvalidArgumentError("one StreamInput is one process: selector has changed");
  }
  if (!request.writer().empty() && request.writer() != first.writer()) {
    return absl::InvalidArgumentError("one StreamInput is one writer: writer has changed");
  }
  SHOAL_ASSIGN_OR_RETURN(command.selector, OneTerm(first.selector()));
  SHOAL_RETURN_IF_ERROR(CheckPiece(request.offset(), request.data(), first.writer()));
  command.offset = request.offset();
  command.data = std::move(*request.mutable_data());
  command.end = request.end();
  command.writer = first.writer();
  return command;
}

absl::StatusOr<ResizeCommand> ToCommand(const v1::ResizeTerminalRequest& request,
                                        const Permit& permit) {
  ResizeCommand command{permit};
  SHOAL_ASSIGN_OR_RETURN(command.selector, OneTerm(request.selector()));
  const v1::TerminalSize& size = request.size();
  SHOAL_RETURN_IF_ERROR(CheckTerminalSize("size", size.rows(), size.columns()));
  if (size.serial() == 0) return absl::InvalidArgumentError("size.serial is 0: that of the spec");
  command.size = {size.rows(), size.columns(), size.serial()};
  return command;
}

grpc::ServerUnaryReactor* BeginWriteInput(const Edge* edge,
                                          const grpc::CallbackServerContext& context,
                                          const v1::WriteInputRequest& request,
                                          v1::WriteInputResponse* response) {
  auto call = UnaryCall<v1::WriteInputResponse>::Begin(edge, context, request, response);
  if (!call->has_permit()) return call.get();
  absl::StatusOr<WriteInputCommand> command = ToCommand(request, call->permit());
  if (!command.ok()) return call->Failed(command.status());
  auto lease = edge->quota->Take(CallQuota::Kind::kInput, call->permit());
  if (!lease.ok()) return call->Failed(lease.status());
  auto ticket = std::make_shared<InputTicket>();
  call->SetOnCancel([edge, ticket] {
    edge->loop->Post([edge, ticket] { edge->supervisor->CancelInput(ticket.get()); });
  });
  auto answer = [call, lease = *std::move(lease)](absl::StatusOr<InputAnswer> outcome) {
    if (!outcome.ok()) return call->Fail(outcome.status());
    call->Answer([&](v1::WriteInputResponse* filled) {
      SetInput(*outcome->process, filled->mutable_position());
      filled->set_timed_out(outcome->timed_out);
    });
  };
  call->CarryOut(
      [edge, command = *std::move(command), ticket, answer = std::move(answer)]() mutable {
        edge->supervisor->WriteInput(std::move(command), std::move(ticket), std::move(answer));
      });
  return call.get();
}

}  // namespace shoal::agent
