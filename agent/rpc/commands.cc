#include "agent/rpc/commands.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/rpc/process_conversion.h"
#include "agent/rpc/request_checks.h"
#include "agent/spec/field_checks.h"
#include "agent/spec/file_checks.h"
#include "agent/spec/ranks.h"
#include "agent/spec/spec_conversion.h"
#include "agent/spec/time_conversion.h"
#include "common/signals.h"
#include "common/status.h"

namespace shoal::agent {
namespace {

constexpr absl::Duration kMinTtl = absl::Seconds(1);
constexpr absl::Duration kMaxTtl = absl::Hours(24);
constexpr size_t kMaxSessionNameBytes = 256;
constexpr absl::Duration kMinIdleTimeout = absl::Seconds(1);
constexpr absl::Duration kMaxIdleTimeout = absl::Hours(24 * 365);

// The checks that both kinds of spawn share; a pin is looked at first, since to another agent the
// rest means something else.
template <typename Request>
absl::Status CheckSpawn(const Request& request, const Edge& edge) {
  SHOAL_RETURN_IF_ERROR(
      CheckPin(request.agent_id(), request.boot_id(), edge.agent_id, edge.boot_id));
  return CheckRequestId(request.request_id());
}

// What makes a call a logged one. A retry is the same request, also when it pins what the first one
// did not know, or wants to be answered at another time.
template <typename Request>
LoggedCall LoggedCallOf(const Request& request, const Permit& permit) {
  Request copy = request;
  copy.clear_request_id();
  if constexpr (requires { copy.clear_boot_id(); }) {
    copy.clear_agent_id();
    copy.clear_boot_id();
  }
  if constexpr (requires { copy.clear_until(); }) {
    copy.clear_until();
    copy.clear_timeout();
  }
  if constexpr (requires { copy.clear_session_token(); }) copy.clear_session_token();
  return {permit, request.request_id(), FingerprintOf(copy)};
}

absl::StatusOr<Until> ToUntil(v1::WaitRequest::Until until, Until unspecified) {
  switch (until) {
    case v1::WaitRequest::UNTIL_UNSPECIFIED:
      return unspecified;
    case v1::WaitRequest::UNTIL_EXITED:
      return Until::kExited;
    case v1::WaitRequest::UNTIL_OUTPUT_COMPLETE:
      return Until::kOutputComplete;
    case v1::WaitRequest::UNTIL_EMPTY:
      return Until::kEmpty;
    default:
      return absl::InvalidArgumentError(absl::StrCat("unknown Until ", static_cast<int>(until)));
  }
}

// As long as it takes, where nothing is said.
template <typename Request>
absl::StatusOr<absl::Duration> ToTimeout(const Request& request) {
  if (!request.has_timeout()) return absl::InfiniteDuration();
  return ToDuration(request.timeout(), "timeout");
}

absl::Status CheckSignal(int signal) {
  if (signal >= 1 && signal <= kMaxSignal) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("signal is ", signal, ", must be 1 to ", kMaxSignal));
}

absl::StatusOr<std::vector<SpawnItem>> ToItems(const v1::SpawnBatchRequest& request,
                                               const Edge& edge) {
  bool has_session = !request.session_id().empty();
  std::vector<SpawnItem> items;
  if (!request.has_ranks()) {
    if (request.specs_size() == 0) return absl::InvalidArgumentError("specs is empty");
    SHOAL_RETURN_IF_ERROR(CheckCount("specs", request.specs_size(), kMaxBatch));
    for (int i = 0; i < request.specs_size(); ++i) {
      absl::StatusOr<std::shared_ptr<const Spec>> spec =
          ToSpec(request.specs(i), has_session, edge.limits);
      if (!spec.ok()) {
        return absl::Status(spec.status().code(),
                            absl::StrCat("specs[", i, "]: ", spec.status().message()));
      }
      items.push_back({*std::move(spec), std::nullopt, nullptr, InlineFilesOf(request.specs(i))});
    }
    return items;
  }
  if (request.specs_size() != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("ranks go with exactly one of specs, not ", request.specs_size()));
  }
  SHOAL_RETURN_IF_ERROR(CheckRanks(request.ranks(), request.specs(0).name()));
  SHOAL_ASSIGN_OR_RETURN(std::shared_ptr<const Spec> spec,
                         ToSpec(request.specs(0), has_session, edge.limits));
  const std::shared_ptr<const InlineFiles> contents = InlineFilesOf(request.specs(0));
  const std::shared_ptr<const RankSet> ranks = ToRankSet(request.ranks());
  for (int i = 0; i < ranks->count; ++i) {
    items.push_back({spec, ranks->first_rank + i, ranks, contents});
  }
  return items;
}

}  // namespace

