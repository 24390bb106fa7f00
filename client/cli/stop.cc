// `shoal stop`: ends processes with everything that they started.
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "client/cli/bulk.h"
#include "client/cli/command.h"
#include "client/cli/interrupts.h"
#include "client/cli/leaving.h"
#include "client/cli/progress.h"
#include "client/cli/units.h"
#include "client/cli/wording.h"
#include "common/signals.h"
#include "common/span.h"
#include "shoal/outcome.h"

namespace shoal::cli {
namespace {

struct StopArguments {
  SelectorArguments selector;
  std::string grace;
  std::string signal = "TERM";
};

// "its tree of 3 processes is empty": how many there were is as of when it was found.
std::string DescribeTree(const BulkAnswer& answer) {
  if (!answer.result.process().tree_empty()) return "its tree has not been seen empty";
  if (answer.before == nullptr || !answer.before->process.has_live_usage())
    return "its tree is empty";
  const v1::Process& before = answer.before->process;
  const int members = before.live_usage().descendants() + (HasEnded(before) ? 0 : 1);
  return absl::StrCat("its tree of ", Count(members, "process", "es"), " is empty");
}

std::string DescribeStop(const BulkAnswer& answer) {
  const v1::Process& process = answer.result.process();
  bool before = answer.before != nullptr && HasEnded(answer.before->process);
  if (before || !process.has_termination()) {
    const std::string end = absl::StrCat("had ended before: ", DescribeEnd(process), "; ");
    const int64_t left = before ? answer.before->process.live_usage().descendants() : 0;
    if (left == 0 || !process.tree_empty()) return absl::StrCat(end, DescribeTree(answer));
    return absl::StrCat(end, "what it had left, ", Count(left, "process", "es"), ", has ended now");
  }
  absl::Duration took = ToTime(process.has_exit_time(), process.exit_time()) -
                        ToTime(true, process.termination().request_time());
  std::string after = process.has_exit_time() ? absl::StrCat(" after ", FormatSpan(took)) : "";
  return absl::StrCat(DescribeEnd(process), after, DescribeKill(process), "; ",
                      DescribeTree(answer));
}

// Of what was selected, that which there is something to do about: named itself, or not over yet.
void DropWhatIsOver(const Selection& selection, Lookup* lookup) {
  if (!selection.IsOpen()) return;
  std::vector<Found> rest;
  for (Found& entry : lookup->found) {
    if (!HasEnded(entry.process) || !entry.process.tree_empty()) rest.push_back(std::move(entry));
  }
  lookup->found = std::move(rest);
}

// The hosts go on with it, as far as they were reached.
void LeaveAt(int number, absl::string_view processes) {
  SayAtOnce(absl::StrCat(SignalName(number), ": ", TellStopLeft(processes)));
  DieBySignal(number);
}

int RunStop(const StopArguments& arguments, Invocation& invocation) {
  absl::StatusOr<int> signal = ParseSignal(arguments.signal);
  if (!signal.ok()) return invocation.Fail(signal.status());
  absl::StatusOr<Selection> selection = RequireSelection(arguments.selector, "stop");
  if (!selection.ok()) return invocation.Fail(selection.status());
  Interrupts interrupts(Interrupts::Take::kEnds);
  absl::StatusOr<Fleet> fleet = invocation.ConnectExisting(*selection);
  if (!fleet.ok()) return invocation.Fail(fleet.status());
  absl::StatusOr<Lookup> lookup =
      FindProcesses(*fleet, *selection, invocation, {.live_usage = true});
  if (!lookup.ok()) return invocation.Fail(lookup.status());
  DropWhatIsOver(*selection, &*lookup);
  int unreached = 0;
  const std::string processes = Count(static_cast<int64_t>(lookup->found.size()), "process", "es");
  if (!lookup->found.empty()) {
    interrupts.Deliver([processes](int number) { LeaveAt(number, processes); });
  }
  std::optional<Progress> progress(absl::StrCat("ending ", processes));
  std::vector<BulkAnswer> answers = CallForEach<v1::TerminateResponse>(
      *lookup, invocation, &unreached,
      [&](const HostShare& share, Done<v1::TerminateResponse> done) {
        v1::TerminateRequest request;
        *request.mutable_selector() = share.selector;
        request.set_signal(*signal);
        if (!arguments.grace.empty()) {
          *request.mutable_grace() = FromSpan(*ParseSpan(arguments.grace));
        }
        share.host->Terminate(std::move(request), {}, std::move(done));
      });
  progress.reset();
  interrupts.Deliver(DieBySignal);  // what has become of them is known, and told below
  if (answers.empty() && unreached == 0) invocation.Note("nothing that was selected is running.");
  int status = Report(answers, DescribeStop, invocation);
  return status != 0 ? status : unreached;
}

}  // namespace

void AddStop(Parser& parser) {
  auto arguments = std::make_shared<StopArguments>();
  CLI::App* command = AddCommand(
      parser, "stop", "End processes and everything they started; return when nothing is left",
      "  shoal stop web\n  shoal -H @studio stop -l job=render --grace 30s");
  command
      ->add_option("--grace", arguments->grace,
                   "From the first signal to SIGKILL (default: the process's own, 5s)")
      ->check(IsSpan(SpanBounds::kFinite))
      ->type_name("SPAN");
  command->add_option("--signal", arguments->signal, "The first signal")
      ->capture_default_str()
      ->type_name("SIG");
  AddSelector(command, &arguments->selector);
  command->callback([&parser, arguments] {
    parser.chosen = [&invocation = parser.invocation, arguments] {
      return RunStop(*arguments, invocation);
    };
  });
}

}  // namespace shoal::cli
