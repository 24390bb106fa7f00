// `shoal rm`: forgets ended processes and their output.
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "client/cli/bulk.h"
#include "client/cli/command.h"
#include "client/cli/progress.h"
#include "client/cli/units.h"

namespace shoal::cli {
namespace {

int RunRm(const SelectorArguments& arguments, Invocation& invocation) {
  absl::StatusOr<Selection> selection = RequireSelection(arguments, "forget");
  if (!selection.ok()) return invocation.Fail(selection.status());
  absl::StatusOr<Fleet> fleet = invocation.ConnectExisting(*selection);
  if (!fleet.ok()) return invocation.Fail(fleet.status());
  absl::StatusOr<Lookup> lookup = FindProcesses(*fleet, *selection, invocation);
  if (!lookup.ok()) return invocation.Fail(lookup.status());
  int unreached = 0;
  std::optional<Progress> progress(absl::StrCat(
      "forgetting ", Count(static_cast<int64_t>(lookup->found.size()), "process", "es")));
  std::vector<BulkAnswer> answers = CallForEach<v1::DeleteResponse>(
      *lookup, invocation, &unreached, [](const HostShare& share, Done<v1::DeleteResponse> done) {
        v1::DeleteRequest request;
        *request.mutable_selector() = share.selector;
        share.host->Delete(std::move(request), {}, std::move(done));
      });
  progress.reset();
  int status = Report(
      answers, [](const BulkAnswer&) { return "forgotten, with its output"; }, invocation);
  return status != 0 ? status : unreached;
}

}  // namespace

void AddRm(Parser& parser) {
  auto arguments = std::make_shared<SelectorArguments>();
  CLI::App* command = AddCommand(parser, "rm", "Forget ended processes and their output",
                                 "  shoal rm web\n  shoal rm 'sim.*'");
  AddSelector(command, arguments.get());
  command->callback([&parser, arguments] {
    parser.chosen = [&invocation = parser.invocation, arguments] {
      return RunRm(*arguments, invocation);
    };
  });
}

}  // namespace shoal::cli
