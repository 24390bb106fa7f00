// `shoal logs`: what processes have printed, and with -f what they go on to print.
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cli/command.h"
#include "client/cli/log_reader.h"
#include "client/cli/lookup.h"
#include "client/cli/one_process.h"
#include "client/cli/silence_watch.h"
#include "client/cli/standard_output.h"

namespace shoal::cli {
namespace {

int RunLogs(LogsArguments& arguments, Invocation& invocation) {
  absl::StatusOr<std::optional<int64_t>> offset = TakeOffset(&arguments.selector.terms);
  if (!offset.ok()) return invocation.Fail(offset.status());
  arguments.offset = offset->value_or(-1);
  absl::StatusOr<Selection> selection = RequireSelection(arguments.selector, "show the output of");
  if (!selection.ok()) return invocation.Fail(selection.status());
  absl::StatusOr<Fleet> fleet = invocation.ConnectExisting(*selection);
  if (!fleet.ok()) return invocation.Fail(fleet.status());
  absl::StatusOr<Lookup> lookup =
      FindProcesses(*fleet, *selection, invocation, {.may_come = arguments.follow});
  if (!lookup.ok()) return invocation.Fail(lookup.status());
  if (offset->value_or(0) > 0 && lookup->found.size() > 1) {
    return invocation.Fail(
        TooMany(*selection, *lookup, "an offset is a place in the output of one"));
  }
  Lookup found = *std::move(lookup);
  std::optional<SilenceWatch> silence;
  if (arguments.follow) silence.emplace(*fleet, invocation);
  return LogReader(arguments, *selection, *fleet, std::move(found), invocation).Run();
}

}  // namespace

void AddLogs(Parser& parser) {
  auto arguments = std::make_shared<LogsArguments>();
  CLI::App* command = AddCommand(
      parser, "logs", "Show what processes have printed; with -f, go on with what they print",
      "  shoal logs -f web\n  shoal logs --tail 20 --stderr 'sim.*'\n"
      "  shoal logs node1/7KQ2MDAAAAAAAAAA:4096        from that byte of stdout on");
  command->add_flag("-f,--follow", arguments->follow, "Go on until the processes have ended");
  auto* tail = command->add_option("--tail", arguments->tail, "Only the last lines of each stream")
                   ->check(IsCount())
                   ->type_name("N");
  command
      ->add_option("--since", arguments->since,
                   "Only what was printed within this span, by the clock of its host")
      ->check(IsSpan())
      ->excludes(tail)
      ->type_name("SPAN");
  auto* out = command->add_flag("--stdout", arguments->only_stdout, "Only stdout");
  command->add_flag("--stderr", arguments->only_stderr, "Only stderr")->excludes(out);
  command->add_flag("-t,--timestamps", arguments->timestamps,
                    "Each line behind its time, by the clock of its host, in UTC");
  command->add_flag("--raw", arguments->raw, kRawHelp);
  AddSelector(command, &arguments->selector);
  command->callback([&parser, arguments] {
    parser.chosen = [&invocation = parser.invocation, arguments] {
      return RunLogs(*arguments, invocation);
    };
  });
}

}  // namespace shoal::cli
