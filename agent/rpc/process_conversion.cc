#include "agent/rpc/process_conversion.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/core/input_place.h"
#include "agent/rpc/request_checks.h"
#include "agent/rpc/status_to_grpc.h"
#include "agent/spec/field_checks.h"
#include "agent/spec/time_conversion.h"
#include "common/status.h"

namespace shoal::agent {

void SetSurvivor(const Survivor& survivor, v1::Survivor* proto) {
  proto->set_pid(survivor.pid);
  proto->set_command(CapMessage(survivor.command));
  proto->set_wait_channel(CapMessage(survivor.wait_channel));
}

namespace {

constexpr size_t kMaxTermBytes = 256;

v1::State ToProto(State state) {
  switch (state) {
    case State::kPending:
      return v1::STATE_PENDING;
    case State::kStarting:
      return v1::STATE_STARTING;
    case State::kRunning:
      return v1::STATE_RUNNING;
    case State::kStopping:
      return v1::STATE_STOPPING;
    case State::kExited:
      return v1::STATE_EXITED;
    case State::kFailedToStart:
      return v1::STATE_FAILED_TO_START;
    case State::kLost:
      return v1::STATE_LOST;
  }
  return v1::STATE_UNSPECIFIED;
}

absl::StatusOr<State> ToState(int state) {
  switch (state) {
    case v1::STATE_PENDING:
      return State::kPending;
    case v1::STATE_STARTING:
      return State::kStarting;
    case v1::STATE_RUNNING:
      return State::kRunning;
    case v1::STATE_STOPPING:
      return State::kStopping;
    case v1::STATE_EXITED:
      return State::kExited;
    case v1::STATE_FAILED_TO_START:
      return State::kFailedToStart;
    case v1::STATE_LOST:
      return State::kLost;
    default:
      return absl::InvalidArgumentError(absl::StrCat("selector.states: unknown State ", state));
  }
}

v1::Cause ToProto(Cause cause) {
  switch (cause) {
    case Cause::kNone:
      return v1::CAUSE_UNSPECIFIED;
    case Cause::kExited:
      return v1::CAUSE_EXITED;
    case Cause::kSignaled:
      return v1::CAUSE_SIGNALED;
    case Cause::kTerminated:
      return v1::CAUSE_TERMINATED;
    case Cause::kTimeLimit:
      return v1::CAUSE_TIME_LIMIT;
    case Cause::kSessionClosed:
      return v1::CAUSE_SESSION_CLOSED;
    case Cause::kSessionExpired:
      return v1::CAUSE_SESSION_EXPIRED;
    case Cause::kDeadMan:
      return v1::CAUSE_DEAD_MAN;
    case Cause::kOutOfMemory:
      return v1::CAUSE_OUT_OF_MEMORY;
    case Cause::kHostReboot:
      return v1::CAUSE_HOST_REBOOT;
    case Cause::kShimLost:
      return v1::CAUSE_SHIM_LOST;
    case Cause::kRecordVersion:
      return v1::CAUSE_RECORD_VERSION;
  }
  return v1::CAUSE_UNSPECIFIED;
}

void SetFlags(uint32_t flags, v1::Process* proto) {
  static constexpr std::pair<uint32_t, v1::Flag> kFlags[] = {
      {kFlagOutputStalled, v1::FLAG_OUTPUT_STALLED},
      {kFlagShimStalled, v1::FLAG_SHIM_STALLED},
      {kFlagEscalated, v1::FLAG_ESCALATED},
      {kFlagUnkillable, v1::FLAG_UNKILLABLE},
      {kFlagLeaked, v1::FLAG_LEAKED},
      {kFlagOutputTruncated, v1::FLAG_OUTPUT_TRUNCATED},
      {kFlagOutputDropped, v1::FLAG_OUTPUT_DROPPED},
      {kFlagNoCgroup, v1::FLAG_NO_CGROUP},
      {kFlagUnmanaged, v1::FLAG_UNMANAGED},
  };
  for (const auto& [bit, flag] : kFlags) {
    if ((flags & bit) != 0) proto->add_flags(flag);
  }
}

void SetUsage(const record::Usage& usage, v1::ResourceUsage* proto) {
  SetDuration(absl::Nanoseconds(usage.user_ns), proto->mutable_user_time());
  SetDuration(absl::Nanoseconds(usage.system_ns), proto->mutable_system_time());
  proto->set_max_rss_bytes(usage.max_rss_bytes);
  proto->set_major_faults(usage.major_faults);
  proto->set_minor_faults(usage.minor_faults);
  proto->set_voluntary_switches(usage.voluntary_switches);
  proto->set_involuntary_switches(usage.involuntary_switches);
}

void SetOutcome(const Exit& exit, absl::string_view unknown_detail, v1::ExitStatus* proto) {
  if (exit.code.has_value()) {
    proto->set_code(*exit.code);
  } else if (exit.signal.has_value()) {
    proto->set_signal(*exit.signal);
  } else {
    proto->mutable_unknown()->set_reason(ToProto(exit.cause));
    proto->mutable_unknown()->set_detail(CapMessage(unknown_detail));
  }
  proto->set_core_dumped(exit.core_dumped);
  proto->set_cause(ToProto(exit.cause));
  proto->set_requested_by(exit.requested_by);
}

void SetExit(const Exit& exit, const std::vector<Survivor>& survivors, v1::ExitStatus* proto) {
  SetOutcome(exit, exit.unknown_detail, proto);
  SetUsage(exit.usage, proto->mutable_usage());
  proto->set_stderr_tail(exit.stderr_tail);
  for (const Survivor& survivor : survivors) SetSurvivor(survivor, proto->add_survivors());
}

void SetDescendants(const Descendants& descendants, v1::Descendants* proto) {
  for (const Survivor& member : descendants.members) SetSurvivor(member, proto->add_members());
  proto->set_count(descendants.count);
  proto->set_signal(descendants.signal);
  if (descendants.signal_time) SetTime(*descendants.signal_time, proto->mutable_signal_time());
  if (descendants.kill_time) SetTime(*descendants.kill_time, proto->mutable_kill_time());
}

void SetTermination(const Termination& termination, v1::Termination* proto) {
  proto->set_requested_by(termination.requested_by);
  proto->set_cause(ToProto(termination.cause));
  SetTime(termination.request_time, proto->mutable_request_time());
  proto->set_signal(termination.signal);
  SetDuration(termination.grace, proto->mutable_grace());
  if (termination.kill_time) SetTime(*termination.kill_time, proto->mutable_kill_time());
}

// As it is by now.
void SetSpec(const ProcessEntry& entry, SpecView view, v1::ProcessSpec* proto) {
  SetSpec(*entry.spec, view, proto);
  proto->set_lifetime(entry.lifetime == Lifetime::kDetached ? v1::LIFETIME_DETACHED
                                                            : v1::LIFETIME_SESSION);
  proto->clear_labels();
  proto->mutable_labels()->insert(entry.labels.begin(), entry.labels.end());
}

void SetTimes(const ProcessEntry& entry, v1::Process* proto) {
  SetTime(entry.create_time, proto->mutable_create_time());
  if (entry.start_time) SetTime(*entry.start_time, proto->mutable_start_time());
  if (entry.exit_time) SetTime(*entry.exit_time, proto->mutable_exit_time());
  if (entry.empty_time) SetTime(*entry.empty_time, proto->mutable_empty_time());
}

void SetOutput(const ProcessEntry& entry, v1::Process* proto) {
  for (int i = 0; i < record::kStreams; ++i) {
    if (!entry.spec->HasStream(i)) continue;
    v1::StreamPosition* position = proto->add_output();
    position->set_stream(ToKind(i));
    position->set_begin_offset(entry.streams[static_cast<size_t>(i)].begin);
    position->set_end_offset(entry.streams[static_cast<size_t>(i)].end);
  }
}

}  // namespace

void SetInput(const ProcessEntry& entry, v1::InputPosition* proto) {
  proto->set_kept_offset(entry.input.kept);
  proto->set_fed_offset(entry.input.fed);
  proto->set_taken_offset(entry.input.taken);
  proto->set_ended(entry.input.ended);
  proto->set_closed(IsInputClosed(entry));
  proto->set_window_bytes(entry.spec->input_window);
}

void SetTerminal(const ProcessEntry& entry, v1::TerminalSize* proto) {
  proto->set_rows(entry.terminal.rows);
  proto->set_columns(entry.terminal.columns);
  proto->set_serial(entry.terminal.serial);
}

v1::StreamKind ToKind(int stream) {
  using record::kStreamTable;
  static_assert(kStreamTable[record::kStdout].kind == v1::STREAM_KIND_STDOUT);
  static_assert(kStreamTable[record::kStderr].kind == v1::STREAM_KIND_STDERR);
  static_assert(kStreamTable[record::kResult].kind == v1::STREAM_KIND_RESULT);
  return static_cast<v1::StreamKind>(kStreamTable[stream].kind);
}

void SetProcess(const ProcessEntry& entry, absl::string_view host, SpecView view,
                v1::Process* proto) {
  proto->set_id(entry.id);
  proto->set_name(entry.name);
  proto->set_pid(entry.pid);
  proto->set_host(std::string(host));
  proto->set_state(ToProto(entry.state));
  SetSpec(entry, view, proto->mutable_spec());
  SetTimes(entry, proto);
  if (entry.exit) SetExit(*entry.exit, entry.survivors, proto->mutable_exit());
  if (entry.start_failure) {
    proto->mutable_start_failure()->set_stage(entry.start_failure->stage);
    proto->mutable_start_failure()->set_error_number(entry.start_failure->error_number);
    proto->mutable_start_failure()->set_message(CapMessage(entry.start_failure->message));
  }
  if (entry.termination) SetTermination(*entry.termination, proto->mutable_termination());
  proto->set_tree_empty(entry.tree_empty);
  proto->set_output_complete(entry.output_complete);
  SetOutput(entry, proto);
  if (entry.spec->input_window > 0) SetInput(entry, proto->mutable_input());
  if (entry.spec->HasTerminal()) SetTerminal(entry, proto->mutable_terminal());
  proto->set_session_id(entry.session_id);
  proto->set_owner(entry.owner);
  SetFlags(entry.flags, proto);
  proto->set_output_error_number(entry.stall_errno);
  if (entry.descendants) SetDescendants(*entry.descendants, proto->mutable_descendants());
  proto->set_revision(entry.revision);
  if (entry.rank) proto->set_rank(*entry.rank);
  proto->set_forked_from(entry.forked_from);
  for (const SignalEvent& event : entry.signals) {
    v1::SignalEvent* one = proto->add_signals();
    one->set_signal(event.signal);
    one->set_requested_by(event.requested_by);
    SetTime(event.time, one->mutable_time());
  }
}

void SetBriefProcess(const ProcessEntry& entry, absl::string_view host, v1::Process* proto) {
  proto->set_brief(true);
  proto->set_id(entry.id);
  proto->set_name(entry.name);
  proto->set_pid(entry.pid);
  proto->set_host(std::string(host));
  proto->set_state(ToProto(entry.state));
  if (entry.start_time) SetTime(*entry.start_time, proto->mutable_start_time());
  if (entry.exit_time) SetTime(*entry.exit_time, proto->mutable_exit_time());
  if (entry.exit) SetOutcome(*entry.exit, /*unknown_detail=*/"", proto->mutable_exit());
  if (entry.start_failure) {
    proto->mutable_start_failure()->set_stage(entry.start_failure->stage);
    proto->mutable_start_failure()->set_error_number(entry.start_failure->error_number);
  }
  proto->set_tree_empty(entry.tree_empty);
  proto->set_output_complete(entry.output_complete);
  SetFlags(entry.flags, proto);
  proto->set_revision(entry.revision);
  if (entry.rank) proto->set_rank(*entry.rank);
}

void SetSession(const SessionEntry& entry, int live_processes, absl::Duration now,
                v1::Session* proto) {
  proto->set_id(entry.id);
  proto->set_name(entry.name);
  proto->set_owner(entry.owner);
  SetDuration(entry.ttl, proto->mutable_ttl());
  SetTime(entry.create_time, proto->mutable_create_time());
  SetTime(entry.renew_time, proto->mutable_renew_time());
  proto->set_live_processes(live_processes);
  SetDuration(std::max(entry.expires_boottime - now, absl::ZeroDuration()),
              proto->mutable_expires_in());
}

absl::StatusOr<Selector> ToSelector(const v1::Selector& proto) {
  Selector selector;
  SHOAL_RETURN_IF_ERROR(CheckCount("selector.terms", proto.terms_size(), kMaxSelectorTerms));
  const auto globs = std::count_if(proto.terms().begin(), proto.terms().end(), IsGlob);
  if (globs > kMaxSelectorGlobs) {
    return absl::InvalidArgumentError(
        absl::StrCat("selector.terms has ", globs, " globs, limit ", kMaxSelectorGlobs));
  }
  for (int i = 0; i < proto.terms_size(); ++i) {
    const std::string& term = proto.terms(i);
    std::string field = absl::StrCat("selector.terms[", i, "]");
    if (term.empty()) return absl::InvalidArgumentError(absl::StrCat(field, " is empty"));
    if (term.size() > kMaxTermBytes) {
      return absl::InvalidArgumentError(
          absl::StrCat(field, " is ", term.size(), " bytes, limit ", kMaxTermBytes));
    }
    SHOAL_RETURN_IF_ERROR(CheckNoNul(field, term));
    selector.terms.push_back(term);
  }
  SHOAL_RETURN_IF_ERROR(
      CheckCount("selector.labels", static_cast<int>(proto.labels().size()), kMaxLabels));
  for (const auto& [key, value] : proto.labels()) SHOAL_RETURN_IF_ERROR(CheckLabel(key, value));
  selector.labels = Labels(proto.labels().begin(), proto.labels().end());
  selector.session_id = proto.session_id();
  selector.all = proto.all();
  if (selector.all &&
      !(selector.terms.empty() && selector.labels.empty() && selector.session_id.empty())) {
    return absl::InvalidArgumentError("selector.all excludes terms, labels and session_id");
  }
  SHOAL_RETURN_IF_ERROR(CheckCount("selector.states", proto.states_size(), v1::State_ARRAYSIZE));
  for (int state : proto.states()) {
    SHOAL_ASSIGN_OR_RETURN(State known, ToState(state));
    selector.states.push_back(known);
  }
  return selector;
}

absl::StatusOr<Selector> ToSelectorOfSome(const v1::Selector& proto) {
  SHOAL_ASSIGN_OR_RETURN(Selector selector, ToSelector(proto));
  if (selector.IsEmpty()) {
    return absl::InvalidArgumentError(
        "selector is empty: give terms, labels, session_id, or all to mean every process");
  }
  return selector;
}

}  // namespace shoal::agent
