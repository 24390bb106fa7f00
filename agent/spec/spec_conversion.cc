#include "agent/spec/spec_conversion.h"

#include <utility>

#include "agent/record/record_layout.h"
#include "agent/spec/file_checks.h"
#include "agent/spec/time_conversion.h"
#include "common/end_times.h"
#include "common/status.h"

namespace shoal::agent {
namespace {

constexpr char kDefaultTerm[] = "xterm-256color";

// What UNSPECIFIED and absent mean, written out.
void FillInDefaults(bool has_session, v1::ProcessSpec* proto) {
  if (proto->lifetime() == v1::LIFETIME_UNSPECIFIED) {
    proto->set_lifetime(has_session ? v1::LIFETIME_SESSION : v1::LIFETIME_DETACHED);
  }
  if (proto->descendants() == v1::DESCENDANT_POLICY_UNSPECIFIED) {
    proto->set_descendants(v1::DESCENDANT_POLICY_END);
  }
  v1::OutputSpec* output = proto->mutable_output();
  if (output->cap_bytes() == 0) output->set_cap_bytes(record::kDefaultCapBytes);
  if (output->overflow() == v1::OVERFLOW_POLICY_UNSPECIFIED) {
    output->set_overflow(proto->lifetime() == v1::LIFETIME_DETACHED
                             ? v1::OVERFLOW_POLICY_DROP_OLDEST
                             : v1::OVERFLOW_POLICY_BLOCK);
  }
  if (proto->cwd().empty() && proto->files_size() == 0 && proto->beside().empty()) {
    proto->set_cwd("/");
  }
  if (proto->start_method() == v1::START_METHOD_UNSPECIFIED) {
    proto->set_start_method(v1::START_METHOD_SPAWN);
  }
  v1::InputSpec* const input = proto->mutable_input();
  if (proto->has_terminal()) {
    input->mutable_stream();
    if (proto->terminal().term().empty()) proto->mutable_terminal()->set_term(kDefaultTerm);
  }
  if (input->has_stream() && input->stream().window_bytes() == 0) {
    input->mutable_stream()->set_window_bytes(record::kDefaultInputWindow);
  }
  if (input->source_case() == v1::InputSpec::SOURCE_NOT_SET) proto->clear_input();
  if (!proto->has_grace()) SetDuration(kDefaultGrace, proto->mutable_grace());
}

StartMethod StartMethodOf(v1::StartMethod method) {
  switch (method) {
    case v1::START_METHOD_FORKSERVER:
      return StartMethod::kForkserver;
    case v1::START_METHOD_FORK:
      return StartMethod::kFork;
    default:
      return StartMethod::kSpawn;
  }
}

// What came with the request is needed for the start alone, and would be stored and told for ever;
// the environment is told only when it is asked for.
std::string WireOf(v1::ProcessSpec proto) {
  proto.clear_env();
  for (v1::ShippedFile& file : *proto.mutable_files()) file.clear_data();
  return proto.SerializeAsString();
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Spec>> BuildSpec(v1::ProcessSpec proto, bool has_session) {
  FillInDefaults(has_session, &proto);
  auto spec = std::make_shared<Spec>();
  spec->argv.assign(proto.argv().begin(), proto.argv().end());
  spec->env.assign(proto.env().begin(), proto.env().end());
  spec->cwd = proto.cwd();
  spec->name = proto.name();
  spec->lifetime =
      proto.lifetime() == v1::LIFETIME_DETACHED ? Lifetime::kDetached : Lifetime::kSession;
  spec->daemon = proto.daemon();
  spec->keep_descendants = proto.descendants() == v1::DESCENDANT_POLICY_KEEP;
  spec->merge_stderr = proto.output().merge_stderr();
  spec->result_stream = proto.output().result();
  spec->forbid_children = proto.forbid_children();
  spec->drop_oldest = proto.output().overflow() == v1::OVERFLOW_POLICY_DROP_OLDEST;
  spec->input_window = proto.input().stream().window_bytes();
  spec->input_file = proto.input().file();
  spec->terminal_rows = proto.terminal().rows();
  spec->terminal_columns = proto.terminal().columns();
  spec->term = proto.terminal().term();
  SHOAL_ASSIGN_OR_RETURN(spec->grace, ToDuration(proto.grace(), "grace"));
  if (proto.has_time_limit()) {
    SHOAL_ASSIGN_OR_RETURN(spec->time_limit, ToDuration(proto.time_limit(), "time_limit"));
    if (*spec->time_limit == absl::ZeroDuration()) {
      return absl::InvalidArgumentError("time_limit is zero: leave it out for no limit");
    }
  }
  spec->cap_bytes = proto.output().cap_bytes();
  spec->labels = Labels(proto.labels().begin(), proto.labels().end());
  spec->start_method = StartMethodOf(proto.start_method());
  spec->fork_of = proto.fork_of();
  spec->beside = proto.beside();
  if (proto.has_fork_wait()) {
    SHOAL_ASSIGN_OR_RETURN(spec->fork_wait, ToDuration(proto.fork_wait(), "fork_wait"));
  }
  spec->files = FilesOf(proto);
  spec->wire = WireOf(std::move(proto));
  return std::shared_ptr<const Spec>(std::move(spec));
}

absl::StatusOr<std::shared_ptr<const Spec>> ToSpec(const v1::ProcessSpec& proto, bool has_session,
                                                   const SpecLimits& limits) {
  SHOAL_RETURN_IF_ERROR(CheckSpec(proto, limits));
  SHOAL_ASSIGN_OR_RETURN(std::shared_ptr<const Spec> spec, BuildSpec(proto, has_session));
  SHOAL_RETURN_IF_ERROR(CheckSpec(*spec, has_session));
  return spec;
}

void SetSpec(const Spec& spec, SpecView view, v1::ProcessSpec* proto) {
  proto->ParseFromString(spec.wire);
  if (view == SpecView::kFull) proto->mutable_env()->Assign(spec.env.begin(), spec.env.end());
  if (view != SpecView::kWithEnvNames) return;
  for (const std::string& entry : spec.env) proto->add_env(entry.substr(0, entry.find('=')));
}

}  // namespace shoal::agent
