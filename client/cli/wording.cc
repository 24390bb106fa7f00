#include "client/cli/wording.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/cli/units.h"
#include "common/escape.h"
#include "common/signals.h"
#include "shoal/outcome.h"

namespace shoal::cli {
namespace {

using shoal::v1::ExitStatus;
using shoal::v1::Process;

std::string DescribeSignalled(const Process& process) {
  const ExitStatus& exit = process.exit();
  std::string name = SignalName(exit.signal());
  switch (exit.cause()) {
    case shoal::v1::CAUSE_OUT_OF_MEMORY:
      return absl::StrCat("killed by the kernel, out of memory (peak ",
                          FormatBytes(exit.usage().max_rss_bytes()), ")");
    case shoal::v1::CAUSE_TIME_LIMIT:
      return absl::StrCat("ended by ", name, " at its time limit of ",
                          FormatSpan(ToSpan(process.spec().time_limit())));
    case shoal::v1::CAUSE_SESSION_CLOSED:
      return absl::StrCat("ended by ", name, " when its session was closed");
    case shoal::v1::CAUSE_SESSION_EXPIRED:
      return absl::StrCat("ended by ", name, " because its session lapsed");
    case shoal::v1::CAUSE_DEAD_MAN:
      return absl::StrCat("ended by ", name, " because its agent was gone for too long");
    default:
      return absl::StrCat("ended by ", name, exit.core_dumped() ? " (core dumped)" : "");
  }
}

}  // namespace

std::string StateWord(const Process& process) {
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
      return "failed";
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

std::string DescribeEnd(const Process& process) {
  if (process.state() == shoal::v1::STATE_FAILED_TO_START) {
    return absl::StrCat("did not start: ", process.start_failure().message());
  }
  const ExitStatus& exit = process.exit();
  switch (exit.outcome_case()) {
    case ExitStatus::kCode:
      return absl::StrCat("exit code ", exit.code());
    case ExitStatus::kSignal:
      return DescribeSignalled(process);
    case ExitStatus::kUnknown:
      break;
    case ExitStatus::OUTCOME_NOT_SET:
      return HasEnded(process) ? "its exit is unknown" : StateWord(process);
  }
  std::string why;
  if (exit.unknown().reason() == shoal::v1::CAUSE_SHIM_LOST) why = "its shim was lost";
  if (exit.unknown().reason() == shoal::v1::CAUSE_HOST_REBOOT) why = "the host was rebooted";
  const std::string& detail = exit.unknown().detail();
  return absl::StrCat("its exit is unknown: ", why, why.empty() || detail.empty() ? "" : ", ",
                      EscapeForMessage(detail, 512));
}

std::string DescribeIdentity(absl::string_view identity) {
  if (absl::StartsWith(identity, "uid:")) return absl::StrCat("uid ", identity.substr(4));
  return identity.empty() ? "somebody unknown" : EscapeForMessage(identity);
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
  size_t cut = max_bytes;
  while (cut > 0 && (static_cast<unsigned char>(line[cut]) & 0xC0) == 0x80) --cut;
  return absl::StrCat(line.substr(0, cut), "…");
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
