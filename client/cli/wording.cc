#include "client/cli/wording.h"

#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "client/cli/units.h"
#include "common/escape.h"
#include "common/ids.h"
#include "common/signals.h"
#include "common/utf8.h"
#include "shoal/outcome.h"

namespace shoal::cli {
namespace {

using shoal::v1::ExitStatus;
using shoal::v1::Process;

constexpr size_t kMaxReasonBytes = 512;

// What stands behind the exit; nothing if it came by itself or on request.
std::string Occasion(const Process& process) {
  switch (process.exit().cause()) {
    case shoal::v1::CAUSE_TIME_LIMIT:
      return absl::StrCat(" at its time limit of ",
                          FormatSpan(ToSpan(process.spec().time_limit())));
    case shoal::v1::CAUSE_SESSION_CLOSED:
      return " when its session was closed";
    case shoal::v1::CAUSE_SESSION_EXPIRED:
      return " because its session lapsed";
    case shoal::v1::CAUSE_DEAD_MAN:
      return " because its agent was gone for too long";
    case shoal::v1::CAUSE_TERMINATED: {
      const std::string other = EndOfOther(process.exit().requested_by());
      return other.empty() ? "" : absl::StrCat(" with ", other);
    }
    default:
      return "";
  }
}

std::string DescribeSignal(const ExitStatus& exit) {
  if (exit.cause() == shoal::v1::CAUSE_OUT_OF_MEMORY) {
    return absl::StrCat("killed by the kernel, out of memory (peak ",
                        FormatBytes(exit.usage().max_rss_bytes()), ")");
  }
  return absl::StrCat("ended by ", SignalName(exit.signal()),
                      exit.core_dumped() ? " (core dumped)" : "");
}

std::string DescribeUnknown(const ExitStatus& exit) {
  std::string why;
  if (exit.unknown().reason() == shoal::v1::CAUSE_SHIM_LOST) why = "its shim was lost";
  if (exit.unknown().reason() == shoal::v1::CAUSE_HOST_REBOOT) why = "the host was rebooted";
  if (exit.unknown().reason() == shoal::v1::CAUSE_RECORD_VERSION) why = "it was left alone";
  const std::string& detail = exit.unknown().detail();
  if (absl::StartsWith(detail, "its shim was ")) why = "";  // which says the same
  return absl::StrCat("its exit is unknown: ", why, why.empty() || detail.empty() ? "" : ", ",
                      EscapeForMessage(detail, 512));
}

// "5 s after its exit"; those who are told together with the main process are told before that.
std::string AfterExit(const Process& process, const google::protobuf::Timestamp& time) {
  const absl::Duration span = ToTime(true, time) - ToTime(true, process.exit_time());
  if (span < absl::ZeroDuration()) return " before its exit";
  return absl::StrCat(" ", FormatSpan(span), " after its exit");
}

std::string WhatBecomesOfDescendants(const Process& process) {
  const shoal::v1::Descendants& left = process.descendants();
  if (left.signal() != 0) {
    const std::string killed = left.has_kill_time() && left.signal() != 9
                                   ? absl::StrCat(", SIGKILL", AfterExit(process, left.kill_time()))
                                   : "";
    return absl::StrCat(SignalName(left.signal()), AfterExit(process, left.signal_time()), killed);
  }
  if (process.tree_empty()) return "ended by themselves";
  if (process.spec().descendants() == shoal::v1::DESCENDANT_POLICY_KEEP) return "kept";
  const std::string grace = FormatSpan(ToSpan(process.spec().grace()));
  return absl::StrCat("SIGTERM ", grace, " after its exit, SIGKILL ", grace, " later");
}

}  // namespace

std::string StateWord(const Process& process) {
  if (!HasEnded(process) && HasFlag(process, shoal::v1::FLAG_UNMANAGED)) return "unmanaged";
  if (!HasEnded(process) && process.live_usage().stopped()) return "stopped";
  switch (process.state()) {
    case shoal::v1::STATE_PENDING:
      return "pending";
    case shoal::v1::STATE_STARTING:
      return "starting";
    case shoal::v1::STATE_RUNNING:
      return "running";
    case shoal::v1::STATE_STOPPING:
      return "stopping";
    case shoal::v1::STATE_FAILED_TO_START:
      return process.start_failure().error_number() == ECANCELED ? "not started" : "failed";
    case shoal::v1::STATE_LOST:
      return "lost";
    case shoal::v1::STATE_EXITED:
      break;
    default:
      return "unknown";
  }
  const ExitStatus& exit = process.exit();
  if (exit.outcome_case() == ExitStatus::kCode) return absl::StrCat("exited(", exit.code(), ")");
  if (exit.outcome_case() != ExitStatus::kSignal) return "exited(?)";
  return absl::StrCat("killed(", SignalName(exit.signal()), ")");
}

std::string DescribeExit(const Process& process) {
  if (process.state() == shoal::v1::STATE_FAILED_TO_START) {
    return absl::StrCat("did not start: ", process.start_failure().message());
  }
  const ExitStatus& exit = process.exit();
  switch (exit.outcome_case()) {
    case ExitStatus::kCode:
      return absl::StrCat("exit code ", exit.code());
    case ExitStatus::kSignal:
      return DescribeSignal(exit);
    case ExitStatus::kUnknown:
      return DescribeUnknown(exit);
    case ExitStatus::OUTCOME_NOT_SET:
      break;
  }
  return HasEnded(process) ? "its exit is unknown" : StateWord(process);
}

std::string DescribeEnd(const Process& process) {
  return absl::StrCat(DescribeExit(process), Occasion(process));
}

Killed WhoWasKilled(const Process& process) {
  const shoal::v1::Termination& end = process.termination();
  if (!end.has_kill_time() || end.signal() == SIGKILL) return Killed::kNothing;
  const bool had_ended =
      process.has_exit_time() && ToTime(true, process.exit_time()) < ToTime(true, end.kill_time());
  return had_ended ? Killed::kRest : Killed::kProcess;
}

std::string DescribeKill(const Process& process) {
  const Killed who = WhoWasKilled(process);
  if (who == Killed::kNothing) return "";
  return absl::StrCat(" (", who == Killed::kProcess ? "it" : "what it had started",
                      " did not react to ", SignalName(process.termination().signal()),
                      who == Killed::kProcess ? ")" : ", and was killed)");
}

std::string DescribeDescendants(const Process& process) {
  const shoal::v1::Descendants& left = process.descendants();
  std::vector<std::string> names;
  for (const shoal::v1::Survivor& member : left.members()) {
    names.push_back(absl::StrCat(EscapeForMessage(member.command()), " (", member.pid(), ")"));
  }
  if (left.count() > left.members_size()) {
    names.push_back(absl::StrCat(left.count() - left.members_size(), " more"));
  }
  const std::string last = names.empty() ? "" : names.back();
  if (!names.empty()) names.pop_back();
  return absl::StrCat(Count(left.count(), "process", "es"), " outlived it, ",
                      absl::StrJoin(names, ", "), names.empty() ? "" : " and ", last, ": ",
                      WhatBecomesOfDescendants(process));
}

std::string TellDetached(const Process& process, bool is_all_passed,
                         std::optional<int64_t> input_at, int64_t output_at) {
  std::string text =
      absl::StrCat(process.has_terminal() ? "\r\n" : "", "shoal: detached; ", process.name(), " (",
                   process.id().substr(0, kShortIdLength), ") runs on");
  if (!is_all_passed) absl::StrAppend(&text, ", not all that was typed was passed on");
  if (input_at.has_value()) absl::StrAppend(&text, ", input at byte ", *input_at);
  return absl::StrCat(text, ", output at byte ", output_at, ".\n");
}

absl::string_view NameOfStream(shoal::v1::StreamKind stream) {
  switch (stream) {
    case shoal::v1::STREAM_KIND_STDERR:
      return "stderr";
    case shoal::v1::STREAM_KIND_RESULT:
      return "result";
    default:
      return "stdout";
  }
}

std::string DescribeGap(shoal::v1::StreamKind stream, const shoal::v1::Gap& gap) {
  const bool is_one = gap.to() - gap.from() == 1;
  const std::string bytes =
      absl::StrCat(Count(gap.to() - gap.from(), "byte"), " of ", NameOfStream(stream),
                   " from byte ", gap.from(), " on ", is_one ? "was" : "were");
  switch (gap.reason()) {
    case shoal::v1::Gap::REASON_ACKNOWLEDGED:
      return absl::StrCat(bytes, " read before, and let go");
    case shoal::v1::Gap::REASON_MISSING:
      return absl::StrCat(bytes, " lost: another program has cut or removed the file");
    default:
      return absl::StrCat(bytes, " dropped");
  }
}

std::string BareReason(const absl::Status& status) {
  constexpr absl::string_view kBegin = "host \"";
  constexpr absl::string_view kEnd = "\" cannot be reached: ";
  const absl::string_view message = status.message();
  const size_t begin = message.find(kBegin);
  const size_t end = message.find(kEnd);
  const bool is_there = begin != absl::string_view::npos && end != absl::string_view::npos;
  const std::string bare = is_there && begin < end ? absl::StrCat(message.substr(0, begin),
                                                                  message.substr(end + kEnd.size()))
                                                   : std::string(message);
  return EscapeForMessage(bare, kMaxReasonBytes);
}

std::string DescribeSilence(absl::Duration silence) {
  if (silence == absl::ZeroDuration()) return "its agent answers again";
  return absl::StrCat("its agent has not answered for ",
                      FormatSpan(absl::Floor(silence, absl::Seconds(1))), "; waiting for it");
}

std::string DescribeIdentity(absl::string_view identity) {
  if (absl::StartsWith(identity, "uid:")) return absl::StrCat("uid ", identity.substr(4));
  return identity.empty() ? "somebody unknown" : EscapeForMessage(identity);
}

std::string EndOfOther(absl::string_view requested_by) {
  if (!absl::ConsumePrefix(&requested_by, "the end of ")) return "";
  return EscapeForMessage(requested_by);
}

absl::Duration RunTime(const Process& process) {
  if (!process.has_exit_time()) return absl::ZeroDuration();
  absl::Time begin = process.has_start_time() ? ToTime(true, process.start_time())
                                              : ToTime(true, process.create_time());
  return std::max(absl::ZeroDuration(), ToTime(true, process.exit_time()) - begin);
}

std::string CommandLine(const Process& process, size_t max_bytes) {
  std::string line;
  for (const std::string& word : process.spec().argv()) {
    absl::StrAppend(&line, line.empty() ? "" : " ", QuoteForDisplay(word));
    if (line.size() > max_bytes) break;
  }
  if (line.size() <= max_bytes) return line;
  return absl::StrCat(CutUtf8(line, max_bytes), "…");
}

absl::Time ToTime(bool present, const google::protobuf::Timestamp& timestamp) {
  if (!present) return absl::InfinitePast();
  return absl::FromUnixSeconds(timestamp.seconds()) + absl::Nanoseconds(timestamp.nanos());
}

absl::Duration ToSpan(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

google::protobuf::Duration FromSpan(absl::Duration span) {
  google::protobuf::Duration duration;
  duration.set_seconds(absl::IDivDuration(span, absl::Seconds(1), &span));
  duration.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(span)));
  return duration;
}

}  // namespace shoal::cli
