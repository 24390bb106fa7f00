// `shoal attach`: our terminal at a process that runs. See attachment.h.
#include <memory>
#include <utility>
#include <vector>

#include "client/cli/attachment.h"
#include "client/cli/command.h"
#include "client/cli/detach_keys.h"
#include "client/cli/interrupts.h"
#include "client/cli/one_process.h"

namespace shoal::cli {
namespace {

struct Arguments {
  SelectorArguments selector;
  AttachmentOptions options;
};

int RunAttach(const Arguments& arguments, Invocation& invocation) {
  absl::StatusOr<DetachKeys> keys = DetachKeys::Parse(arguments.options.detach_keys);
  if (!keys.ok()) return invocation.Fail(keys.status());
  absl::StatusOr<Selection> selection = RequireSelection(arguments.selector, "attach to");
  if (!selection.ok()) return invocation.Fail(selection.status());
  Interrupts interrupts(Interrupts::Take::kMessages);
  absl::StatusOr<Found> found = FindOneProcess(*selection, "attach", invocation);
  if (!found.ok()) return invocation.Fail(found.status());
  // Lives until the program ends: a thread may still wait for a host that is away.
  static auto* const attachments = new std::vector<std::unique_ptr<Attachment>>;
  attachments->push_back(std::make_unique<Attachment>(arguments.options, *std::move(keys),
                                                      *std::move(found), invocation, interrupts));
  return attachments->back()->Run();
}

}  // namespace

void AddAttach(Parser& parser) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command =
      AddCommand(parser, "attach",
                 "Talk to a process: what it prints comes here, what is typed goes to its input",
                 "  shoal start -t --name py -- python3\n"
                 "  shoal attach py                         ctrl-p ctrl-q leaves it running");
  command
      ->add_option("--detach-keys", arguments->options.detach_keys,
                   "Keys that leave the process running, such as ctrl-p,ctrl-q; \"\" for none")
      ->capture_default_str()
      ->type_name("KEYS");
  auto* steal = command->add_flag("--steal", arguments->options.steal,
                                  "Take its input from another writer that holds it");
  command->add_flag("--read-only", arguments->options.read_only, "Only watch")->excludes(steal);
  command->add_option("--tail", arguments->options.tail, "Lines of earlier output to begin with")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber)
      ->type_name("N");
  AddSelector(command, &arguments->selector);
  command->callback([&parser, arguments] {
    parser.chosen = [&invocation = parser.invocation, arguments] {
      return RunAttach(*arguments, invocation);
    };
  });
}

}  // namespace shoal::cli
