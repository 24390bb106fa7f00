// `shoal attach`: our terminal at a process that runs. See attachment.h.
#include <unistd.h>

#include <memory>
#include <utility>
#include <vector>

#include "client/cli/attachment.h"
#include "client/cli/command.h"
#include "client/cli/detach_keys.h"
#include "client/cli/interrupts.h"
#include "client/cli/one_process.h"
#include "client/cli/silence_watch.h"
#include "common/status.h"

namespace shoal::cli {
namespace {

struct Arguments {
  SelectorArguments selector;
  std::string request_id;
  bool are_keys_given = false;
  AttachmentOptions options;
};

absl::StatusOr<Found> Find(const Arguments& arguments, Invocation& invocation) {
  if (!arguments.request_id.empty()) {
    if (!arguments.selector.terms.empty() || !arguments.selector.labels.empty()) {
      return absl::InvalidArgumentError(
          "--request-id says which process; give no selector besides");
    }
    return FindByRequest(arguments.request_id, invocation);
  }
  SHOAL_ASSIGN_OR_RETURN(const Selection selection,
                         RequireSelection(arguments.selector, "attach to"));
  return FindOneProcess(selection, "attach", invocation);
}

int RunAttach(const Arguments& arguments, Invocation& invocation) {
  if (invocation.json()) {
    return invocation.Fail(
        absl::InvalidArgumentError("attach shows the bytes of one process as they are; `shoal logs "
                                   "-f -o json` shows them as JSON"));
  }
  absl::StatusOr<DetachKeys> keys = DetachKeys::Parse(arguments.options.detach_keys);
  if (!keys.ok()) return invocation.Fail(keys.status());
  AttachmentOptions options = arguments.options;
  if (!arguments.are_keys_given && isatty(STDIN_FILENO) != 1) {
    options.detach_keys.clear();  // bytes of a pipe or a file are none
    keys = DetachKeys::Parse("");
  }
  Interrupts interrupts(Interrupts::Take::kMessages);
  absl::StatusOr<Found> found = Find(arguments, invocation);
  if (!found.ok()) return invocation.Fail(found.status());
  const SilenceWatch silence({{found->host, found->process.host()}});
  // Lives until the program ends: a thread may still wait for a host that is away.
  static auto* const kAttachments = new std::vector<std::unique_ptr<Attachment>>;
  kAttachments->push_back(std::make_unique<Attachment>(options, *std::move(keys), *std::move(found),
                                                       invocation, interrupts));
  return kAttachments->back()->Run();
}

}  // namespace

void AddAttach(Parser& parser) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command =
      AddCommand(parser, "attach",
                 "Talk to a process: what it prints comes here, what is typed goes to its input",
                 "  shoal start -t --name py -- python3\n"
                 "  shoal attach py                         ctrl-p ctrl-q leaves it running");
  auto* keys =
      command
          ->add_option("--detach-keys", arguments->options.detach_keys,
                       "Keys that leave the process running, such as ctrl-p,ctrl-q; \"\" for none. "
                       "Not given, they count where stdin is a terminal")
          ->capture_default_str()
          ->type_name("KEYS");
  auto* steal = command->add_flag("--steal", arguments->options.steal,
                                  "Take its input from another writer that holds it");
  auto* read_only = command->add_flag("--read-only", arguments->options.read_only, "Only watch");
  read_only->excludes(steal);
  command->add_flag("--keep", arguments->options.keep,
                    "At the end make it DETACHED, so that it outlives its session");
  command
      ->add_flag("--takeover", arguments->options.takeover,
                 "Take its session from a client that may be alive; else only once that is gone")
      ->excludes(read_only);
  command
      ->add_option("--request-id", arguments->request_id,
                   "Instead of a selector: the process that a program of yours has started by this "
                   "request_id")
      ->check(IsNotEmpty("give the UUID of a start"))
      ->type_name("UUID");
  command->add_option("--tail", arguments->options.tail, "Lines of earlier output to begin with")
      ->capture_default_str()
      ->check(IsCount())
      ->type_name("N");
  command
      ->add_flag("--eof", arguments->options.eof,
                 "When stdin ends its input ends, too; else it stays open")
      ->excludes("--read-only");
  AddSelector(command, &arguments->selector);
  command->callback([&parser, arguments, keys] {
    arguments->are_keys_given = keys->count() > 0;
    parser.chosen = [&invocation = parser.invocation, arguments] {
      return RunAttach(*arguments, invocation);
    };
  });
}

}  // namespace shoal::cli
