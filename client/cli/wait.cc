// `shoal wait`: waits for the end of processes, and ends as they did.
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/bulk.h"
#include "client/cli/command.h"
#include "client/cli/progress.h"
#include "client/cli/silence_watch.h"
#include "client/cli/units.h"
#include "client/cli/wording.h"
#include "common/span.h"
#include "shoal/outcome.h"

namespace shoal::cli {
namespace {

struct WaitArguments {
  SelectorArguments selector;
  std::string timeout = "inf";
};

// What is told of each, and the exit status: that of the first that failed.
int ReportEnds(const std::vector<BulkAnswer>& answers, Invocation& invocation) {
  std::vector<std::string> living;
  const bool names_hosts = IsOnSeveralHosts(answers);
  const v1::Process* first_failed = nullptr;
  for (const BulkAnswer& answer : answers) {
    const v1::Process& process = answer.result.process();
    if (!HasEnded(process)) {
      living.push_back(LabelOf(process, names_hosts));
    } else if (!Succeeded(process) &&
               (first_failed == nullptr ||
                ToTime(true, process.exit_time()) < ToTime(true, first_failed->exit_time()))) {
      first_failed = &process;
    }
  }
  Report(
      answers,
      [](const BulkAnswer& answer) {
        const v1::Process& process = answer.result.process();
        if (!HasEnded(process)) return StateWord(process);
        if (!process.has_start_time() || !process.has_exit_time()) return DescribeEnd(process);
        if (process.exit().has_unknown()) return DescribeEnd(process);
        return absl::StrCat(DescribeEnd(process), " after ", FormatSpan(RunTime(process)));
      },
      invocation);
  if (!living.empty()) {
    return invocation.Fail(absl::DeadlineExceededError(
        absl::StrCat("the time is over, and still running: ", absl::StrJoin(living, ", "))));
  }
  return first_failed == nullptr ? 0 : ShellExitStatus(*first_failed);
}

int RunWait(const WaitArguments& arguments, Invocation& invocation) {
  absl::StatusOr<Selection> selection = RequireSelection(arguments.selector, "wait for");
  if (!selection.ok()) return invocation.Fail(selection.status());
  absl::StatusOr<Fleet> fleet = invocation.ConnectExisting(*selection);
  if (!fleet.ok()) return invocation.Fail(fleet.status());
  absl::StatusOr<Lookup> lookup = FindProcesses(*fleet, *selection, invocation);
  if (!lookup.ok()) return invocation.Fail(lookup.status());
  CallOptions options;
  options.timeout = *ParseSpan(arguments.timeout);
  int unreached = 0;
  for (const absl::Status& failure : lookup->failures) unreached = invocation.Fail(failure);
  std::vector<HostShare> shares = ByHost(lookup->found);
  std::optional<Progress> progress;
  progress.emplace(absl::StrCat(
      "waiting for ", Count(static_cast<int64_t>(lookup->found.size()), "process", "es")));
  std::vector<SilenceWatch::Watched> asked;
  asked.reserve(shares.size());
  for (const HostShare& share : shares)
    asked.push_back({share.host, invocation.NameOf(*share.host)});
  std::optional<SilenceWatch> silence(std::in_place, std::move(asked));
  std::vector<absl::StatusOr<v1::WaitResponse>> responses =
      FanOut<v1::WaitResponse>(shares.size(), [&](size_t i, Done<v1::WaitResponse> done) {
        v1::WaitRequest request;
        *request.mutable_selector() = shares[i].selector;
        shares[i].host->Wait(std::move(request), options, std::move(done));
      });
  silence.reset();
  progress.reset();
  std::vector<BulkAnswer> answers;
  for (size_t i = 0; i < shares.size(); ++i) {
    if (!responses[i].ok()) {
      unreached =
          invocation.Fail(responses[i].status(), {invocation.NameOf(*shares[i].host), "", ""});
      continue;
    }
    for (v1::Process& process : *responses[i]->mutable_processes()) {
      process.set_host(invocation.NameOf(*shares[i].host));
      BulkAnswer answer;
      *answer.result.mutable_process() = std::move(process);
      answers.push_back(std::move(answer));
    }
  }
  SortAsFound(lookup->found, &answers);
  int status = ReportEnds(answers, invocation);
  return unreached != 0 ? unreached : status;
}

}  // namespace

void AddWait(Parser& parser) {
  auto arguments = std::make_shared<WaitArguments>();
  CLI::App* command =
      AddCommand(parser, "wait", "Wait for processes to end; exit as the first that failed",
                 "  shoal wait web\n  shoal wait 'sim.*' --timeout 1h || echo failed");
  command
      ->add_option("--timeout", arguments->timeout,
                   "Give up after this span, with exit status 75 (default: never)")
      ->check(IsSpan())
      ->type_name("SPAN");
  AddSelector(command, &arguments->selector);
  command->callback([&parser, arguments] {
    parser.chosen = [&invocation = parser.invocation, arguments] {
      return RunWait(*arguments, invocation);
    };
  });
}

}  // namespace shoal::cli
