// `shoal signal`: sends a signal to processes.
#include <map>
#include <memory>

#include "absl/strings/str_cat.h"
#include "client/cli/bulk.h"
#include "client/cli/command.h"
#include "common/signals.h"

namespace shoal::cli {
namespace {

using Scope = v1::SignalRequest::Scope;

struct SignalArguments {
  std::string signal;
  std::string scope = "process";
  SelectorArguments selector;
};

const std::map<std::string, Scope>& Scopes() {
  static const auto* const kScopes =
      new std::map<std::string, Scope>{{"process", v1::SignalRequest::SCOPE_PROCESS},
                                       {"group", v1::SignalRequest::SCOPE_GROUP},
                                       {"tree", v1::SignalRequest::SCOPE_TREE}};
  return *kScopes;
}

int RunSignal(const SignalArguments& arguments, Invocation& invocation) {
  absl::StatusOr<int> signal = ParseSignal(arguments.signal);
  if (!signal.ok()) return invocation.Fail(signal.status());
  absl::StatusOr<Selection> selection = RequireSelection(arguments.selector, "signal");
  if (!selection.ok()) return invocation.Fail(selection.status());
  absl::StatusOr<Fleet> fleet = invocation.ConnectExisting(*selection);
  if (!fleet.ok()) return invocation.Fail(fleet.status());
  absl::StatusOr<Lookup> lookup = FindProcesses(*fleet, *selection, invocation);
  if (!lookup.ok()) return invocation.Fail(lookup.status());
  int unreached = 0;
  std::vector<BulkAnswer> answers = CallForEach<v1::SignalResponse>(
      *lookup, invocation, &unreached, [&](const HostShare& share, Done<v1::SignalResponse> done) {
        v1::SignalRequest request;
        *request.mutable_selector() = share.selector;
        request.set_signal(*signal);
        request.set_scope(Scopes().at(arguments.scope));
        share.host->Signal(std::move(request), {}, std::move(done));
      });
  std::string sent = absl::StrCat(SignalName(*signal), " sent to ");
  if (arguments.scope != "process") absl::StrAppend(&sent, "the ", arguments.scope, " of ");
  int status = Report(
      answers,
      [&](const BulkAnswer& answer) {
        return absl::StrCat(sent, "PID ", answer.result.process().pid());
      },
      invocation);
  return status != 0 ? status : unreached;
}

}  // namespace

void AddSignal(Parser& parser) {
  auto arguments = std::make_shared<SignalArguments>();
  CLI::App* command =
      AddCommand(parser, "signal", "Send a signal to processes",
                 "  shoal signal HUP web\n  shoal signal STOP 'sim.*' --scope tree");
  command->add_option("signal", arguments->signal, "TERM, SIGTERM or 15")
      ->required()
      ->type_name("SIG");
  command
      ->add_option("--scope", arguments->scope,
                   "process, group (that it leads) or tree (every descendant)")
      ->check(CLI::IsMember(Scopes()))
      ->capture_default_str()
      ->type_name("SCOPE");
  AddSelector(command, &arguments->selector);
  command->callback([&parser, arguments] {
    parser.chosen = [&invocation = parser.invocation, arguments] {
      return RunSignal(*arguments, invocation);
    };
  });
}

}  // namespace shoal::cli
