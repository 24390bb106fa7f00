// `shoal why`: what became of a process, in one paragraph.
#include <unistd.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/cli/command.h"
#include "client/cli/json.h"
#include "client/cli/lookup.h"
#include "client/cli/output_gaps.h"
#include "client/cli/raw_terminal.h"
#include "client/cli/standard_output.h"
#include "client/cli/story.h"

namespace shoal::cli {
namespace {

int RunWhy(const SelectorArguments& arguments, Invocation& invocation) {
  absl::StatusOr<Selection> selection = RequireSelection(arguments, "tell about");
  if (!selection.ok()) return invocation.Fail(selection.status());
  absl::StatusOr<Fleet> fleet = invocation.ConnectExisting(*selection);
  if (!fleet.ok()) return invocation.Fail(fleet.status());
  absl::StatusOr<Lookup> lookup =
      FindProcesses(*fleet, *selection, invocation, {.live_usage = true});
  if (!lookup.ok()) return invocation.Fail(lookup.status());
  const std::optional<v1::TerminalSize> terminal = SizeOfTerminal(STDOUT_FILENO);
  const size_t width = terminal.has_value() ? terminal->columns() : 0;
  const auto gaps = FindGaps(lookup->found);
  bool first = true;
  for (const Found& entry : lookup->found) {
    const auto lost = gaps.find(entry.process.id());
    const std::string story =
        TellStory(entry.process, absl::Now(), invocation.json() ? 0 : width,
                  lost == gaps.end() ? std::vector<StreamGap>() : lost->second);
    if (invocation.json()) {
      Print(ProcessLine(entry.process, story));
    } else {
      Print(absl::StrCat(first ? "" : "\n", story, "\n"));
    }
    first = false;
  }
  int status = 0;
  for (const absl::Status& failure : lookup->failures) status = invocation.Fail(failure);
  return status;
}

}  // namespace

void AddWhy(Parser& parser) {
  auto arguments = std::make_shared<SelectorArguments>();
  CLI::App* command =
      AddCommand(parser, "why", "Tell what became of a process, in a paragraph", "  shoal why web");
  AddSelector(command, arguments.get());
  command->callback([&parser, arguments] {
    parser.chosen = [&invocation = parser.invocation, arguments] {
      return RunWhy(*arguments, invocation);
    };
  });
}

}  // namespace shoal::cli
