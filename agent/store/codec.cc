#include "agent/store/codec.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "agent/store/stored.pb.h"
#include "common/status.h"

namespace shoal::agent {
namespace {

int64_t ToNanos(absl::Time time) { return absl::ToUnixNanos(time); }
int64_t ToNanos(absl::Duration span) { return absl::ToInt64Nanoseconds(span); }

template <typename Enum>
absl::Status DecodeEnum(int number, Enum last, absl::string_view field, Enum* out) {
  if (number < 0 || number > static_cast<int>(last)) {
    return absl::DataLossError(absl::StrCat("unknown ", field, " ", number));
  }
  *out = static_cast<Enum>(number);
  return absl::OkStatus();
}

absl::Status DecodeCause(int number, Cause* out) {
  return DecodeEnum(number, Cause::kLast, "cause", out);
}

void Encode(const record::Usage& usage, stored::Usage* out) {
  out->set_user_ns(usage.user_ns);
  out->set_system_ns(usage.system_ns);
  out->set_max_rss_bytes(usage.max_rss_bytes);
  out->set_major_faults(usage.major_faults);
  out->set_minor_faults(usage.minor_faults);
  out->set_voluntary_switches(usage.voluntary_switches);
  out->set_involuntary_switches(usage.involuntary_switches);
}

record::Usage Decode(const stored::Usage& usage) {
  return {.user_ns = usage.user_ns(),
          .system_ns = usage.system_ns(),
          .max_rss_bytes = usage.max_rss_bytes(),
          .major_faults = usage.major_faults(),
          .minor_faults = usage.minor_faults(),
          .voluntary_switches = usage.voluntary_switches(),
          .involuntary_switches = usage.involuntary_switches()};
}

void Encode(const Exit& exit, stored::Exit* out) {
  if (exit.code) out->set_code(*exit.code);
  if (exit.signal) out->set_signal(*exit.signal);
  out->set_core_dumped(exit.core_dumped);
  out->set_cause(static_cast<int>(exit.cause));
  out->set_requested_by(exit.requested_by);
  out->set_unknown_detail(exit.unknown_detail);
  Encode(exit.usage, out->mutable_usage());
  out->set_stderr_tail(exit.stderr_tail);
}

absl::Status Decode(const stored::Exit& exit, Exit* out) {
  if (exit.has_code()) out->code = exit.code();
  if (exit.has_signal()) out->signal = exit.signal();
  out->core_dumped = exit.core_dumped();
  out->requested_by = exit.requested_by();
  out->unknown_detail = exit.unknown_detail();
  out->usage = Decode(exit.usage());
  out->stderr_tail = exit.stderr_tail();
  return DecodeCause(exit.cause(), &out->cause);
}

void Encode(const Termination& termination, stored::Termination* out) {
  out->set_requested_by(termination.requested_by);
  out->set_cause(static_cast<int>(termination.cause));
  out->set_request_time(ToNanos(termination.request_time));
  out->set_signal(termination.signal);
  out->set_grace(ToNanos(termination.grace));
  if (termination.kill_time) out->set_kill_time(ToNanos(*termination.kill_time));
}

absl::Status Decode(const stored::Termination& termination, Termination* out) {
  out->requested_by = termination.requested_by();
  out->request_time = absl::FromUnixNanos(termination.request_time());
  out->signal = termination.signal();
  out->grace = absl::Nanoseconds(termination.grace());
  if (termination.has_kill_time()) out->kill_time = absl::FromUnixNanos(termination.kill_time());
  return DecodeCause(termination.cause(), &out->cause);
}

void Encode(const Survivor& survivor, stored::Survivor* out) {
  out->set_pid(survivor.pid);
  out->set_command(survivor.command);
  out->set_wait_channel(survivor.wait_channel);
}

Survivor Decode(const stored::Survivor& survivor) {
  return {survivor.pid(), survivor.command(), survivor.wait_channel()};
}

void Encode(const Descendants& descendants, stored::Descendants* out) {
  for (const Survivor& member : descendants.members) Encode(member, out->add_members());
  out->set_count(descendants.count);
  out->set_signal(descendants.signal);
  if (descendants.signal_time) out->set_signal_time(ToNanos(*descendants.signal_time));
  if (descendants.kill_time) out->set_kill_time(ToNanos(*descendants.kill_time));
}

Descendants Decode(const stored::Descendants& descendants) {
  Descendants out;
  for (const stored::Survivor& member : descendants.members())
    out.members.push_back(Decode(member));
  out.count = descendants.count();
  out.signal = descendants.signal();
  if (descendants.has_signal_time()) {
    out.signal_time = absl::FromUnixNanos(descendants.signal_time());
  }
  if (descendants.has_kill_time()) out.kill_time = absl::FromUnixNanos(descendants.kill_time());
  return out;
}

void EncodeTimes(const ProcessEntry& process, stored::Process* out) {
  out->set_create_time(ToNanos(process.create_time));
  if (process.start_time) out->set_start_time(ToNanos(*process.start_time));
  if (process.exit_time) out->set_exit_time(ToNanos(*process.exit_time));
  if (process.empty_time) out->set_empty_time(ToNanos(*process.empty_time));
  if (process.forget_time) out->set_forget_time(ToNanos(*process.forget_time));
}

void DecodeTimes(const stored::Process& process, ProcessEntry* out) {
  out->create_time = absl::FromUnixNanos(process.create_time());
  if (process.has_start_time()) out->start_time = absl::FromUnixNanos(process.start_time());
  if (process.has_exit_time()) out->exit_time = absl::FromUnixNanos(process.exit_time());
  if (process.has_empty_time()) out->empty_time = absl::FromUnixNanos(process.empty_time());
  if (process.has_forget_time()) out->forget_time = absl::FromUnixNanos(process.forget_time());
}

void EncodeInput(const InputState& input, stored::Input* out) {
  out->set_kept(input.kept);
  out->set_ended(input.ended);
  out->set_fed(input.fed);
  out->set_taken(input.taken);
  out->set_done(input.done);
  out->set_closed(input.closed);
}

void DecodeInput(const stored::Input& input, InputState* out) {
  out->kept = input.kept();
  out->ended = input.ended();
  out->fed = input.fed();
  out->taken = input.taken();
  out->done = input.done();
  out->closed = input.closed();
}

void EncodeLists(const ProcessEntry& process, stored::Process* out) {
  for (const auto& [key, value] : process.labels) {
    stored::Pair* pair = out->add_labels();
    pair->set_key(key);
    pair->set_value(value);
  }
  for (const record::StreamState& stream : process.streams) {
    stored::Stream* added = out->add_streams();
    added->set_begin(stream.begin);
    added->set_end(stream.end);
  }
  for (const Survivor& survivor : process.survivors) Encode(survivor, out->add_survivors());
  for (const SignalEvent& event : process.signals) {
    stored::SignalEvent* added = out->add_signals();
    added->set_signal(event.signal);
    added->set_requested_by(event.requested_by);
    added->set_time(ToNanos(event.time));
  }
}

void DecodeLists(const stored::Process& process, ProcessEntry* out) {
  for (const stored::Pair& pair : process.labels()) out->labels[pair.key()] = pair.value();
  const int streams = std::min(process.streams_size(), record::kStreams);
  for (int i = 0; i < streams; ++i) {
    out->streams[static_cast<size_t>(i)] = {.begin = process.streams(i).begin(),
                                            .end = process.streams(i).end()};
  }
  for (const stored::Survivor& survivor : process.survivors()) {
    out->survivors.push_back(Decode(survivor));
  }
  for (const stored::SignalEvent& event : process.signals()) {
    out->signals.push_back(
        {event.signal(), event.requested_by(), absl::FromUnixNanos(event.time())});
  }
}

absl::Status DecodeOutcome(const stored::Process& process, ProcessEntry* out) {
  if (process.has_exit()) SHOAL_RETURN_IF_ERROR(Decode(process.exit(), &out->exit.emplace()));
  if (process.has_start_failure()) {
    const stored::StartFailure& failure = process.start_failure();
    out->start_failure = StartFailure{failure.stage(), failure.error_number(), failure.message()};
  }
  if (process.has_termination()) {
    SHOAL_RETURN_IF_ERROR(Decode(process.termination(), &out->termination.emplace()));
  }
  if (process.has_descendants()) out->descendants = Decode(process.descendants());
  out->tree_empty = process.tree_empty();
  out->output_complete = process.output_complete();
  return absl::OkStatus();
}

void EncodeOutcome(const ProcessEntry& process, stored::Process* out) {
  if (process.exit) Encode(*process.exit, out->mutable_exit());
  if (process.start_failure) {
    out->mutable_start_failure()->set_stage(process.start_failure->stage);
    out->mutable_start_failure()->set_error_number(process.start_failure->error_number);
    out->mutable_start_failure()->set_message(process.start_failure->message);
  }
  if (process.termination) Encode(*process.termination, out->mutable_termination());
  if (process.descendants) Encode(*process.descendants, out->mutable_descendants());
  out->set_tree_empty(process.tree_empty);
  out->set_output_complete(process.output_complete);
}

void EncodeFork(const ProcessEntry& process, stored::Process* out) {
  out->set_forked_from(process.forked_from);
  if (!process.template_facts) return;
  const TemplateFacts& facts = *process.template_facts;
  stored::Template* added = out->mutable_template_();
  added->set_key(facts.key);
  added->set_version(facts.version);
  added->set_idle_timeout(ToNanos(facts.idle_timeout));
  added->set_forks(facts.forks);
  added->set_last_use(ToNanos(facts.last_use));
}

void DecodeFork(const stored::Process& process, ProcessEntry* out) {
  out->forked_from = process.forked_from();
  if (!process.has_template_()) return;
  const stored::Template& facts = process.template_();
  out->template_facts = TemplateFacts{.key = facts.key(),
                                      .version = facts.version(),
                                      .idle_timeout = absl::Nanoseconds(facts.idle_timeout()),
                                      .forks = facts.forks(),
                                      .last_use = absl::FromUnixNanos(facts.last_use())};
}

template <typename Message>
absl::Status Parse(absl::string_view blob, Message* message) {
  if (!message->ParseFromArray(blob.data(), static_cast<int>(blob.size()))) {
    return absl::DataLossError("it is not a stored message");
  }
  return absl::OkStatus();
}

}  // namespace

std::string EncodeProcess(const ProcessEntry& process) {
  stored::Process out;
  out.set_name(process.name);
  if (process.rank) out.set_rank(*process.rank);
  out.set_fingerprint(process.fingerprint);
  out.set_lifetime(static_cast<int>(process.lifetime));
  out.set_state(static_cast<int>(process.state));
  out.set_pid(process.pid);
  out.set_start_ticks(process.start_ticks);
  out.set_slot(process.slot);
  out.set_segment_bytes(process.segment_bytes);
  out.set_flags(process.flags);
  out.set_revision(process.revision);
  EncodeTimes(process, &out);
  EncodeOutcome(process, &out);
  EncodeLists(process, &out);
  if (process.input != InputState()) EncodeInput(process.input, out.mutable_input());
  EncodeFork(process, &out);
  return out.SerializeAsString();
}

absl::Status DecodeProcess(absl::string_view blob, ProcessEntry* process) {
  stored::Process in;
  SHOAL_RETURN_IF_ERROR(Parse(blob, &in));
  process->name = in.name();
  if (in.has_rank()) process->rank = in.rank();
  process->fingerprint = in.fingerprint();
  SHOAL_RETURN_IF_ERROR(
      DecodeEnum(in.lifetime(), Lifetime::kDetached, "lifetime", &process->lifetime));
  SHOAL_RETURN_IF_ERROR(DecodeEnum(in.state(), State::kLost, "state", &process->state));
  process->pid = in.pid();
  process->start_ticks = in.start_ticks();
  process->slot = in.slot();
  process->segment_bytes = in.segment_bytes();
  process->flags = in.flags();
  process->revision = in.revision();
  DecodeTimes(in, process);
  DecodeLists(in, process);
  if (in.has_input()) DecodeInput(in.input(), &process->input);
  DecodeFork(in, process);
  return DecodeOutcome(in, process);
}

std::string EncodeSession(const SessionEntry& session) {
  stored::Session out;
  out.set_name(session.name);
  out.set_owner(session.owner);
  out.set_token(session.token);
  out.set_request_id(session.request_id);
  out.set_ttl(ToNanos(session.ttl));
  out.set_create_time(ToNanos(session.create_time));
  out.set_renew_time(ToNanos(session.renew_time));
  out.set_over(session.over);
  out.set_expired(session.expired);
  if (session.opener) {
    stored::Opener* const opener = out.mutable_opener();
    opener->set_pid(session.opener->pid);
    opener->set_start_ticks(session.opener->start_ticks);
    opener->set_boot_id(session.opener->boot_id);
    opener->set_process_id(session.opener->process_id);
  }
  for (const std::string& token : session.fenced_tokens) out.add_fenced_tokens(token);
  if (session.takeover) {
    out.mutable_takeover()->set_by(session.takeover->by);
    out.mutable_takeover()->set_request_id(session.takeover->request_id);
    out.mutable_takeover()->set_time(ToNanos(session.takeover->time));
  }
  return out.SerializeAsString();
}

absl::Status DecodeSession(absl::string_view blob, SessionEntry* session) {
  stored::Session in;
  SHOAL_RETURN_IF_ERROR(Parse(blob, &in));
  session->name = in.name();
  session->owner = in.owner();
  session->token = in.token();
  session->request_id = in.request_id();
  session->ttl = absl::Nanoseconds(in.ttl());
  session->create_time = absl::FromUnixNanos(in.create_time());
  session->renew_time = absl::FromUnixNanos(in.renew_time());
  session->over = in.over();
  session->expired = in.expired();
  if (in.has_opener()) {
    session->opener = Opener{.pid = in.opener().pid(),
                             .start_ticks = in.opener().start_ticks(),
                             .boot_id = in.opener().boot_id(),
                             .process_id = in.opener().process_id()};
  }
  session->fenced_tokens.assign(in.fenced_tokens().begin(), in.fenced_tokens().end());
  if (in.has_takeover()) {
    session->takeover = Takeover{.by = in.takeover().by(),
                                 .request_id = in.takeover().request_id(),
                                 .time = absl::FromUnixNanos(in.takeover().time())};
  }
  return absl::OkStatus();
}

std::string EncodeRequest(const LoggedRequest& request) {
  const Decision& decision = request.decision;
  stored::Request out;
  out.set_kind(static_cast<int>(request.kind));
  out.set_fingerprint(request.fingerprint);
  out.set_is_decided(request.is_decided);
  out.set_code(static_cast<int>(decision.status.code()));
  out.set_message(std::string(decision.status.message()));
  out.set_made_id(decision.made_id);
  for (const LoggedOutcome& outcome : decision.outcomes) {
    stored::RequestOutcome* added = out.add_outcomes();
    added->set_process_id(outcome.process_id);
    added->set_code(static_cast<int>(outcome.status.code()));
    added->set_message(std::string(outcome.status.message()));
  }
  for (const int item : request.unstarted) out.add_unstarted(item);
  return out.SerializeAsString();
}

absl::Status DecodeRequest(absl::string_view blob, LoggedRequest* request) {
  stored::Request in;
  SHOAL_RETURN_IF_ERROR(Parse(blob, &in));
  SHOAL_RETURN_IF_ERROR(DecodeEnum(in.kind(), RequestKind::kLast, "kind", &request->kind));
  request->fingerprint = in.fingerprint();
  request->is_decided = in.is_decided();
  Decision& decision = request->decision;
  decision.status = absl::Status(static_cast<absl::StatusCode>(in.code()), in.message());
  decision.made_id = in.made_id();
  for (const stored::RequestOutcome& outcome : in.outcomes()) {
    decision.outcomes.push_back(
        {outcome.process_id(),
         absl::Status(static_cast<absl::StatusCode>(outcome.code()), outcome.message())});
  }
  request->unstarted.assign(in.unstarted().begin(), in.unstarted().end());
  return absl::OkStatus();
}

}  // namespace shoal::agent
