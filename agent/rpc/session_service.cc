#include "agent/rpc/session_service.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "agent/rpc/agent_time.h"
#include "agent/rpc/commands.h"
#include "agent/rpc/process_conversion.h"
#include "agent/rpc/request_checks.h"
#include "agent/rpc/session_list.h"
#include "agent/rpc/session_rule.h"
#include "agent/rpc/unary_call.h"
#include "agent/spec/time_conversion.h"
#include "common/status.h"

namespace shoal::agent {
namespace {

absl::StatusOr<CloseSessionCommand> ToCommand(const v1::CloseRequest& request,
                                              const Permit& permit) {
  CloseSessionCommand command{permit};
  command.session_id = request.session_id();
  command.token = request.token();
  command.forget = request.forget();
  command.keep_descendants = request.keep_descendants();
  if (command.session_id.empty()) return absl::InvalidArgumentError("session_id is empty");
  if (request.has_grace()) {
    SHOAL_ASSIGN_OR_RETURN(command.grace, ToDuration(request.grace(), "grace"));
  }
  if (request.has_timeout()) {
    SHOAL_ASSIGN_OR_RETURN(command.timeout, ToDuration(request.timeout(), "timeout"));
  }
  if (request.has_forget_after()) {
    SHOAL_ASSIGN_OR_RETURN(command.forget_after,
                           ToDuration(request.forget_after(), "forget_after"));
  }
  return command;
}

// Open and Takeover are answered alike.
template <typename Response>
OpenCallback AnswerToken(const Edge* edge, std::shared_ptr<UnaryCall<Response>> call) {
  return [edge, call = std::move(call)](absl::StatusOr<const SessionEntry*> session) {
    if (!session.ok()) return call->Fail(session.status());
    call->Answer([&](Response* filled) {
      SetSession(**session, edge->supervisor->LiveProcessesOf((*session)->id),
                 edge->clock->BootTime(), filled->mutable_session());
      filled->set_token((*session)->token);
      filled->set_agent_id(edge->agent_id);
      filled->set_boot_id(edge->boot_id);
    });
  };
}

}  // namespace

grpc::ServerUnaryReactor* SessionService::Open(Context* context, const v1::OpenRequest* request,
                                               v1::OpenResponse* response) {
  auto call = UnaryCall<v1::OpenResponse>::Begin(edge_, *context, *request, response);
  if (!call->has_permit()) return call.get();
  TellTime(edge_->clock, context);
  absl::StatusOr<OpenSessionCommand> command = agent::ToCommand(*request, call->permit());
  if (!command.ok()) return call->Failed(command.status());
  call->CarryOut([edge = edge_, command = *std::move(command), call]() mutable {
    edge->supervisor->OpenSession(std::move(command), AnswerToken(edge, std::move(call)));
  });
  return call.get();
}

grpc::ServerUnaryReactor* SessionService::Takeover(Context* context,
                                                   const v1::TakeoverRequest* request,
                                                   v1::TakeoverResponse* response) {
  auto call = UnaryCall<v1::TakeoverResponse>::Begin(edge_, *context, *request, response);
  if (!call->has_permit()) return call.get();
  TellTime(edge_->clock, context);
  absl::StatusOr<TakeoverCommand> command = agent::ToCommand(*request, call->permit());
  if (!command.ok()) return call->Failed(command.status());
  auto ask = [edge = edge_, permit = call->permit(), id = request->session_id()] {
    return AskInSession(*edge, permit, id);
  };
  call->CarryOut(std::move(ask), [edge = edge_, command = *std::move(command), call]() mutable {
    edge->supervisor->TakeOverSession(std::move(command), AnswerToken(edge, std::move(call)));
  });
  return call.get();
}

grpc::ServerUnaryReactor* SessionService::KeepAlive(Context* context,
                                                    const v1::KeepAliveRequest* request,
                                                    v1::KeepAliveResponse* response) {
  auto call = UnaryCall<v1::KeepAliveResponse>::Begin(edge_, *context, *request, response);
  if (!call->has_permit()) return call.get();
  call->CarryOut([edge = edge_, permit = call->permit(), id = request->session_id(),
                  token = request->token(), call] {
    absl::StatusOr<absl::Duration> ttl = edge->supervisor->KeepAlive(permit, id, token);
    if (!ttl.ok()) return call->Fail(ttl.status());
    call->Answer([&](v1::KeepAliveResponse* filled) { SetDuration(*ttl, filled->mutable_ttl()); });
  });
  return call.get();
}

grpc::ServerUnaryReactor* SessionService::Close(Context* context, const v1::CloseRequest* request,
                                                v1::CloseResponse* response) {
  auto call = UnaryCall<v1::CloseResponse>::Begin(edge_, *context, *request, response);
  if (!call->has_permit()) return call.get();
  absl::StatusOr<CloseSessionCommand> command = ToCommand(*request, call->permit());
  if (!command.ok()) return call->Failed(command.status());
  auto answer = [call](absl::StatusOr<SessionEnd> end) {
    if (!end.ok()) return call->Fail(end.status());
    call->Answer([&](v1::CloseResponse* filled) {
      filled->set_terminated(end->terminated);
      filled->mutable_survivor_ids()->Assign(end->survivor_ids.begin(), end->survivor_ids.end());
      filled->mutable_kept_ids()->Assign(end->kept_ids.begin(), end->kept_ids.end());
    });
  };
  auto ask = [edge = edge_, permit = call->permit(), id = request->session_id(),
              token = request->token()] { return AskByToken(*edge, permit, id, token); };
  call->CarryOut(std::move(ask), [edge = edge_, command = *std::move(command), answer] {
    edge->supervisor->CloseSession(command, answer);
  });
  return call.get();
}

grpc::ServerUnaryReactor* SessionService::List(Context* context,
                                               const v1::SessionServiceListRequest* request,
                                               v1::SessionServiceListResponse* response) {
  auto call = UnaryCall<v1::SessionServiceListResponse>::Begin(edge_, *context, *request, response);
  if (!call->has_permit()) return call.get();
  if (absl::Status checked = CheckPage(*request); !checked.ok()) return call->Failed(checked);
  if (!request->session_id().empty()) {
    if (!request->page_token().empty()) {
      return call->Failed(absl::InvalidArgumentError("page_token and session_id are given"));
    }
    call->CarryOut([edge = edge_, permit = call->permit(), id = request->session_id(), call] {
      AnswerSession(edge, permit, id, call);
    });
    return call.get();
  }
  call->CarryOut([edge = edge_, permit = call->permit(), after_id = request->page_token(),
                  page_size = request->page_size(), call]() mutable {
    AnswerSessions(edge, permit, std::move(after_id), page_size, call);
  });
  return call.get();
}

}  // namespace shoal::agent
