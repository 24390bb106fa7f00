#include "client/cli/run_report.h"

#include <map>
#include <optional>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "client/cli/exit_status.h"
#include "client/cli/host_names.h"
#include "client/cli/json.h"
#include "client/cli/start_error.h"
#include "client/cli/table.h"
#include "client/cli/units.h"
#include "client/cli/wording.h"
#include "common/escape.h"
#include "common/ids.h"
#include "common/signals.h"
#include "shoal/outcome.h"

namespace shoal::cli {
namespace {

constexpr size_t kMaxLineBytes = 400;
constexpr size_t kMostRanksNamed = 3;
constexpr size_t kMostRows = 40;  // of the table of failures

// Why the rank that failed first was not started; nothing if it was.
std::optional<StartError> StartErrorOf(const JobFailure& failure, const RunFacts& facts) {
  if (failure.process.state() != v1::STATE_FAILED_TO_START) return std::nullopt;
  return ExplainStartError(failure.error, facts.program, failure.host, facts.shipped,
                           facts.may_ship);
}

std::string HowItFailed(const JobFailure& failure, const RunFacts& facts) {
  std::optional<StartError> start_error = StartErrorOf(failure, facts);
  if (start_error.has_value()) return start_error->sentence;
  if (!failure.host_status.ok()) {
    return absl::StrCat("its host was lost: ", BareReason(failure.host_status));
  }
  std::string after = failure.process.has_exit_time() && !failure.process.exit().has_unknown()
                          ? absl::StrCat(", after ", FormatSpan(RunTime(failure.process)))
                          : "";
  return absl::StrCat(DescribeEnd(failure.process), after);
}

// Of a single process: only what its exit status does not say.
std::string ReportSingle(const JobFailure& failure, const RunFacts& facts) {
  std::string program = EscapeForMessage(facts.program);
  std::optional<StartError> start_error = StartErrorOf(failure, facts);
  if (start_error.has_value()) return absl::StrCat("shoal: ", start_error->sentence, "\n");
  bool says_all = failure.process.exit().has_code() && !WasCutShort(failure.process) &&
                  failure.host_status.ok();
  if (says_all) return "";
  return absl::StrCat("shoal: ", program, " on ", failure.host, ": ", HowItFailed(failure, facts),
                      ".\n");
}

// The command that shows what is on the host.
std::string WayTo(const std::string& host, const RunFacts& facts) {
  const auto named = absl::c_find(facts.host_names, host);
  if (facts.host_flags.empty() || named == facts.host_names.end()) return "shoal ps -a";
  const auto index = static_cast<size_t>(named - facts.host_names.begin());
  return absl::StrCat("shoal -H ", facts.host_flags[index], " ps -a");
}

std::string DescribeSurvivors(const HostSurvivors& left, const RunFacts& facts) {
  if (!left.status.ok()) {
    return absl::StrCat("What is left on ", left.host, " is not known: ", BareReason(left.status),
                        ".\n");
  }
  std::vector<std::string> ids;
  for (const std::string& id : left.process_ids) ids.push_back(id.substr(0, kShortIdLength));
  return absl::StrCat("Not ended on ", left.host, ": ", absl::StrJoin(ids, ", "), "; `",
                      WayTo(left.host, facts), "` shows ", ids.size() == 1 ? "it" : "them", ".\n");
}

std::string NameOf(const RankId& rank, const RunFacts& facts) {
  return absl::StrCat("rank ", rank.rank, " on ", facts.host_names[static_cast<size_t>(rank.host)]);
}

std::string EndInTable(const v1::Process& process) {
  if (process.state() == v1::STATE_FAILED_TO_START) return "did not start";
  const bool is_told = process.exit().has_code() || process.exit().has_signal();
  return is_told ? DescribeEnd(process) : StateWord(process);
}

// Those that may have failed before the first one.
std::string DescribeMaybeFirst(const JobResult& result, const RunFacts& facts) {
  if (result.maybe_first.empty()) return "";
  std::vector<std::string> ranks;
  for (const RankId& rank : result.maybe_first) {
    if (ranks.size() == kMostRanksNamed) break;
    ranks.push_back(absl::StrCat(NameOf(rank, facts), " (",
                                 EndInTable(result.processes[static_cast<size_t>(rank.rank)]),
                                 ")"));
  }
  std::string more = result.maybe_first.size() > ranks.size() ? ", or others" : "";
  return absl::StrCat("Or it was ", absl::StrJoin(ranks, ", or "), more,
                      ": their clocks are not known well enough to tell.\n");
}

// By host and exit, if it is more than the one failure that was told.
std::string TableOfFailures(const JobResult& result, const RunFacts& facts) {
  if (result.failures.size() < 2) return "";
  std::map<std::pair<int, std::string>, std::vector<int>> ranks_of;
  for (const RankId& rank : result.failures) {
    const v1::Process& process = result.processes[static_cast<size_t>(rank.rank)];
    ranks_of[{rank.host, EndInTable(process)}].push_back(rank.rank);
  }
  Table table({"FAILED ON", "END", "RANKS"});
  size_t shown = 0;
  for (const auto& [key, ranks] : ranks_of) {
    if (++shown > kMostRows) break;
    table.Add({facts.host_names[static_cast<size_t>(key.first)], key.second, FoldRanks(ranks)});
  }
  std::string text = table.Render({});
  if (ranks_of.size() > kMostRows)
    absl::StrAppend(&text, "and ", ranks_of.size() - kMostRows, " more lines\n");
  return text;
}

// "; no process is left on any host." or, if that was not seen, the full stop and the survivors.
std::string DescribeRest(const JobResult& result, const RunFacts& facts) {
  if (result.survivors.empty()) {
    return result.kept.empty() ? "; no process is left on any host.\n" : ".\n";
  }
  std::string text = ".\n";
  for (const HostSurvivors& left : result.survivors) text += DescribeSurvivors(left, facts);
  return text;
}

// "511 others were ended", "1 process was ended, 298 were not started"
std::string CountEnded(const JobResult& result) {
  const bool has_cause = result.first_failure.has_value();
  const auto count = [has_cause](int number) {
    return Count(number, has_cause ? "other" : "process", has_cause ? "s" : "es");
  };
  const auto were = [](int number) { return number == 1 ? " was" : " were"; };
  const int unstarted = result.ended_before_start;
  const int ended = result.ended_by_us - unstarted;
  if (unstarted == 0) return absl::StrCat(count(ended), were(ended), " ended");
  if (ended == 0) return absl::StrCat(count(unstarted), were(unstarted), " not started");
  return absl::StrCat(count(ended), were(ended), " ended, ", unstarted, were(unstarted),
                      " not started");
}

std::string DescribeEnded(const JobResult& result, const RunFacts& facts) {
  const std::string others = CountEnded(result);
  if (result.interrupted) {
    std::string because = facts.end_signal == 0
                              ? "Without a stdout: "
                              : absl::StrCat("Interrupted by ", SignalName(facts.end_signal), ": ");
    return absl::StrCat(because, others, DescribeRest(result, facts));
  }
  if (result.halted && result.ended_by_us > 0) {
    const bool has_cause = result.first_failure.has_value();  // which was told
    return absl::StrCat(others, has_cause ? " because of it (" : " (", "--halt ",
                        facts.halt.ToString(), ")", DescribeRest(result, facts));
  }
  if (result.survivors.empty()) return "";
  std::string text;
  for (const HostSurvivors& left : result.survivors) text += DescribeSurvivors(left, facts);
  return text;
}

// What outlived ranks and was sent a signal.
std::string DescribeLeft(const JobResult& result, const RunFacts& facts) {
  constexpr int kMost = 8;
  std::string text;
  int ranks = 0;
  for (const v1::Process& process : result.processes) {
    if (process.descendants().signal() == 0 || ++ranks > kMost) continue;
    text += result.world_size == 1
                ? absl::StrCat("shoal: ", EscapeForMessage(facts.program), " on ", process.host())
                : absl::StrCat("rank ", process.rank(), " on ", process.host());
    absl::StrAppend(&text, ": ", DescribeDescendants(process), ".\n");
  }
  if (ranks > kMost)
    absl::StrAppend(&text, "So it was with ", Count(ranks - kMost, "more rank"), ".\n");
  return text;
}

// What goes on of ranks that have ended.
std::string DescribeKept(const JobResult& result) {
  constexpr size_t kMost = 8;
  if (result.kept.empty()) return "";
  std::vector<std::string> names;
  for (const v1::Process& process : result.kept) {
    if (names.size() == kMost) break;
    names.push_back(absl::StrCat(EscapeForMessage(process.name()), " (",
                                 process.id().substr(0, kShortIdLength), ")"));
  }
  if (result.kept.size() > kMost) {
    names.push_back(absl::StrCat(result.kept.size() - kMost, " more"));
  }
  const std::string ranks = Count(static_cast<int>(result.kept.size()), "rank");
  return absl::StrCat("What has outlived ", ranks, " goes on, detached, as ",
                      absl::StrJoin(names, ", "), "; `shoal stop` ends it.\n");
}

std::string Summarize(const JobResult& result, const RunFacts& facts) {
  const int ended_by_us = result.ended_by_us - result.ended_before_start;
  const int ended = result.succeeded + result.failed + ended_by_us - result.unknown;
  std::string line =
      absl::StrCat(ended, " of ", result.world_size, " ended, ", result.failed, " failed");
  if (result.unknown > 0) absl::StrAppend(&line, ", ", result.unknown, " of them unknown");
  if (ended_by_us > 0) absl::StrAppend(&line, ", ", ended_by_us, " ended by us");
  if (result.ended_before_start > 0) {
    absl::StrAppend(&line, ", ", result.ended_before_start, " not started");
  }
  absl::StrAppend(&line, ", ", FormatSpan(result.elapsed));
  if (result.slowest.has_value()) {
    absl::StrAppend(&line, ", slowest rank ", result.slowest->rank, " on ",
                    facts.host_names[static_cast<size_t>(result.slowest->host)], " (",
                    FormatSpan(result.slowest_time), ")");
  }
  return line + "\n";
}

}  // namespace

std::string QuoteTail(const std::string& text, size_t max_lines) {
  if (text.empty()) return "";
  std::vector<absl::string_view> lines = absl::StrSplit(absl::StripSuffix(text, "\n"), '\n');
  size_t begin = lines.size() > max_lines ? lines.size() - max_lines : 0;
  std::string out;
  for (size_t i = begin; i < lines.size(); ++i) {
    absl::StrAppend(&out, "  │ ", EscapeForMessage(lines[i], kMaxLineBytes), "\n");
  }
  return out;
}

std::string ReportRun(const JobResult& result, const RunFacts& facts) {
  if (result.detached) {
    return absl::StrCat(
        "shoal: hung up; what still ran was detached and goes on. `shoal ps` shows it.\n");
  }
  bool single = result.world_size == 1;
  std::string text;
  if (result.first_failure.has_value()) {
    const JobFailure& failure = *result.first_failure;
    if (single) {
      text = ReportSingle(failure, facts);
    } else {
      text = absl::StrCat(
          "rank ", failure.rank.rank, " on ", failure.host,
          result.failed > 1 || result.ended_by_us > 0 ? " failed first: " : " failed: ",
          HowItFailed(failure, facts), "\n",
          QuoteTail(failure.process.exit().stderr_tail(), kTailLines),
          DescribeMaybeFirst(result, facts));
    }
  }
  text += DescribeLeft(result, facts);
  text += DescribeEnded(result, facts);
  text += DescribeKept(result);
  if (!single) text += TableOfFailures(result, facts) + Summarize(result, facts);
  return text;
}

std::string ReportNotStarted(const JobResult& result, const RunFacts& facts) {
  if (!result.first_failure.has_value()) return "";
  const std::optional<StartError> error = StartErrorOf(*result.first_failure, facts);
  return error.has_value() ? absl::StrCat("shoal: ", error->sentence, "\n") : "";
}

std::string SummaryLine(const JobResult& result, const RunFacts& facts, int exit_status) {
  std::vector<int> failed_ranks;
  for (const RankId& rank : result.failures) failed_ranks.push_back(rank.rank);
  std::vector<std::string> left;
  std::vector<std::string> unproven;
  for (const HostSurvivors& host : result.survivors) {
    left.insert(left.end(), host.process_ids.begin(), host.process_ids.end());
    if (!host.status.ok()) unproven.push_back(host.host);
  }
  JsonLine line("summary");
  line.Number("world_size", result.world_size)
      .Number("succeeded", result.succeeded)
      .Number("failed", result.failed)
      .Number("failed_to_start", result.failed_to_start)
      .Number("unknown", result.unknown)
      .Number("ended_by_us", result.ended_by_us)
      .Number("ended_before_start", result.ended_before_start)
      .Seconds("elapsed", absl::ToDoubleSeconds(result.elapsed))
      .Flag("halted", result.halted)
      .Flag("interrupted", result.interrupted)
      .Flag("detached", result.detached)
      .Numbers("failed_ranks", failed_ranks)
      .Texts("survivor_ids", left)
      .Texts("unproven_hosts", unproven)
      .Number("exit_status", exit_status);
  if (!result.first_failure.has_value())
    return line.Null("first_failed_rank").Null("reason").ToString();
  const JobFailure& failure = *result.first_failure;
  return line.Number("first_failed_rank", failure.rank.rank)
      .Text("reason", HowItFailed(failure, facts))
      .ToString();
}

int RunExitStatus(const JobResult& result, const RunFacts& facts) {
  if (result.first_failure.has_value()) {
    const JobFailure& failure = *result.first_failure;
    std::optional<StartError> start_error = StartErrorOf(failure, facts);
    if (start_error.has_value()) return start_error->exit_status;
    if (!failure.host_status.ok()) return kExitUnreachable;
    return ShellExitStatus(failure.process);
  }
  if (result.interrupted || result.detached) return 128 + facts.end_signal;
  return result.survivors.empty() ? 0 : kExitFailure;
}

}  // namespace shoal::cli
