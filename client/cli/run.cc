// The options of `shoal run`. What it does: run_job.h.
#include "client/cli/run.h"

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/command.h"
#include "client/cli/interrupts.h"
#include "client/cli/job_options.h"
#include "client/cli/run_job.h"
#include "client/cli/ship_options.h"
#include "client/cli/standard_output.h"
#include "common/escape.h"

namespace shoal::cli {
namespace {

// What agents take.
constexpr absl::Duration kShortestTtl = absl::Seconds(1);
constexpr absl::Duration kLongestTtl = absl::Hours(24);

CLI::Validator IsSessionTtl() {
  return CLI::Validator(
      [](std::string& text) {
        const absl::StatusOr<absl::Duration> span = ParseSpan(text);
        if (!span.ok()) return std::string(span.status().message());
        if (*span >= kShortestTtl && *span <= kLongestTtl) return std::string();
        return absl::StrCat("\"", EscapeForMessage(text), "\" is not between 1s and 24h");
      },
      "");
}

}  // namespace

int RunAttached(const RunArguments& arguments, const CLI::App& command, Invocation& invocation) {
  absl::StatusOr<std::vector<std::string>> words = CommandWords(command, invocation);
  if (!words.ok()) return invocation.FailToStart(words.status());
  absl::StatusOr<std::vector<ShipFile>> files = ParseShip(arguments.job.ship);
  if (!files.ok()) return invocation.FailToStart(files.status());
  (*words)[0] = ProgramThere((*words)[0], *files);
  // Lives until the program ends: closing every channel in order would only take time.
  static auto* const kRuns = new std::vector<std::unique_ptr<RunJob>>;
  kRuns->clear();
  Interrupts interrupts(Interrupts::Take::kMessages);
  std::optional<Fleet> left;  // without the hosts that an earlier round has lost
  for (;;) {
    kRuns->push_back(
        std::make_unique<RunJob>(arguments, *words, *files, invocation, interrupts, left));
    absl::StatusOr<int> status = kRuns->back()->Go();
    if (status.ok()) return *status;
    if (!kRuns->back()->lost().empty()) {
      absl::StatusOr<Fleet> others =
          invocation.LeaveOut(*kRuns->back()->fleet(), kRuns->back()->lost());
      if (others.ok()) {
        left = *std::move(others);
        continue;
      }
      status = others.status();
    }
    return invocation.FailToStart(status.status());
  }
}

void AddAttachedOptions(CLI::App* command, RunArguments* arguments) {
  command
      ->add_option("--detach-keys", arguments->detach_keys,
                   "With -t: keys that leave the process running, detached; \"\" for none")
      ->capture_default_str()
      ->type_name("KEYS");
  command->add_flag("--forget", arguments->forget,
                    "Let the hosts forget everything at the end; else `ps -a` and `why` know the "
                    "exits for an hour, without the output that was shown here");
  command
      ->add_option(
          "--session-ttl", arguments->session_ttl,
          "The processes are ended when this command was not heard of for so long, and a host that "
          "is not heard of for 60s is given up "
          "($SHOAL_SESSION_TTL; default: 15s, or 5s with other hosts from within a process "
          "of Shoal)")
      ->envname("SHOAL_SESSION_TTL")
      ->check(IsSessionTtl())
      ->type_name("SPAN");
}

void AddRun(Parser& parser) {
  auto arguments = std::make_shared<RunArguments>();
  CLI::App* command = AddCommand(
      parser, "run",
      "Run a command on every slot, or as often as you say; it ends when this command does",
      "  shoal run -n 4 -- sh -c 'echo rank $SHOAL_RANK of $SHOAL_WORLD_SIZE'\n"
      "  shoal -H node[1-16] run --per-host 1 --gather -- uname -r");
  AddJobOptions(command, &arguments->job);
  AddHostBounds(command, parser.invocation);
  auto* tag =
      command
          ->add_option("--tag", arguments->tag,
                       "What stands before each line: {rank}, {local_rank}, {host}, {stream}")
          ->type_name("TEMPLATE");
  command->add_flag("--no-tag", arguments->no_tag, "Whole lines without a tag, as --tag '' has it")
      ->excludes(tag);
  command->add_flag("--raw", arguments->raw, kRawHelp);
  command->add_flag("--gather", arguments->gather, "Equal answers of many as one line, at the end");
  command->add_option("--halt", arguments->halt, "never, or now|soon,fail|success|done=N|P%")
      ->capture_default_str()
      ->type_name("RULE");
  command
      ->add_option("--stdin", arguments->stdin_choice,
                   "Who reads stdin: all, none, the number of a rank; or @FILE, of the hosts "
                   "(default: a single process; of several none)")
      ->check(IsNotEmpty("try all, none, the number of a rank or @FILE"))
      ->type_name("all|none|RANK|@FILE");
  command->add_flag(
      "--detach-on-hangup", arguments->detach_on_hangup,
      "When the terminal is lost the processes go on, detached, instead of being ended");
  AddAttachedOptions(command, arguments.get());
  command->callback([&parser, arguments, command] {
    arguments->has_session_ttl = command->count("--session-ttl") > 0;
    arguments->has_tag = command->count("--tag") > 0;
    if (arguments->job.terminal && !arguments->job.has_counts()) arguments->job.count = 1;
    parser.chosen = [&invocation = parser.invocation, arguments, command] {
      return RunAttached(*arguments, *command, invocation);
    };
  });
}

}  // namespace shoal::cli
