#include "agent/rpc/process_service.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "agent/rpc/agent_time.h"
#include "agent/rpc/bulk_call.h"
#include "agent/rpc/commands.h"
#include "agent/rpc/process_conversion.h"
#include "agent/rpc/process_list.h"
#include "agent/rpc/read_output_call.h"
#include "agent/rpc/request_checks.h"
#include "agent/rpc/session_rule.h"
#include "agent/rpc/status_to_grpc.h"
#include "agent/rpc/stream_input_call.h"
#include "agent/rpc/unary_call.h"
#include "agent/rpc/watch_stream.h"
#include "agent/rpc/write_input.h"

namespace shoal::agent {
namespace {

template <typename Response>
using CallPtr = std::shared_ptr<UnaryCall<Response>>;

// Answers a call with the outcome for each selected process.
template <typename Response>
OutcomesCallback AnswerOutcomes(CallPtr<Response> call, const Edge* edge, const Permit& permit) {
  return [call = std::move(call), edge, permit](absl::StatusOr<std::vector<Outcome>> outcomes) {
    if (!outcomes.ok()) return call->Fail(outcomes.status());
    BulkCall<Response>::Begin(edge, permit, call, ToldOf(*outcomes));
  };
}

SpawnCallback AnswerSpawnBatch(CallPtr<v1::SpawnBatchResponse> call, const Edge* edge,
                               const Permit& permit) {
  return [call = std::move(call), edge, permit](const std::vector<SpawnOutcome>& outcomes,
                                                bool replayed) {
    v1::SpawnBatchResponse response;
    response.set_replayed(replayed);
    BulkCall<v1::SpawnBatchResponse>::Begin(edge, permit, call, ToldOf(outcomes),
                                            std::move(response));
  };
}

// Whether the call waits for its answer.
template <typename Response>
IsWanted WhileOpen(const CallPtr<Response>& call) {
  return [call] { return !call->IsFinished(); };
}

// The client went away: its wait is dropped without an answer, perhaps before the loop has begun it.
template <typename Response>
std::shared_ptr<WaitTicket> CancelWith(const CallPtr<Response>& call, const Edge* edge) {
  auto ticket = std::make_shared<WaitTicket>();
  call->SetOnCancel([edge, ticket] {
    edge->loop->Post([edge, ticket] { edge->supervisor->CancelWait(ticket.get()); });
  });
  return ticket;
}

void AnswerSpawn(UnaryCall<v1::SpawnResponse>* call, const Edge* edge, const ProcessEntry& process,
                 bool replayed) {
  call->Answer([&](v1::SpawnResponse* response) {
    SetProcess(process, edge->host_name, SpecView::kWithoutEnv, response->mutable_process());
    response->set_replayed(replayed);
  });
}

// Answers once the process has started, or has come to what the request waits for.
SpawnCallback AnswerSpawn(CallPtr<v1::SpawnResponse> call, const Edge* edge, const Permit& permit,
                          StartedWait wait, std::shared_ptr<WaitTicket> pending) {
  return [call = std::move(call), edge, permit, wait, pending = std::move(pending)](
             const std::vector<SpawnOutcome>& outcomes, bool replayed) {
    const SpawnOutcome& outcome = outcomes.at(0);
    if (!outcome.status.ok()) return call->Fail(outcome.status);
    if (wait.until == Until::kStarted) {
      return AnswerSpawn(call.get(), edge, *outcome.process, replayed);
    }
    if (call->IsFinished()) return;
    Selector itself;
    itself.terms = {outcome.process->id};
    edge->supervisor->Wait(permit, itself, wait.until, /*any=*/false, wait.timeout, pending,
                           [call, edge, replayed](absl::StatusOr<SharedProcesses> processes, bool) {
                             if (!processes.ok()) return call->Fail(processes.status());
                             if ((*processes)->empty() || (*processes)->front()->is_removed) {
                               return call->Fail(absl::NotFoundError("the process was deleted"));
                             }
                             AnswerSpawn(call.get(), edge, *(*processes)->front(), replayed);
                           });
  };
}

void BeginWait(const Edge* edge, const CallPtr<v1::WaitResponse>& call, const WaitCommand& command,
               const std::shared_ptr<CallQuota::Lease>& lease,
               const std::shared_ptr<WaitTicket>& ticket) {
  edge->supervisor->Wait(
      command.permit, command.selector, command.until, command.any, command.timeout, ticket,
      [call, edge, lease, permit = command.permit](absl::StatusOr<SharedProcesses> processes,
                                                   bool timed_out) {
        if (!processes.ok()) return call->Fail(processes.status());
        v1::WaitResponse response;
        response.set_timed_out(timed_out);
        BulkCall<v1::WaitResponse>::Begin(edge, permit, call, ToldOf(*std::move(processes)),
                                          std::move(response));
      });
}

// Whether the caller may start processes in the session.
template <typename Response, typename Request>
auto AskLater(const Edge* edge, const CallPtr<Response>& call, const Request& request) {
  return
      [edge, permit = call->permit(), session_id = request.session_id(),
       token = request.session_token()] { return AskInSession(*edge, permit, session_id, token); };
}

}  // namespace

grpc::ServerUnaryReactor* ProcessService::Spawn(Context* context, const v1::SpawnRequest* request,
                                                v1::SpawnResponse* response) {
  auto call = UnaryCall<v1::SpawnResponse>::Begin(edge_, *context, *request, response);
  if (!call->has_permit()) return call.get();
  TellTime(edge_->clock, context);
  absl::StatusOr<SpawnCommand> command = ToCommand(*request, *edge_, call->permit());
  if (!command.ok()) return call->Failed(command.status());
  absl::StatusOr<StartedWait> wait = ToStartedWait(*request);
  if (!wait.ok()) return call->Failed(wait.status());
  auto pending = wait->until == Until::kStarted ? nullptr : CancelWith(call, edge_);
  call->CarryOut(AskLater(edge_, call, *request), [edge = edge_, command = *std::move(command),
                                                   wait = *wait, pending, call]() mutable {
    auto answer = AnswerSpawn(std::move(call), edge, command.permit, wait, std::move(pending));
    edge->supervisor->Spawn(std::move(command), std::move(answer));
  });
  return call.get();
}

grpc::ServerUnaryReactor* ProcessService::SpawnBatch(Context* context,
                                                     const v1::SpawnBatchRequest* request,
                                                     v1::SpawnBatchResponse* response) {
  auto call = UnaryCall<v1::SpawnBatchResponse>::Begin(edge_, *context, *request, response);
  if (!call->has_permit()) return call.get();
  TellTime(edge_->clock, context);
  absl::StatusOr<SpawnCommand> command = ToCommand(*request, *edge_, call->permit());
  if (!command.ok()) return call->Failed(command.status());
  auto ask = AskLater(edge_, call, *request);
  call->CarryOut(std::move(ask), [edge = edge_, command = *std::move(command), call]() mutable {
    auto answer = AnswerSpawnBatch(std::move(call), edge, command.permit);
    edge->supervisor->Spawn(std::move(command), std::move(answer));
  });
  return call.get();
}

grpc::ServerUnaryReactor* ProcessService::Get(Context* context, const v1::GetRequest* request,
                                              v1::GetResponse* response) {
  auto call = UnaryCall<v1::GetResponse>::Begin(edge_, *context, *request, response);
  if (!call->has_permit()) return call.get();
  absl::StatusOr<GetQuery> query = ToQuery(*request);
  if (!query.ok()) return call->Failed(query.status());
  call->CarryOut([edge = edge_, permit = call->permit(), query = *std::move(query), call] {
    AnswerGet(edge, permit, query, call);
  });
  return call.get();
}

grpc::ServerUnaryReactor* ProcessService::List(Context* context, const v1::ListRequest* request,
                                               v1::ListResponse* response) {
  auto call = UnaryCall<v1::ListResponse>::Begin(edge_, *context, *request, response);
  if (!call->has_permit()) return call.get();
  absl::StatusOr<ListQuery> query = ToQuery(*request);
  if (!query.ok()) return call->Failed(query.status());
  call->CarryOut([edge = edge_, permit = call->permit(), query = *std::move(query), call] {
    AnswerList(edge, permit, query, call);
  });
  return call.get();
}

grpc::ServerUnaryReactor* ProcessService::Wait(Context* context, const v1::WaitRequest* request,
                                               v1::WaitResponse* response) {
  auto call = UnaryCall<v1::WaitResponse>::Begin(edge_, *context, *request, response);
  if (!call->has_permit()) return call.get();
  absl::StatusOr<WaitCommand> command = ToCommand(*request, call->permit());
  if (!command.ok()) return call->Failed(command.status());
  auto lease = edge_->quota->Take(CallQuota::Kind::kWait, call->permit());
  if (!lease.ok()) return call->Failed(lease.status());
  auto pending = CancelWith(call, edge_);
  call->CarryOut([edge = edge_, command = *std::move(command), lease = *std::move(lease), pending,
                  call] { BeginWait(edge, call, command, lease, pending); });
  return call.get();
}

grpc::ServerUnaryReactor* ProcessService::Signal(Context* context, const v1::SignalRequest* request,
                                                 v1::SignalResponse* response) {
  auto call = UnaryCall<v1::SignalResponse>::Begin(edge_, *context, *request, response);
  if (!call->has_permit()) return call.get();
  TellTime(edge_->clock, context);
  absl::StatusOr<SignalCommand> command = ToCommand(*request, call->permit());
  if (!command.ok()) return call->Failed(command.status());
  call->CarryOut([edge = edge_, command = *std::move(command), call]() mutable {
    command.is_wanted = WhileOpen(call);
    edge->supervisor->Signal(command, AnswerOutcomes(call, edge, command.permit));
  });
  return call.get();
}

grpc::ServerUnaryReactor* ProcessService::Terminate(Context* context,
                                                    const v1::TerminateRequest* request,
                                                    v1::TerminateResponse* response) {
  auto call = UnaryCall<v1::TerminateResponse>::Begin(edge_, *context, *request, response);
  if (!call->has_permit()) return call.get();
  TellTime(edge_->clock, context);
  absl::StatusOr<TerminateCommand> command = ToCommand(*request, call->permit());
  if (!command.ok()) return call->Failed(command.status());
  call->CarryOut([edge = edge_, command = *std::move(command), call]() mutable {
    auto answer = AnswerOutcomes(call, edge, command.permit);
    command.is_wanted = WhileOpen(call);
    edge->supervisor->Terminate(std::move(command), std::move(answer));
  });
  return call.get();
}

grpc::ServerUnaryReactor* ProcessService::Update(Context* context, const v1::UpdateRequest* request,
                                                 v1::UpdateResponse* response) {
  auto call = UnaryCall<v1::UpdateResponse>::Begin(edge_, *context, *request, response);
  if (!call->has_permit()) return call.get();
  TellTime(edge_->clock, context);
  absl::StatusOr<UpdateCommand> command = ToCommand(*request, call->permit());
  if (!command.ok()) return call->Failed(command.status());
  call->CarryOut([edge = edge_, command = *std::move(command), call]() mutable {
    auto answer = AnswerOutcomes(call, edge, command.permit);
    command.is_wanted = WhileOpen(call);
    edge->supervisor->Update(std::move(command), std::move(answer));
  });
  return call.get();
}

grpc::ServerUnaryReactor* ProcessService::Delete(Context* context, const v1::DeleteRequest* request,
                                                 v1::DeleteResponse* response) {
  auto call = UnaryCall<v1::DeleteResponse>::Begin(edge_, *context, *request, response);
  if (!call->has_permit()) return call.get();
  TellTime(edge_->clock, context);
  absl::StatusOr<DeleteCommand> command = ToCommand(*request, call->permit());
  if (!command.ok()) return call->Failed(command.status());
  call->CarryOut([edge = edge_, command = *std::move(command), call]() mutable {
    command.is_wanted = WhileOpen(call);
    edge->supervisor->Delete(command, AnswerOutcomes(call, edge, command.permit));
  });
  return call.get();
}

grpc::ServerUnaryReactor* ProcessService::AcknowledgeOutput(
    Context* context, const v1::AcknowledgeOutputRequest* request,
    v1::AcknowledgeOutputResponse* response) {
  auto call = UnaryCall<v1::AcknowledgeOutputResponse>::Begin(edge_, *context, *request, response);
  if (!call->has_permit()) return call.get();
  absl::StatusOr<std::vector<Acknowledgement>> positions = ToAcknowledgements(*request);
  if (!positions.ok()) return call->Failed(positions.status());
  call->CarryOut([edge = edge_, permit = call->permit(), positions = *std::move(positions), call] {
    absl::Status done = edge->supervisor->Acknowledge(permit, positions);
    if (!done.ok()) return call->Fail(done);
    call->Answer([](v1::AcknowledgeOutputResponse*) {});
  });
  return call.get();
}

grpc::ServerUnaryReactor* ProcessService::WriteInput(Context* context,
                                                     const v1::WriteInputRequest* request,
                                                     v1::WriteInputResponse* response) {
  return BeginWriteInput(edge_, *context, *request, response);
}

grpc::ServerUnaryReactor* ProcessService::ResizeTerminal(Context* context,
                                                         const v1::ResizeTerminalRequest* request,
                                                         v1::ResizeTerminalResponse* response) {
  auto call = UnaryCall<v1::ResizeTerminalResponse>::Begin(edge_, *context, *request, response);
  if (!call->has_permit()) return call.get();
  absl::StatusOr<ResizeCommand> command = ToCommand(*request, call->permit());
  if (!command.ok()) return call->Failed(command.status());
  call->CarryOut([edge = edge_, command = *std::move(command), call] {
    const absl::StatusOr<const ProcessEntry*> process = edge->supervisor->ResizeTerminal(command);
    if (!process.ok()) return call->Fail(process.status());
    call->Answer([&](v1::ResizeTerminalResponse* filled) {
      SetTerminal(**process, filled->mutable_size());
    });
  });
  return call.get();
}

grpc::ServerBidiReactor<v1::StreamInputRequest, v1::StreamInputResponse>*
ProcessService::StreamInput(Context* context) {
  return StreamInputCall::Begin(edge_, edge_->callers->Authorize(*context, Verb::kWriteInput));
}

grpc::ServerWriteReactor<v1::WatchResponse>* ProcessService::Watch(
    Context* context, const v1::WatchRequest* request) {
  return WatchStream::Begin(edge_, edge_->callers->Authorize(*context, Verb::kWatch), *request);
}

grpc::ServerWriteReactor<v1::ReadOutputResponse>* ProcessService::ReadOutput(
    Context* context, const v1::ReadOutputRequest* request) {
  return BeginReadOutput(edge_, edge_->callers->Authorize(*context, Verb::kReadOutput), *request);
}

}  // namespace shoal::agent
