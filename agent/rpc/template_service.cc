#include "agent/rpc/template_service.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_join.h"
#include "agent/rpc/agent_time.h"
#include "agent/rpc/answer_budget.h"
#include "agent/rpc/bulk_call.h"
#include "agent/rpc/commands.h"
#include "agent/rpc/process_conversion.h"
#include "agent/rpc/request_checks.h"
#include "agent/rpc/unary_call.h"
#include "agent/spec/time_conversion.h"

namespace shoal::agent {
namespace {

constexpr size_t kFraming = 8;

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
  auto call =
      UnaryCall<v1::TemplateServiceListResponse>::Begin(edge_, *context, *request, response);
  if (!call->has_permit()) return call.get();
  if (absl::Status checked = CheckPage(*request); !checked.ok()) return call->Failed(checked);
  call->CarryOut([edge = edge_, permit = call->permit(), after_id = request->page_token(),
                  page_size = request->page_size(), call] {
    v1::TemplateServiceListResponse page;
    size_t bytes = 0;
    for (const ProcessEntry* process : edge->supervisor->Templates(permit)) {
      if (process->id <= after_id) continue;
      const int count = page.templates_size();
      const size_t most = FullBytesOf(*process) + process->template_facts->key.size();
      if (count > 0 && (count == page_size || bytes + most > kMaxAnswerBytes)) {
        page.set_next_page_token(page.templates(count - 1).process().id());
        break;
      }
      v1::Template* one = page.add_templates();
      SetTemplate(*process, *edge, one);
      bytes += one->ByteSizeLong() + kFraming;
    }
    call->Answer([&](v1::TemplateServiceListResponse* filled) { filled->Swap(&page); });
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
  auto answer = [edge = edge_, permit = call->permit(),
                 call](absl::StatusOr<std::vector<Outcome>> outcomes) {
    if (!outcomes.ok()) return call->Fail(outcomes.status());
    for (const Outcome& outcome : *outcomes) {
      if (!outcome.status.ok()) return call->Fail(outcome.status);
    }
    BulkCall<v1::TemplateServiceDeleteResponse>::Begin(edge, permit, call, ToldOf(*outcomes));
  };
  call->CarryOut([edge = edge_, command = *std::move(command), answer] {
    edge->supervisor->DeleteTemplates(command, answer);
  });
  return call.get();
}

}  // namespace shoal::agent
