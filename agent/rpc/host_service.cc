#include "agent/rpc/host_service.h"

#include <unistd.h>

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/os/host_facts.h"
#include "agent/rpc/agent_time.h"
#include "agent/rpc/unary_call.h"
#include "agent/spec/field_checks.h"
#include "agent/spec/time_conversion.h"
#include "common/escape.h"
#include "common/status.h"

namespace shoal::agent {
namespace {

v1::Check::Result ToProto(HostCheck::Result result) {
  switch (result) {
    case HostCheck::Result::kOk:
      return v1::Check::RESULT_OK;
    case HostCheck::Result::kDegraded:
      return v1::Check::RESULT_DEGRADED;
    case HostCheck::Result::kFailed:
      return v1::Check::RESULT_FAILED;
  }
  return v1::Check::RESULT_UNSPECIFIED;
}

constexpr int kMaxSonames = 1'000;
constexpr size_t kMaxSonameBytes = 255;

absl::Status CheckSonames(const v1::FindMissingLibrariesRequest& request) {
  SHOAL_RETURN_IF_ERROR(CheckCount("sonames", request.sonames_size(), kMaxSonames));
  for (int i = 0; i < request.sonames_size(); ++i) {
    const std::string& soname = request.sonames(i);
    const std::string field = absl::StrCat("sonames[", i, "]");
    SHOAL_RETURN_IF_ERROR(CheckNoNul(field, soname));
    if (!soname.empty() && soname.size() <= kMaxSonameBytes && soname[0] != '.' &&
        soname.find('/') == std::string::npos) {
      continue;
    }
    return absl::InvalidArgumentError(absl::StrCat(field, " '", EscapeForMessage(soname),
                                                   "' is not the name of a shared library"));
  }
  return absl::OkStatus();
}

void SetFacts(const HostFacts& facts, v1::Host* host) {
  host->set_boot_id(facts.boot_id);
  host->set_kernel_version(facts.kernel_version);
  SetTime(facts.boot_time, host->mutable_boot_time());
  host->set_cores(facts.cores);
  host->set_load_1m(facts.load_1m);
  host->set_memory_total_bytes(facts.memory_total_bytes);
  host->set_memory_available_bytes(facts.memory_available_bytes);
}

HostCheck CheckAudit(const AuditLog& audit) {
  constexpr char kName[] = "audit";
  if (const absl::Status status = audit.status(); !status.ok()) {
    return {kName, HostCheck::Result::kFailed, std::string(status.message()),
            audit.is_required() ? "Give it room and rights; until then nothing is started here."
                                : "Give it room and rights, or choose another --audit-log."};
  }
  if (const std::string trouble = audit.trouble(); !trouble.empty()) {
    return {kName, HostCheck::Result::kDegraded,
            absl::StrCat(audit.name(), " grows, it cannot be rotated: ", trouble),
            "Let the agent's user write to its directory, or have logrotate move the file."};
  }
  return {kName, HostCheck::Result::kOk, absl::StrCat(audit.name(), " is written"), ""};
}

void SetChecks(const HostInfo& info, v1::Host* host) {
  std::vector<HostCheck> checks = CheckHost(info.checks);
  if (info.audit != nullptr) checks.push_back(CheckAudit(*info.audit));
  for (const HostCheck& check : checks) {
    v1::Check* one = host->add_checks();
    one->set_name(check.name);
    one->set_result(ToProto(check.result));
    one->set_detail(check.detail);
    one->set_remedy(check.remedy);
  }
}

void SetHost(const Edge& edge, const HostInfo& info, v1::Host* host) {
  SetFacts(ReadHostFacts(), host);
  host->set_name(edge.host_name);
  host->set_agent_id(edge.agent_id);
  host->set_boot_id(edge.boot_id);
  host->set_agent_version(info.version);
  SetTime(info.start_time, host->mutable_agent_start_time());
  SetDuration(info.template_dead_man, host->mutable_template_dead_man());
  host->set_slots(info.slots > 0 ? info.slots : host->cores());
  host->mutable_labels()->insert(info.labels.begin(), info.labels.end());
  host->set_agent_pid(getpid());
  host->set_state_dir(info.state_dir);
  host->mutable_capabilities()->Assign(info.capabilities.begin(), info.capabilities.end());
}

}  // namespace

grpc::ServerUnaryReactor* HostService::Get(grpc::CallbackServerContext* context,
                                           const v1::HostServiceGetRequest* request,
                                           v1::HostServiceGetResponse* response) {
  auto call = UnaryCall<v1::HostServiceGetResponse>::Begin(edge_, *context, *request, response);
  if (!call->has_permit()) return call.get();
  TellTime(edge_->clock, context);
  call->CarryOut(
      [edge = edge_, permit = call->permit(), info = info_, call, with_checks = request->checks()] {
        int live = edge->supervisor->live_processes();
        int sessions = edge->supervisor->open_sessions();
        int templates = static_cast<int>(edge->supervisor->Templates(permit).size());
        info->helper->Run([edge, info, call, live, sessions, templates, with_checks] {
          v1::Host host;
          SetHost(*edge, *info, &host);
          if (with_checks) SetChecks(*info, &host);
          host.set_live_processes(live);
          host.set_open_sessions(sessions);
          host.set_live_templates(templates);
          call->Answer(
              [&](v1::HostServiceGetResponse* filled) { filled->mutable_host()->Swap(&host); });
        });
      });
  return call.get();
}

grpc::ServerUnaryReactor* HostService::FindMissingLibraries(
    grpc::CallbackServerContext* context, const v1::FindMissingLibrariesRequest* request,
    v1::FindMissingLibrariesResponse* response) {
  auto call =
      UnaryCall<v1::FindMissingLibrariesResponse>::Begin(edge_, *context, *request, response);
  if (!call->has_permit()) return call.get();
  if (absl::Status checked = CheckSonames(*request); !checked.ok()) return call->Failed(checked);
  std::vector<std::string> sonames(request->sonames().begin(), request->sonames().end());
  call->Allow();
  info_->helper->Run([libraries = libraries_, sonames = std::move(sonames), call] {
    const std::vector<std::string> missing = libraries->FindMissing(sonames);
    call->Answer([&](v1::FindMissingLibrariesResponse* filled) {
      filled->mutable_missing_sonames()->Assign(missing.begin(), missing.end());
    });
  });
  return call.get();
}

}  // namespace shoal::agent
