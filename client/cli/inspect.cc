// `shoal inspect`: everything that is known of some processes.
#include <memory>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/command.h"
#include "client/cli/details.h"
#include "client/cli/json.h"
#include "client/cli/lookup.h"
#include "client/cli/standard_output.h"
#include "common/escape.h"
#include "shoal/fan_out.h"
#include "shoal/host/host_rep.h"

namespace shoal::cli {
namespace {

struct InspectArguments {
  SelectorArguments selector;
  bool env = false;
};

// What an agent tells of one process alone: its environment, of which a list has nothing.
void AskForEach(const InspectArguments& arguments, Lookup* lookup) {
  std::vector<absl::StatusOr<v1::GetResponse>> answers =
      FanOut<v1::GetResponse>(lookup->found.size(), [&](size_t i, Done<v1::GetResponse> done) {
        const Found& entry = lookup->found[i];
        v1::GetRequest request;
        request.set_selector(entry.process.id());
        request.set_live_usage(true);
        request.set_env_values(arguments.env);
        entry.host->rep()->link->Get(std::move(request), {}, std::move(done));
      });
  for (size_t i = 0; i < answers.size(); ++i) {
    v1::Process& known = lookup->found[i].process;
    if (!answers[i].ok()) {
      // It may have been deleted since: what the list told of it is shown.
      if (!absl::IsNotFound(answers[i].status())) lookup->failures.push_back(answers[i].status());
      continue;
    }
    answers[i]->mutable_process()->set_host(known.host());
    known = std::move(*answers[i]->mutable_process());
  }
}

// The agent keeps the values as long as something may be started with them.
void TellForgottenValues(const std::vector<Found>& found, const Invocation& invocation) {
  std::vector<std::string> names;
  for (const Found& entry : found) {
    const auto& env = entry.process.spec().env();
    const bool are_known = absl::c_any_of(
        env, [](const std::string& variable) { return absl::StrContains(variable, "="); });
    if (!env.empty() && !are_known) names.push_back(entry.process.name());
  }
  if (names.empty()) return;
  invocation.Note(absl::StrCat("of ", EscapeForMessage(absl::StrJoin(names, ", ")),
                               " only the names of the environment are known: an agent forgets the "
                               "values when a process has ended, and tells them to its owner."));
}

int RunInspect(const InspectArguments& arguments, Invocation& invocation) {
  absl::StatusOr<Selection> selection = RequireSelection(arguments.selector, "inspect");
  if (!selection.ok()) return invocation.Fail(selection.status());
  absl::StatusOr<Fleet> fleet = invocation.ConnectExisting(*selection);
  if (!fleet.ok()) return invocation.Fail(fleet.status());
  absl::StatusOr<Lookup> lookup =
      FindProcesses(*fleet, *selection, invocation, {.live_usage = true});
  if (!lookup.ok()) return invocation.Fail(lookup.status());
  AskForEach(arguments, &*lookup);
  bool first = true;
  for (const Found& entry : lookup->found) {
    if (invocation.json()) {
      Print(ProcessLine(entry.process));
    } else {
      Print(absl::StrCat(first ? "" : "\n", Details(entry.process)));
    }
    first = false;
  }
  if (arguments.env) TellForgottenValues(lookup->found, invocation);
  int status = 0;
  for (const absl::Status& failure : lookup->failures) status = invocation.Fail(failure);
  return status;
}

}  // namespace

void AddInspect(Parser& parser) {
  auto arguments = std::make_shared<InspectArguments>();
  CLI::App* command = AddCommand(parser, "inspect", "Show all that is known of a process",
                                 "  shoal inspect web\n  shoal inspect -o json web | jq .exit");
  command->add_flag("--env", arguments->env,
                    "Values of the environment, too; for the owner of the process alone");
  AddSelector(command, &arguments->selector);
  command->callback([&parser, arguments] {
    parser.chosen = [&invocation = parser.invocation, arguments] {
      return RunInspect(*arguments, invocation);
    };
  });
}

}  // namespace shoal::cli
