// `shoal input`: writes our stdin to the input of a process that was started with --stdin.
#include "shoal/input.h"

#include <unistd.h>

#include <memory>

#include "client/cli/command.h"
#include "client/cli/one_process.h"
#include "client/cli/stdin_source.h"
#include "common/status.h"

namespace shoal::cli {
namespace {

struct InputArguments {
  SelectorArguments selector;
  bool eof = false;
};

absl::Status Write(const InputArguments& arguments, const Selection& selection,
                   Invocation& invocation) {
  SHOAL_ASSIGN_OR_RETURN(const Found found, FindOneProcess(selection, "input", invocation));
  Input input(found.host, found.process.id());
  if (IsInputGiven(STDIN_FILENO)) {
    StdinSource source(STDIN_FILENO);
    SHOAL_RETURN_IF_ERROR(input.WriteFrom(source));
  } else {
    SHOAL_RETURN_IF_ERROR(input.Position().status());  // whether it has an input
  }
  return arguments.eof ? input.Close() : absl::OkStatus();
}

int RunInput(const InputArguments& arguments, Invocation& invocation) {
  absl::StatusOr<Selection> selection = RequireSelection(arguments.selector, "input");
  if (!selection.ok()) return invocation.Fail(selection.status());
  const absl::Status written = Write(arguments, *selection, invocation);
  return written.ok() ? 0 : invocation.Fail(written);
}

}  // namespace

void AddInput(Parser& parser) {
  auto arguments = std::make_shared<InputArguments>();
  CLI::App* command = AddCommand(
      parser, "input", "Write stdin to the input of a process that was started with --stdin",
      "  shoal start --stdin --name py -- python3 -i\n"
      "  echo 'print(2 + 2)' | shoal input py\n"
      "  shoal input py --eof < /dev/null");
  command->add_flag("--eof", arguments->eof, "The input ends behind it");
  AddSelector(command, &arguments->selector);
  command->callback([&parser, arguments] {
    parser.chosen = [&invocation = parser.invocation, arguments] {
      return RunInput(*arguments, invocation);
    };
  });
}

}  // namespace shoal::cli
