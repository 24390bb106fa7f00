#include "agent/rpc/template_service.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_join.h"
#include "agent/rpc/agent_time.h"
#include "agent/rpc/commands.h"
#include "agent/rpc/process_conversion.h"
#include "agent/rpc/unary_call.h"
#include "agent/spec/time_conversion.h"

namespace shoal::agent {
namespace {

void SetTemplate(const ProcessEntry& process, const Edge& edge, v1::Template* proto) {
  const TemplateFacts& facts = *process.template_facts;
  SetProcess(process, edge.host_name, SpecView::kWithoutEnv, proto->mutable_process());
  proto->set_state(process.termination || !process.IsLive() ? v1::Template::STATE_ENDING
                   : edge.supervisor->OffersForks(process)  ? v1::Template::STATE_WARM
                                                            : v1::Template::STATE_WARMING);
  proto->set_owner(process.owner);
  proto->set_program(facts.key);
  proto->set_forks(facts.forks);
  SetTime(facts.last_use, proto->mutable_last_use_time());
  SetDuration(facts.idle_timeout, proto->mutable_idle_timeout());
}

}  // namespace

grpc::ServerUnaryReactor* TemplateService::Create(Context* context,
                                                  const v1::TemplateServiceCreateRequest* request,
                                                  v1::TemplateServiceCreateResponse* response) {
  auto call =
      UnaryCall<v1::TemplateServiceCreateResponse>::Begin(edge_, *context, *request, response);
  if (!call->has_permit()) return call.get();
  TellTime(edge_->clock, context);
  absl::StatusOr<CreateTemplateCommand> command = ToCommand(*request, *edge_, call->permit());
  if (!command.ok()) return call->Failed(command.status());
  auto answer = [edge = edge_, call](absl::StatusOr<const ProcessEntry*> process) {
    if (absl::IsNotFound(process.status())) {
      return call->Fail(absl::FailedPreconditionError(process.status().message()));
    }
    if (!process.ok()) return call->Fail(process.status());
    call->Answer([&](v1::TemplateServiceCreateResponse* filled) {
      SetTemplate(**process, *edge, filled->mutable_template_());
    });
  };
  call->CarryOut([edge = edge_, command = *std::move(command), answer] {
    edge->supervisor->CreateTemplate(command, answer);
  });
  return call.get();
}

grpc::ServerUnaryReactor* TemplateService::List(Context* context,
                                                const v1::TemplateServiceListRequest* request,
                                                v1::TemplateServiceListResponse* response) {
  static_cast<void>(request);
  auto call =
      UnaryCall<v1::TemplateServiceListResponse>::Begin(edge_, *context, *request, response);
  if (!call->has_permit()) return call.get();
  call->CarryOut([edge = edge_, permit = call->permit(), call] {
    call->Answer([&](v1::TemplateServiceListResponse* filled) {
      for (const ProcessEntry* process : edge->supervisor->Templates(permit)) {
        SetTemplate(*process, *edge, filled->add_templates());
      }
    });
  });
  return call.get();
}

grpc::ServerUnaryReactor* TemplateService::Delete(Context* context,
                                                  const v1::TemplateServiceDeleteRequest* request,
                                                  v1::TemplateServiceDeleteResponse* response) {
  auto call =
      UnaryCall<v1::TemplateServiceDeleteResponse>::Begin(edge_, *context, *request, response);
  if (!call->has_permit()) return call.get();
  TellTime(edge_->clock, context);
  absl::StatusOr<DeleteTemplatesCommand> command = ToCommand(*request, call->permit());
  if (!command.ok()) return call->Failed(command.status());
  auto answer = [edge = edge_, call](absl::StatusOr<std::vector<Outcome>> outcomes) {
    if (!outcomes.ok()) return call->Fail(outcomes.status());
    for (const Outcome& outcome : *outcomes) {
      if (!outcome.status.ok()) return call->Fail(outcome.status);
    }
    call->Answer([&](v1::TemplateServiceDeleteResponse* filled) {
      for (const Outcome& outcome : *outcomes) {
        SetProcess(outcome, edge->host_name, filled->add_processes());
      }
    });
  };
  call->CarryOut([edge = edge_, command = *std::move(command), answer] {
    edge->supervisor->DeleteTemplates(command, answer);
  });
  return call.get();
}

}  // namespace shoal::agent
