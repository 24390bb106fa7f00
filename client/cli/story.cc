#include "client/cli/story.h"

#include <signal.h>

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "client/cli/run_report.h"
#include "client/cli/table.h"
#include "client/cli/units.h"
#include "client/cli/wording.h"
#include "common/escape.h"
#include "common/ids.h"
#include "common/signals.h"
#include "common/status.h"
#include "shoal/outcome.h"

namespace shoal::cli {
namespace {

using shoal::v1::ExitStatus;
using shoal::v1::Process;

// Of a fault of the program itself, as a rule: who sends these from outside says so by their names.
bool IsCrash(int signal) {
  return signal == SIGSEGV || signal == SIGABRT || signal == SIGBUS || signal == SIGFPE ||
         signal == SIGILL || signal == SIGTRAP || signal == SIGSYS;
}

// Tells one process; each method appends its sentences.
class Teller {
 public:
  Teller(const Process& process, absl::Time now, size_t width, const std::vector<StreamGap>& gaps)
      : process_(process), now_(now), width_(width), gaps_(gaps) {}

  std::string Tell() {
    Beginning();
    Signals();
    End();
    Tree();
    Output();
    Gaps();
    Flags();
    const std::string story = absl::StrJoin(sentences_, " ");
    const std::string shown = EscapeForMessage(story, story.size());
    return absl::StrCat(width_ == 0 ? shown : Wrap(shown, width_, 0), EndOfStderr());
  }

 private:
  std::string Clock(const google::protobuf::Timestamp& timestamp) const {
    return FormatClock(ToTime(true, timestamp), now_);
  }

  template <typename... Parts>
  void Say(const Parts&... parts) {
    sentences_.push_back(absl::StrCat(parts...));
  }

  bool HasFlag(shoal::v1::Flag flag) const { return shoal::HasFlag(process_, flag); }
  bool IsUnmanaged() const { return !HasEnded(process_) && HasFlag(shoal::v1::FLAG_UNMANAGED); }

  void Beginning();
  std::string Parent() const;
  void Signals();
  void End();
  std::string RequestedEnd() const;
  void TellRequested(const std::string& at);
  void Tree();
  void Output();
  std::string Dropped() const;
  void Gaps();
  absl::string_view Rest() const;
  std::string EndOfStderr() const;
  void Flags();
  void Stall();

