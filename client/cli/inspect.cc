// `shoal inspect`: everything that is known of some processes.
#include <memory>

#include "absl/strings/str_cat.h"
#include "client/cli/command.h"
#include "client/cli/details.h"
#include "client/cli/json.h"
#include "client/cli/lookup.h"

namespace shoal::cli {
namespace {

int RunInspect(const SelectorArguments& arguments, Context& context) {
  absl::StatusOr<Selection> selection = RequireSelection(arguments, "inspect");
  if (!selection.ok()) return context.Fail(selection.status());
  absl::StatusOr<Fleet> fleet = context.ConnectExisting(*selection);
  if (!fleet.ok()) return context.Fail(fleet.status());
  absl::StatusOr<Lookup> lookup = FindProcesses(*fleet, *selection, context, {.live_usage = true});
  if (!lookup.ok()) return context.Fail(lookup.status());
  bool first = true;
  for (const Found& entry : lookup->found) {
    if (context.json()) {
      Print(JsonLine(entry.process));
    } else {
      Print(absl::StrCat(first ? "" : "\n", Details(entry.process)));
    }
    first = false;
  }
  int status = 0;
  for (const absl::Status& failure : lookup->failures) status = context.Fail(failure);
  return status;
}

}  // namespace

void AddInspect(Parser& parser) {
  auto arguments = std::make_shared<SelectorArguments>();
  CLI::App* command = AddCommand(parser, "inspect", "Show all that is known of a process",
                                 "  shoal inspect web\n  shoal inspect -o json web | jq .exit");
  AddSelector(command, arguments.get());
  command->callback([&parser, arguments] {
    parser.chosen = [&context = parser.context, arguments] {
      return RunInspect(*arguments, context);
    };
  });
}

}  // namespace shoal::cli
