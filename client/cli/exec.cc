// `shoal exec`: a command beside a running process, in its environment and directory, which ends with it at the latest.
#include <memory>
#include <utility>

#include "client/cli/command.h"
#include "client/cli/run.h"

namespace shoal::cli {

void AddExec(Parser& parser) {
  auto arguments = std::make_shared<RunArguments>();
  arguments->job.count = 1;
  arguments->no_tag = true;
  CLI::App* command = AddCommand(
      parser, "exec",
      "Run a command beside a running process: in its environment and directory, until that ends",
      "  shoal exec web -- cat /proc/self/cgroup\n"
      "  shoal exec -t web -- bash                          a shell where web runs");
  command->add_option("process", arguments->beside, "The process, by a SELECTOR that fits one")
      ->required()
      ->check(IsNotEmpty("name the process"))
      ->type_name("SELECTOR");
  command->add_option("--name", arguments->job.name, "Name; it is called NAME.0")
      ->check(IsNotEmpty(kWantedName))
      ->type_name("NAME");
  command
      ->add_option("--env", arguments->job.env,
                   "Set a variable besides those of the process, KEY to its value here; may be "
                   "repeated")
      ->allow_extra_args(false)
      ->type_name("KEY[=VALUE]");
  command
      ->add_option("--cwd", arguments->job.cwd, "Working directory (default: that of the process)")
      ->check(IsNotEmpty(kWantedDirectory))
      ->type_name("DIR");
  command
      ->add_option("--timeout", arguments->job.timeout,
                   "End it after this span; its exit status is then 124")
      ->check(IsSpan(SpanBounds::kAboveZero))
      ->type_name("SPAN");
  command
      ->add_option("--grace", arguments->job.grace,
                   "From the first signal of an end to SIGKILL (default: 5s)")
      ->check(IsSpan(SpanBounds::kFinite))
      ->type_name("SPAN");
  command
      ->add_option("--stdin", arguments->stdin_choice,
                   "all (default) or none; or @FILE, of the host")
      ->check(IsNotEmpty("try all, none or @FILE"))
      ->type_name("all|none|@FILE");
  command->add_flag("-t,--terminal", arguments->job.terminal,
                    "Give it a terminal, of the size of this one");
  AddAttachedOptions(command, arguments.get());
  command->prefix_command();
  command->callback([&parser, arguments, command] {
    arguments->has_session_ttl = command->count("--session-ttl") > 0;
    parser.chosen = [&invocation = parser.invocation, arguments, command] {
      return RunAttached(*arguments, *command, invocation);
    };
  });
}

}  // namespace shoal::cli