  const Process& process_;
  const absl::Time now_;
  const size_t width_;
  const std::vector<StreamGap>& gaps_;
  std::vector<std::string> sentences_;
};

void Teller::Beginning() {
  std::string who =
      absl::StrCat(process_.name(), " (", process_.id().substr(0, kShortIdLength), ")");
  std::string by = DescribeIdentity(process_.owner());
  if (process_.state() == shoal::v1::STATE_FAILED_TO_START) {
    Say(who, " was to be started on ", process_.host(), " at ", Clock(process_.create_time()),
        " by ", by, " (", CommandLine(process_, 200),
        "), but no program ran: ", EscapeForMessage(process_.start_failure().message(), 512), ".");
  } else if (process_.pid() == 0 && !process_.has_start_time()) {
    Say(who, " was asked for on ", process_.host(), " at ", Clock(process_.create_time()), " by ",
        by,
        HasEnded(process_) ? "; it is not known to have started."
        : IsUnmanaged()    ? "."
                           : " and has not started yet.");
  } else {
    Say(who, " was started on ", process_.host(), " at ",
        Clock(process_.has_start_time() ? process_.start_time() : process_.create_time()), " by ",
        by, " as PID ", process_.pid(), " (", CommandLine(process_, 200), ").");
    if (!process_.forked_from().empty()) Say("It was forked from ", Parent(), ".");
    const std::string& beside = process_.spec().beside();
    if (!beside.empty()) Say("It ran beside ", beside.substr(0, kShortIdLength), ".");
  }
}

// By the name that was given for it, if one was.
std::string Teller::Parent() const {
  const std::string id = process_.forked_from().substr(0, kShortIdLength);
  if (process_.spec().start_method() != shoal::v1::START_METHOD_FORK) {
    return absl::StrCat("its program's template ", id);
  }
  const std::string& name = process_.spec().fork_of();
  const bool is_id = process_.forked_from().compare(0, name.size(), name) == 0;
  return is_id ? id : absl::StrCat(name, " (", id, ")");
}

void Teller::Signals() {
  for (const shoal::v1::SignalEvent& event : process_.signals()) {
    Say("At ", Clock(event.time()), " ", DescribeIdentity(event.requested_by()), " sent it ",
        SignalName(event.signal()), ".");
  }
}

// "At 16:40:02 uid 1000 asked for its end (SIGTERM, grace 5 s)", or why Shoal did by itself.
std::string Teller::RequestedEnd() const {
  const shoal::v1::Termination& termination = process_.termination();
  std::string how = absl::StrCat(" (", SignalName(termination.signal()), ", grace ",
                                 FormatSpan(ToSpan(termination.grace())), ")");
  std::string at = absl::StrCat("At ", Clock(termination.request_time()), " ");
  switch (termination.cause()) {
    case shoal::v1::CAUSE_TIME_LIMIT:
      return absl::StrCat(at, "its time limit of ",
                          FormatSpan(ToSpan(process_.spec().time_limit())), " was reached", how);
    case shoal::v1::CAUSE_SESSION_CLOSED:
      return absl::StrCat(at, "its session was closed by ",
                          DescribeIdentity(termination.requested_by()), how);
    case shoal::v1::CAUSE_SESSION_EXPIRED:
      return absl::StrCat(at, "its session lapsed, its client was not heard of any more", how);
    case shoal::v1::CAUSE_DEAD_MAN:
      return absl::StrCat(at, "its agent had been gone for too long", how);
    default:
      if (const std::string other = EndOfOther(termination.requested_by()); !other.empty()) {
        return absl::StrCat(at, "it was ended with ", other, how);
      }
      return absl::StrCat(at, DescribeIdentity(termination.requested_by()), " asked for its end",
                          how);
  }
}

// `at`: " at 16:40:07", when it ended.
void Teller::TellRequested(const std::string& at) {
  const ExitStatus& exit = process_.exit();
  const Killed who = WhoWasKilled(process_);
  const std::string killed = Clock(process_.termination().kill_time());
  const bool is_by_kill = exit.outcome_case() == ExitStatus::kSignal && exit.signal() == 9;
  if (who == Killed::kProcess && is_by_kill) {
    Say(RequestedEnd(), "; it did not react; SIGKILL at ", killed, " ended it.");
  } else {
    Say(RequestedEnd(), "; ", DescribeExit(process_), at,
        who == Killed::kNothing
            ? "."
            : absl::StrCat("; SIGKILL at ", killed, " was for what it had started."));
  }
}

void Teller::End() {
  const ExitStatus& exit = process_.exit();
  if (process_.state() == shoal::v1::STATE_FAILED_TO_START) {
    if (process_.has_termination()) Say(RequestedEnd(), ".");
    return;
  }
  if (!HasEnded(process_)) {
    if (process_.has_termination()) {
      Say(RequestedEnd(),
          IsUnmanaged() ? "; this agent could not end it." : "; it has not ended yet.");
    } else if (IsUnmanaged()) {
      return;
    } else if (process_.has_start_time()) {
      Say("It has been running for ", FormatSpan(now_ - ToTime(true, process_.start_time())),
          process_.live_usage().stopped() ? ", and is stopped." : ".");
    }
    return;
  }
  std::string at =
      process_.has_exit_time() ? absl::StrCat(" at ", Clock(process_.exit_time())) : "";
  const bool is_end_of_rest =
      process_.has_termination() && process_.has_exit_time() &&
      ToTime(true, process_.exit_time()) <= ToTime(true, process_.termination().request_time());
  const bool is_asked =
      process_.has_termination() && !is_end_of_rest && exit.outcome_case() != ExitStatus::kUnknown;
  if (is_asked) {
    TellRequested(at);
  } else if (exit.outcome_case() == ExitStatus::kCode && !WasCutShort(process_)) {
    Say("It ended by itself", at, " with exit code ", exit.code(), ", after ",
        FormatSpan(RunTime(process_)), ".");
  } else if (exit.outcome_case() == ExitStatus::kSignal &&
             exit.cause() == shoal::v1::CAUSE_SIGNALED) {
    Say(SignalName(exit.signal()), IsCrash(exit.signal()) ? "" : " from elsewhere",
        ", not from Shoal, ended it", at, exit.core_dumped() ? " (core dumped)" : "", ", after ",
        FormatSpan(RunTime(process_)), ".");
  } else if (exit.outcome_case() == ExitStatus::kCode) {
    Say("It ended", at, " with ", DescribeEnd(process_), ", after ", FormatSpan(RunTime(process_)),
        ".");
  } else if (exit.outcome_case() == ExitStatus::kSignal) {
    Say("It was ", DescribeEnd(process_), at, ", after ", FormatSpan(RunTime(process_)), ".");
  } else {
    std::string end = DescribeEnd(process_);
    Say(at.empty() ? "I" : absl::StrCat("Since", at.substr(3), " i"), end.substr(1), ".");
  }
  if (is_end_of_rest) Say(RequestedEnd(), "; that was for what it had left.");
}

void Teller::Tree() {
  if (!HasEnded(process_) || process_.state() == shoal::v1::STATE_FAILED_TO_START) return;
  if (process_.has_descendants()) Say(DescribeDescendants(process_), ".");
  if (process_.tree_empty()) {
    Say("Its tree was seen empty",
        process_.has_empty_time()
            ? absl::StrCat(" at ",
                           absl::FormatTime("%H:%M:%E3S", ToTime(true, process_.empty_time()),
                                            absl::LocalTimeZone()))
            : "",
        ".");
    return;
  }
  if (process_.exit().survivors().empty()) {
    // What is LEAKED is told so once.
    if (!HasFlag(shoal::v1::FLAG_LEAKED)) Say("Its tree has not been seen empty.");
    return;
  }
  std::vector<std::string> who;
  for (const shoal::v1::Survivor& survivor : process_.exit().survivors()) {
    who.push_back(absl::StrCat(survivor.pid(), " ", EscapeForMessage(survivor.command()),
                               survivor.wait_channel().empty() ? "" : " in ",
                               EscapeForMessage(survivor.wait_channel())));
  }
  Say("Survivors: ", absl::StrJoin(who, ", "), ".");
}

absl::string_view NameOf(shoal::v1::StreamKind stream) {
  switch (stream) {
    case shoal::v1::STREAM_KIND_STDERR:
      return "stderr ";
    case shoal::v1::STREAM_KIND_RESULT:
      return "result ";
    default:
      return "stdout ";
  }
}

void Teller::Output() {
  if (process_.state() == shoal::v1::STATE_FAILED_TO_START) return;
  std::vector<std::string> parts;
  for (const shoal::v1::StreamPosition& position : process_.output()) {
    parts.push_back(absl::StrCat(NameOf(position.stream()), FormatBytes(position.end_offset())));
  }
  if (!parts.empty()) Say(absl::StrJoin(parts, ", "), Dropped(), Rest(), ".");
}

// As far as the process itself says it; the gaps say more.
std::string Teller::Dropped() const {
  if (!gaps_.empty()) return "";
  int64_t dropped = 0;
  for (const shoal::v1::StreamPosition& position : process_.output()) {
    dropped += position.begin_offset();
  }
  if (dropped == 0) return ", nothing dropped";
  return absl::StrCat(", the first ", FormatBytes(dropped),
                      HasFlag(shoal::v1::FLAG_OUTPUT_DROPPED) ? " dropped" : " read, and let go");
}

absl::string_view ReasonOf(const shoal::v1::Gap& gap) {
  switch (gap.reason()) {
    case shoal::v1::Gap::REASON_CAP:
      return "the cap was reached, or the disk was full";
    case shoal::v1::Gap::REASON_ACKNOWLEDGED:
      return "they were read, and acknowledged";
    case shoal::v1::Gap::REASON_MISSING:
      return "another program has removed or cut their file";
    default:
      return "its agent gives a reason that this command does not know";
  }
}

// One sentence for each stream and reason.
void Teller::Gaps() {
  constexpr size_t kMostRanges = 4;
  std::map<std::pair<shoal::v1::StreamKind, absl::string_view>, std::vector<std::string>> ranges;
  for (const StreamGap& one : gaps_) {
    ranges[{one.stream, ReasonOf(one.gap)}].push_back(
        absl::StrCat(one.gap.from(), " to ", one.gap.to()));
  }
  for (auto& [about, those] : ranges) {
    const size_t more = those.size() - std::min(those.size(), kMostRanges);
    those.resize(those.size() - more);
    Say("Bytes ", absl::StrJoin(those, ", "),
        more == 0 ? "" : absl::StrCat(" and ", Count(static_cast<int64_t>(more), "more range")),
        " of its ", NameOfStream(about.first), " are not kept: ", about.second, ".");
  }
}

// Of one that failed: often that is the reason.
std::string Teller::EndOfStderr() const {
  const std::string& tail = process_.exit().stderr_tail();
  if (!HasEnded(process_) || Succeeded(process_) || tail.empty()) return "";
  // A terminal ends lines with a carriage return, too.
  const bool has_terminal = process_.has_terminal();
  const std::string text = has_terminal ? absl::StrReplaceAll(tail, {{"\r\n", "\n"}}) : tail;
  return absl::StrCat("\nThe end of its ", has_terminal ? "output" : "stderr", ":\n",
                      absl::StripSuffix(QuoteTail(text, kTailLines), "\n"));
}

// What has become of the output that is not in the files.
absl::string_view Teller::Rest() const {
  if (HasFlag(shoal::v1::FLAG_OUTPUT_TRUNCATED)) return "; what its shim had not moved yet is lost";
  if (process_.output_complete() || !HasEnded(process_)) return "";
  if (HasFlag(shoal::v1::FLAG_OUTPUT_STALLED)) return "; the rest waits for room";
  return "; somebody still holds them open";
}

// Without a number it is the cap, or a full disk that a shim of an older version does not name.
void Teller::Stall() {
  const int error = process_.output_error_number();
  if (error == 0) {
    return Say("It waits for room for its output: the disk is full or its cap is reached.");
  }
  Say(ErrnoStatus(error, "Its output cannot be written").message(), "; ",
      HasEnded(process_) && process_.tree_empty()
          ? "that is tried until it can be, or `shoal rm` drops the rest."
          : "it waits until it can be.");
}

void Teller::Flags() {
  if (IsUnmanaged()) {
    Say("Its record was written by a newer agent: this one cannot read it and leaves the process "
        "alone; it keeps its name, and the newer agent can end it.");
  }
  if (HasFlag(shoal::v1::FLAG_OUTPUT_STALLED)) Stall();
  if (HasFlag(shoal::v1::FLAG_SHIM_STALLED)) Say("Its shim does not react.");
  if (HasFlag(shoal::v1::FLAG_UNKILLABLE)) Say("Members of its tree outlived SIGKILL.");
  // Where the exit is unknown, too, its reason may have said so.
  const bool is_told =
      absl::StrContains(process_.exit().unknown().detail(), "its tree is unproven");
  if (HasFlag(shoal::v1::FLAG_LEAKED) && !is_told) {
    Say("Its shim is gone and nobody can prove that its tree is empty.");
  }
}

}  // namespace

std::string TellStory(const Process& process, absl::Time now, size_t width,
                      const std::vector<StreamGap>& gaps) {
  return Teller(process, now, width, gaps).Tell();
}

}  // namespace shoal::cli
