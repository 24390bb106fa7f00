// `shoal inspect`: everything that is known of some processes.
#include <memory>

#include "absl/strings/str_cat.h"
#include "client/cli/command.h"
#include "client/cli/details.h"
#include "client/cli/json.h"
#include "client/cli/lookup.h"
#include "client/cli/standard_output.h"

namespace shoal::cli {
namespace {

int RunInspect(const SelectorArguments& arguments, Invocation& invocation) {
  absl::StatusOr<Selection> selection = RequireSelection(arguments, "inspect");
  if (!selection.ok()) return invocation.Fail(selection.status());
  absl::StatusOr<Fleet> fleet = invocation.ConnectExisting(*selection);
  if (!fleet.ok()) return invocation.Fail(fleet.status());
  absl::StatusOr<Lookup> lookup =
      FindProcesses(*fleet, *selection, invocation, {.live_usage = true});
  if (!lookup.ok()) return invocation.Fail(lookup.status());
  bool first = true;
  for (const Found& entry : lookup->found) {
    if (invocation.json()) {
      Print(JsonLine(entry.process));
    } else {
      Print(absl::StrCat(first ? "" : "\n", Details(entry.process)));
    }
    first = false;
  }
  int status = 0;
  for (const absl::Status& failure : lookup->failures) status = invocation.Fail(failure);
  return status;
}

}  // namespace

void AddInspect(Parser& parser) {
  auto arguments = std::make_shared<SelectorArguments>();
  CLI::App* command = AddCommand(parser, "inspect", "Show all that is known of a process",
                                 "  shoal inspect web\n  shoal inspect -o json web | jq .exit");
  AddSelector(command, arguments.get());
  command->callback([&parser, arguments] {
    parser.chosen = [&invocation = parser.invocation, arguments] {
      return RunInspect(*arguments, invocation);
    };
  });
}

}  // namespace shoal::cli
