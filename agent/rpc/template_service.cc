#include "agent/rpc/template_service.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/rpc/audit.h"
#include "agent/rpc/commands.h"
#include "agent/rpc/process_conversion.h"
#include "agent/rpc/request_checks.h"
#include "agent/rpc/time_conversion.h"
#include "agent/rpc/unary_call.h"
#include "common/escape.h"
#include "common/status.h"

namespace shoal::agent {
namespace {

constexpr absl::Duration kMinIdleTimeout = absl::Seconds(1);
constexpr absl::Duration kMaxIdleTimeout = absl::Hours(24 * 365);

absl::StatusOr<TemplateWish> ToWish(const v1::TemplateServiceCreateRequest& request,
                                    const Edge& edge, const std::string& owner) {
  TemplateWish wish;
  wish.owner = owner;
  SHOAL_RETURN_IF_ERROR(CheckRequestId(request.request_id()));
  v1::ProcessSpec counts;
  *counts.mutable_argv() = request.spec().argv();
  *counts.mutable_env() = request.spec().env();
  counts.set_cwd(request.spec().cwd());
  *counts.mutable_files() = request.spec().files();
  *counts.mutable_labels() = request.spec().labels();
  SHOAL_ASSIGN_OR_RETURN(wish.spec, ToSpec(counts, /*has_session=*/false, edge.limits));
  wish.inline_files = InlineFilesOf(counts);
  if (request.has_idle_timeout()) {
    SHOAL_ASSIGN_OR_RETURN(wish.idle_timeout, ToDuration(request.idle_timeout(), "idle_timeout"));
    if (*wish.idle_timeout < kMinIdleTimeout || *wish.idle_timeout > kMaxIdleTimeout) {
      return absl::InvalidArgumentError(
          "idle_timeout must be at least a second and at most a year");
    }
  }
  return wish;
}

absl::Status Check(const v1::TemplateServiceDeleteRequest& request) {
  SHOAL_RETURN_IF_ERROR(CheckRequestId(request.request_id()));
  SHOAL_RETURN_IF_ERROR(CheckCount("templates", request.templates_size(), kMaxSelectorTerms));
  if (request.templates_size() == 0) {
    return absl::InvalidArgumentError("templates is empty: name them, or give their ids");
  }
  for (int i = 0; i < request.templates_size(); ++i) {
    const std::string field = absl::StrCat("templates[", i, "]");
    if (request.templates(i).empty()) {
      return absl::InvalidArgumentError(absl::StrCat(field, " is empty"));
    }
    SHOAL_RETURN_IF_ERROR(CheckNoNul(field, request.templates(i)));
  }
  return absl::OkStatus();
}

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
  auto call = UnaryCall<v1::TemplateServiceCreateResponse>::Begin(edge_->calls, response);
  const std::string owner = edge_->callers->Of(*context);
  absl::StatusOr<TemplateWish> wish = ToWish(*request, *edge_, owner);
  Audit(owner, "TemplateService.Create", Describe(request->spec()), wish.status());
  if (!wish.ok()) return call->Failed(wish.status());
  auto answer = [edge = edge_, call](absl::StatusOr<const ProcessEntry*> process) {
    if (absl::IsNotFound(process.status())) {
      return call->Fail(absl::FailedPreconditionError(process.status().message()));
    }
    if (!process.ok()) return call->Fail(process.status());
    call->Answer([&](v1::TemplateServiceCreateResponse* filled) {
      SetTemplate(**process, *edge, filled->mutable_template_());
    });
  };
  edge_->loop->Post([edge = edge_, wish = *std::move(wish), answer] {
    edge->supervisor->CreateTemplate(wish, answer);
  });
  return call.get();
}

grpc::ServerUnaryReactor* TemplateService::List(Context* context,
                                                const v1::TemplateServiceListRequest* request,
                                                v1::TemplateServiceListResponse* response) {
  static_cast<void>(context);
  static_cast<void>(request);
  auto call = UnaryCall<v1::TemplateServiceListResponse>::Begin(edge_->calls, response);
  edge_->loop->Post([edge = edge_, call] {
    call->Answer([&](v1::TemplateServiceListResponse* filled) {
      for (const ProcessEntry* process : edge->supervisor->Templates()) {
        SetTemplate(*process, *edge, filled->add_templates());
      }
    });
  });
  return call.get();
}

grpc::ServerUnaryReactor* TemplateService::Delete(Context* context,
                                                  const v1::TemplateServiceDeleteRequest* request,
                                                  v1::TemplateServiceDeleteResponse* response) {
  auto call = UnaryCall<v1::TemplateServiceDeleteResponse>::Begin(edge_->calls, response);
  const std::string owner = edge_->callers->Of(*context);
  const absl::Status checked = Check(*request);
  std::vector<std::string> terms(request->templates().begin(), request->templates().end());
  Audit(owner, "TemplateService.Delete", absl::StrJoin(terms, " "), checked);
  if (!checked.ok()) return call->Failed(checked);
  auto answer = [edge = edge_, call](absl::StatusOr<std::vector<Outcome>> outcomes) {
    if (!outcomes.ok()) return call->Fail(outcomes.status());
    for (const Outcome& outcome : *outcomes) {
      if (!outcome.status.ok()) return call->Fail(outcome.status);
    }
    call->Answer([&](v1::TemplateServiceDeleteResponse* filled) {
      for (const Outcome& outcome : *outcomes) {
        SetProcess(*outcome.process, edge->host_name, SpecView::kWithoutEnv,
                   filled->add_processes());
      }
    });
  };
  edge_->loop->Post([edge = edge_, owner, terms = std::move(terms), answer] {
    edge->supervisor->DeleteTemplates(owner, terms, answer);
  });
  return call.get();
}

}  // namespace shoal::agent