absl::StatusOr<SpawnCommand> ToCommand(const v1::SpawnRequest& request, const Edge& edge,
                                       const Permit& permit) {
  SHOAL_RETURN_IF_ERROR(CheckSpawn(request, edge));
  SHOAL_ASSIGN_OR_RETURN(std::shared_ptr<const Spec> spec,
                         ToSpec(request.spec(), !request.session_id().empty(), edge.limits));
  SpawnCommand command{LoggedCallOf(request, permit)};
  command.session_id = request.session_id();
  command.session_token = request.session_token();
  command.items.push_back({std::move(spec), std::nullopt, nullptr, InlineFilesOf(request.spec())});
  return command;
}

absl::StatusOr<SpawnCommand> ToCommand(const v1::SpawnBatchRequest& request, const Edge& edge,
                                       const Permit& permit) {
  SHOAL_RETURN_IF_ERROR(CheckSpawn(request, edge));
  SpawnCommand command{LoggedCallOf(request, permit)};
  SHOAL_ASSIGN_OR_RETURN(command.items, ToItems(request, edge));
  command.session_id = request.session_id();
  command.session_token = request.session_token();
  return command;
}

absl::StatusOr<TerminateCommand> ToCommand(const v1::TerminateRequest& request,
                                           const Permit& permit) {
  SHOAL_RETURN_IF_ERROR(CheckRequestId(request.request_id()));
  TerminateCommand command{permit};
  SHOAL_ASSIGN_OR_RETURN(command.selector, ToSelectorOfSome(request.selector()));
  if (request.signal() != 0) {
    SHOAL_RETURN_IF_ERROR(CheckSignal(request.signal()));
    command.signal = request.signal();
  }
  if (request.has_grace()) {
    SHOAL_ASSIGN_OR_RETURN(command.grace, ToDuration(request.grace(), "grace"));
  }
  if (request.has_timeout()) {
    SHOAL_ASSIGN_OR_RETURN(command.timeout, ToDuration(request.timeout(), "timeout"));
  }
  return command;
}

absl::StatusOr<UpdateCommand> ToCommand(const v1::UpdateRequest& request, const Permit& permit) {
  SHOAL_RETURN_IF_ERROR(CheckRequestId(request.request_id()));
  UpdateCommand command{LoggedCallOf(request, permit)};
  SHOAL_ASSIGN_OR_RETURN(command.selector, ToSelectorOfSome(request.selector()));
  SHOAL_RETURN_IF_ERROR(
      CheckCount("set_labels", static_cast<int>(request.set_labels().size()), kMaxLabels));
  SHOAL_RETURN_IF_ERROR(CheckCount("remove_labels", request.remove_labels_size(), kMaxLabels));
  for (const auto& [key, value] : request.set_labels()) {
    SHOAL_RETURN_IF_ERROR(CheckLabel(key, value));
  }
  command.set_labels = Labels(request.set_labels().begin(), request.set_labels().end());
  command.remove_labels.assign(request.remove_labels().begin(), request.remove_labels().end());
  if (request.lifetime() != v1::LIFETIME_UNSPECIFIED) {
    if (request.lifetime() != v1::LIFETIME_DETACHED) {
      return absl::InvalidArgumentError(
          absl::StrCat("lifetime can only become DETACHED, not ",
                       v1::Lifetime_IsValid(request.lifetime()) ? "SESSION" : "unknown Lifetime ",
                       static_cast<int>(request.lifetime())));
    }
    command.detach = true;
  }
  if (request.has_time_limit()) {
    SHOAL_ASSIGN_OR_RETURN(command.time_limit, ToDuration(request.time_limit(), "time_limit"));
  }
  return command;
}

absl::StatusOr<OpenSessionCommand> ToCommand(const v1::OpenRequest& request, const Permit& permit) {
  SHOAL_RETURN_IF_ERROR(CheckRequestId(request.request_id()));
  OpenSessionCommand command{LoggedCallOf(request, permit)};
  if (request.name().size() > kMaxSessionNameBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("name is ", request.name().size(), " bytes, limit ", kMaxSessionNameBytes));
  }
  SHOAL_RETURN_IF_ERROR(CheckNoNul("name", request.name()));
  command.name = request.name();
  if (request.has_ttl()) {
    SHOAL_ASSIGN_OR_RETURN(command.ttl, ToDuration(request.ttl(), "ttl"));
    if (command.ttl < kMinTtl || command.ttl > kMaxTtl) {
      return absl::InvalidArgumentError(
          absl::StrCat("ttl is ", absl::FormatDuration(command.ttl), ", must be 1s to 24h"));
    }
  }
  return command;
}

absl::StatusOr<TakeoverCommand> ToCommand(const v1::TakeoverRequest& request,
                                          const Permit& permit) {
  SHOAL_RETURN_IF_ERROR(CheckRequestId(request.request_id()));
  TakeoverCommand command{LoggedCallOf(request, permit)};
  command.session_id = request.session_id();
  if (command.session_id.empty()) return absl::InvalidArgumentError("session_id is empty");
  if (request.has_unrenewed_for()) {
    SHOAL_ASSIGN_OR_RETURN(command.unrenewed_for,
                           ToDuration(request.unrenewed_for(), "unrenewed_for"));
  }
  return command;
}

absl::StatusOr<SignalCommand> ToCommand(const v1::SignalRequest& request, const Permit& permit) {
  SHOAL_RETURN_IF_ERROR(CheckRequestId(request.request_id()));
  SHOAL_RETURN_IF_ERROR(CheckSignal(request.signal()));
  SignalCommand command{LoggedCallOf(request, permit)};
  command.signal = request.signal();
  SHOAL_ASSIGN_OR_RETURN(command.selector, ToSelectorOfSome(request.selector()));
  switch (request.scope()) {
    case v1::SignalRequest::SCOPE_UNSPECIFIED:
    case v1::SignalRequest::SCOPE_PROCESS:
      command.scope = SignalScope::kProcess;
      return command;
    case v1::SignalRequest::SCOPE_GROUP:
      command.scope = SignalScope::kGroup;
      return command;
    case v1::SignalRequest::SCOPE_TREE:
      command.scope = SignalScope::kTree;
      return command;
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("unknown Scope ", static_cast<int>(request.scope())));
  }
}

absl::StatusOr<WaitCommand> ToCommand(const v1::WaitRequest& request, const Permit& permit) {
  WaitCommand command{permit};
  SHOAL_ASSIGN_OR_RETURN(command.selector, ToSelectorOfSome(request.selector()));
  command.any = request.any();
  SHOAL_ASSIGN_OR_RETURN(command.timeout, ToTimeout(request));
  SHOAL_ASSIGN_OR_RETURN(command.until, ToUntil(request.until(), Until::kExited));
  return command;
}

absl::StatusOr<StartedWait> ToStartedWait(const v1::SpawnRequest& request) {
  StartedWait wait;
  SHOAL_ASSIGN_OR_RETURN(wait.until, ToUntil(request.until(), Until::kStarted));
  SHOAL_ASSIGN_OR_RETURN(wait.timeout, ToTimeout(request));
  return wait;
}

absl::StatusOr<DeleteCommand> ToCommand(const v1::DeleteRequest& request, const Permit& permit) {
  SHOAL_RETURN_IF_ERROR(CheckRequestId(request.request_id()));
  DeleteCommand command{LoggedCallOf(request, permit)};
  SHOAL_ASSIGN_OR_RETURN(command.selector, ToSelectorOfSome(request.selector()));
  return command;
}

absl::StatusOr<CreateTemplateCommand> ToCommand(const v1::TemplateServiceCreateRequest& request,
                                                const Edge& edge, const Permit& permit) {
  SHOAL_RETURN_IF_ERROR(CheckRequestId(request.request_id()));
  CreateTemplateCommand command{LoggedCallOf(request, permit)};
  v1::ProcessSpec counts;
  *counts.mutable_argv() = request.spec().argv();
  *counts.mutable_env() = request.spec().env();
  counts.set_cwd(request.spec().cwd());
  *counts.mutable_files() = request.spec().files();
  *counts.mutable_labels() = request.spec().labels();
  TemplateWish& wish = command.wish;
  SHOAL_ASSIGN_OR_RETURN(wish.spec, ToSpec(counts, /*has_session=*/false, edge.limits));
  wish.inline_files = InlineFilesOf(counts);
  if (request.has_idle_timeout()) {
    SHOAL_ASSIGN_OR_RETURN(wish.idle_timeout, ToDuration(request.idle_timeout(), "idle_timeout"));
    if (*wish.idle_timeout < kMinIdleTimeout || *wish.idle_timeout > kMaxIdleTimeout) {
      return absl::InvalidArgumentError(
          "idle_timeout must be at least a second and at most a year");
    }
  }
  return command;
}

absl::StatusOr<DeleteTemplatesCommand> ToCommand(const v1::TemplateServiceDeleteRequest& request,
                                                 const Permit& permit) {
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
  DeleteTemplatesCommand command{LoggedCallOf(request, permit)};
  command.terms.assign(request.templates().begin(), request.templates().end());
  return command;
}

absl::StatusOr<int> ToStream(int kind) {
  for (const record::StreamFacts& stream : record::kStreamTable) {
    if (kind == stream.kind) return stream.number;
  }
  return absl::InvalidArgumentError(absl::StrCat("unknown StreamKind ", kind));
}

absl::StatusOr<std::vector<Acknowledgement>> ToAcknowledgements(
    const v1::AcknowledgeOutputRequest& request) {
  SHOAL_RETURN_IF_ERROR(CheckCount("positions", request.positions_size(), kMaxPositions));
  std::vector<Acknowledgement> positions;
  for (const v1::OutputPosition& position : request.positions()) {
    SHOAL_ASSIGN_OR_RETURN(int stream, ToStream(position.stream()));
    if (position.offset() < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("positions: offset ", position.offset(), " is negative"));
    }
    positions.push_back({position.id(), stream, position.offset()});
  }
  return positions;
}

}  // namespace shoal::agent
