#include "client/cli/job_options.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <numeric>
#include <optional>
#include <system_error>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "client/cli/command.h"
#include "client/cli/raw_terminal.h"
#include "client/cli/typed_words.h"
#include "client/cli/units.h"
#include "client/cli/wording.h"
#include "common/escape.h"
#include "common/socket_trust.h"
#include "common/span.h"
#include "common/status.h"
#include "shoal/placement.h"

namespace shoal::cli {
namespace {

constexpr int kDefaultRows = 24;
constexpr int kDefaultColumns = 80;

absl::string_view KeyOf(absl::string_view entry) { return entry.substr(0, entry.find('=')); }

bool IsForTcp(absl::string_view key) {
  return key == "TERM" || key == "LANG" || absl::StartsWith(key, "LC_");
}

// All agents run as this user, as far as the kernel tells: they may see what this program may.
bool AllAreOurs(const Fleet& fleet) {
  return absl::c_all_of(fleet.hosts(), [](const FleetHost& entry) {
    const HostAddress& address = entry.host->address();
    if (!address.is_unix()) return false;
    const absl::StatusOr<SocketListener> listener = FindListener(address.unix_path);
    return listener.ok() && listener->uid == geteuid();
  });
}

absl::Status SetEnvironment(const JobOptions& options, const Fleet& fleet, v1::ProcessSpec* spec) {
  std::vector<std::string> own;
  for (char** entry = environ; *entry != nullptr; ++entry) own.emplace_back(*entry);
  SHOAL_ASSIGN_OR_RETURN(const std::vector<std::string> named,
                         ResolveEnvironment(options.env, own));
  if (!options.beside.empty()) {
    spec->mutable_env()->Assign(named.begin(), named.end());
    return absl::OkStatus();
  }
  const bool all = options.env_all || AllAreOurs(fleet);
  for (std::string& entry : MergeEnvironment(own, all, named)) spec->add_env(std::move(entry));
  return absl::OkStatus();
}

absl::Status SetForkWait(const std::string& wait, v1::ProcessSpec* spec) {
  if (wait.empty()) return absl::OkStatus();
  if (spec->start_method() != v1::START_METHOD_FORK &&
      spec->start_method() != v1::START_METHOD_FORKSERVER) {
    return absl::InvalidArgumentError("--fork-wait is for --start-method fork:NAME and forkserver");
  }
  SHOAL_ASSIGN_OR_RETURN(absl::Duration span, ParseSpan(wait));
  *spec->mutable_fork_wait() = FromSpan(span);
  return absl::OkStatus();
}

// spawn, forkserver or fork:NAME.
absl::Status SetStartMethod(const std::string& method, v1::ProcessSpec* spec) {
  absl::string_view parent = method;
  if (method.empty() || method == "spawn") return absl::OkStatus();
  if (method == "forkserver") {
    spec->set_start_method(v1::START_METHOD_FORKSERVER);
  } else if (absl::ConsumePrefix(&parent, "fork:") && !parent.empty()) {
    spec->set_start_method(v1::START_METHOD_FORK);
    spec->set_fork_of(std::string(parent));
  } else {
    return absl::InvalidArgumentError(absl::StrCat("--start-method \"", EscapeForMessage(method),
                                                   "\" is none of spawn, forkserver, fork:NAME"));
  }
  return absl::OkStatus();
}

// As ours, where we have one.
void SetTerminal(v1::ProcessSpec* spec) {
  std::optional<v1::TerminalSize> size = SizeOfTerminal(STDOUT_FILENO);
  if (!size.has_value()) size = SizeOfTerminal(STDIN_FILENO);
  v1::TerminalSpec* const terminal = spec->mutable_terminal();
  terminal->set_rows(size.has_value() ? size->rows() : kDefaultRows);
  terminal->set_columns(size.has_value() ? size->columns() : kDefaultColumns);
  const char* const term = std::getenv("TERM");
  if (term != nullptr) terminal->set_term(term);
}

absl::StatusOr<std::string> WorkingDirectory(const std::string& wanted) {
  if (!wanted.empty() && wanted[0] == '/') return wanted;
  std::error_code error;
  std::filesystem::path here = std::filesystem::current_path(error);
  if (error)
    return ErrnoStatus(error.value(), "cannot tell the working directory; --cwd may name one");
  return wanted.empty() ? here.string() : (here / wanted).lexically_normal().string();
}

void AddCounts(CLI::App* command, JobOptions* options) {
  auto* count = command->add_option("-n", options->count, "So many processes, over all hosts")
                    ->check(IsCount(1, kMaxRanks))
                    ->type_name("N");
  auto* per_host =
      command->add_option("--per-host", options->per_host, "So many processes on each host")
          ->check(IsCount(1, kMaxRanks))
          ->type_name("K");
  auto* per_core =
      command->add_flag("--per-core", options->per_core, "One process on each core of each host");
  count->excludes(per_host)->excludes(per_core);
  per_host->excludes(per_core);
}

// What each process is, has and may.
void AddSpecOptions(CLI::App* command, JobOptions* options) {
  command->add_option("--name", options->name, "Name; ranks are NAME.0, NAME.1, …")
      ->check(IsNotEmpty(kWantedName))
      ->type_name("NAME");
  command
      ->add_option("--env", options->env,
                   "Set a variable of the environment, KEY to its value here; may be repeated")
      ->allow_extra_args(false)
      ->type_name("KEY[=VALUE]");
  command->add_flag("--env-all", options->env_all,
                    "Send the whole environment of this command (default: only to this user's own "
                    "agent; TERM, LANG and LC_* to others)");
  command->add_option("--cwd", options->cwd, "Working directory (default: this one)")
      ->check(IsNotEmpty(kWantedDirectory))
      ->type_name("DIR");
  command
      ->add_option("--ship", options->ship,
                   "Send this file along, to stand beside the process, its working directory; "
                   "FILE:NAME gives it another name there; may be repeated")
      ->check(IsNotEmpty("name a file"))
      ->allow_extra_args(false)
      ->type_name("FILE");
  command
      ->add_option("--label", options->labels,
                   "Label, to select by with -l; several with commas; may be repeated")
      ->allow_extra_args(false)
      ->type_name("KEY=VALUE");
}

void AddEndsAndStart(CLI::App* command, JobOptions* options) {
  command
      ->add_option("--timeout", options->timeout,
                   "End each process after this span; its exit status is then 124")
      ->check(IsSpan(SpanBounds::kAboveZero))
      ->type_name("SPAN");
  command
      ->add_option("--grace", options->grace,
                   "From the first signal of an end to SIGKILL; what outlives the process has as "
                   "long before that signal, too (default: 5s)")
      ->check(IsSpan(SpanBounds::kFinite))
      ->type_name("SPAN");
  command
      ->add_option("--descendants", options->descendants,
                   "What outlives its process: end it, or keep it; `run` then returns at the exits "
                   "and leaves it detached")
      ->check(CLI::IsMember({"end", "keep"}))
      ->type_name("POLICY");
  command
      ->add_option(
          "--start-method", options->start_method,
          "spawn (default), forkserver: from a warm template of the program, or fork:NAME: "
          "from that running process")
      ->check(IsNotEmpty("try spawn, forkserver or fork:NAME"))
      ->type_name("spawn|forkserver|fork:NAME");
  command
      ->add_option(
          "--fork-wait", options->fork_wait,
          "Wait so long for NAME of fork:NAME, or for the template of forkserver, to offer itself "
          "(default: until 3s after the start of NAME; 1m for a template)")
      ->check(IsSpan(SpanBounds::kFinite))
      ->type_name("SPAN");
  command->add_flag("-t,--terminal", options->terminal,
                    "Give the process a terminal, of the size of this one");
  command->add_flag("--merge-stderr", options->merge_stderr,
                    "stderr into stdout, as 2>&1 has it: their order is exact, and they are told "
                    "apart no more");
}

}  // namespace

void AddJobOptions(CLI::App* command, JobOptions* options) {
  AddCounts(command, options);
  AddSpecOptions(command, options);
  AddEndsAndStart(command, options);
  command->prefix_command();
}

void AddHostBounds(CLI::App* command, Invocation& invocation) {
  command->add_flag("--skip-unreachable", invocation.skip_unreachable,
                    "Leave out hosts that cannot be reached, and name them at the end");
  command
      ->add_option("--min-hosts", invocation.min_hosts,
                   "The same, if so many answer; else start nothing")
      ->check(IsCount(1, kMaxRanks))
      ->type_name("N");
}

absl::StatusOr<std::vector<std::string>> CommandWords(const CLI::App& command,
                                                      const Invocation& invocation) {
  std::vector<std::string> words = command.remaining();
  if (!words.empty() && absl::StartsWith(words[0], "-")) {
    return absl::InvalidArgumentError(absl::StrCat(TellUnknownOption(command, words[0]),
                                                   " See `shoal ", command.get_name(),
                                                   " --help`, and put -- before the command"));
  }
  // No program is called so; "--per-core 2 --" is what people type.
  if (!words.empty() && invocation.has_separator && absl::c_all_of(words[0], absl::ascii_isdigit)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "\"", EscapeForMessage(words[0]),
        "\" stands before --, and would be the command; the option in front of it takes "
        "no value"));
  }
  if (!words.empty() && invocation.has_separator) words.emplace_back("--");
  words.insert(words.end(), invocation.words_after_separator.begin(),
               invocation.words_after_separator.end());
  if (words.empty()) {
    std::string before = command.get_name();
    if (const CLI::Option* process = command.get_option_no_throw("process"); process != nullptr) {
      absl::StrAppend(&before, " ", EscapeForMessage(process->as<std::string>()));
    }
    return absl::InvalidArgumentError(
        absl::StrCat("what is to be run? Try `shoal ", before, " -- hostname`"));
  }
  return words;
}

absl::StatusOr<v1::ProcessSpec> BuildSpec(const JobOptions& options,
                                          const std::vector<std::string>& words,
                                          const Fleet& fleet) {
  v1::ProcessSpec spec;
  for (const std::string& word : words) spec.add_argv(word);
  spec.set_name(options.name);
  spec.set_beside(options.beside);
  // Without --cwd, what is sent along runs beside its files: this directory may not be there.
  const bool has_directory = !options.ship.empty() || !options.beside.empty();
  if (!has_directory || !options.cwd.empty()) {
    SHOAL_ASSIGN_OR_RETURN(*spec.mutable_cwd(), WorkingDirectory(options.cwd));
  }
  SHOAL_RETURN_IF_ERROR(SetEnvironment(options, fleet, &spec));
  SHOAL_ASSIGN_OR_RETURN(const auto labels, ParseLabels("--label", options.labels));
  spec.mutable_labels()->insert(labels.begin(), labels.end());
  SHOAL_RETURN_IF_ERROR(SetStartMethod(options.start_method, &spec));
  SHOAL_RETURN_IF_ERROR(SetForkWait(options.fork_wait, &spec));
  if (!options.timeout.empty()) {
    SHOAL_ASSIGN_OR_RETURN(absl::Duration limit, ParseSpan(options.timeout));
    if (limit != absl::InfiniteDuration()) *spec.mutable_time_limit() = FromSpan(limit);
  }
  if (options.terminal) SetTerminal(&spec);
  if (options.merge_stderr) spec.mutable_output()->set_merge_stderr(true);
  if (options.descendants == "keep") spec.set_descendants(v1::DESCENDANT_POLICY_KEEP);
  if (!options.grace.empty()) {
    SHOAL_ASSIGN_OR_RETURN(absl::Duration grace, ParseSpan(options.grace));
    *spec.mutable_grace() = FromSpan(grace);
  }
  return spec;
}

absl::StatusOr<std::string> PathOnHosts(const JobOptions& options, const std::string& path) {
  if (path[0] == '/') return path;
  SHOAL_ASSIGN_OR_RETURN(const std::string directory, WorkingDirectory(options.cwd));
  return (std::filesystem::path(directory) / path).lexically_normal().string();
}

absl::StatusOr<std::vector<int>> Place(const JobOptions& options, const Fleet& fleet,
                                       const Invocation& invocation) {
  int hosts = static_cast<int>(fleet.hosts().size());
  if (options.per_host != 0) return PlacePerHost(hosts, options.per_host);
  if (options.count == 1) {
    std::vector<int> counts(fleet.hosts().size(), 0);
    counts[0] = 1;
    return counts;
  }
  std::vector<int> slots = fleet.slot_counts();
  if (options.count != 0) {
    int total = std::accumulate(slots.begin(), slots.end(), 0);
    if (options.count > total) {
      invocation.Note(absl::StrCat(options.count, " processes for ", Count(total, "slot"),
                                   ": some share a core."));
    }
    return PlaceTotal(slots, options.count);
  }
  if (!options.per_core) return PlacePerSlot(slots);
  std::vector<int> cores;
  for (const FleetHost& entry : fleet.hosts()) cores.push_back(entry.facts.cores());
  return PlacePerCore(cores);
}

absl::StatusOr<std::vector<std::string>> ResolveEnvironment(
    const std::vector<std::string>& entries, const std::vector<std::string>& environment) {
  std::vector<std::string> resolved;
  for (const std::string& entry : entries) {
    if (entry.empty() || entry[0] == '=') {
      return absl::InvalidArgumentError(absl::StrCat("--env \"", EscapeForMessage(entry),
                                                     "\" is not of the form KEY or KEY=VALUE"));
    }
    if (absl::StrContains(entry, '=')) {
      resolved.push_back(entry);
      continue;
    }
    const auto found =
        absl::c_find_if(environment, [&](const std::string& own) { return KeyOf(own) == entry; });
    if (found == environment.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("--env ", EscapeForMessage(entry), ": there is no such variable here"));
    }
    resolved.push_back(*found);
  }
  return resolved;
}

std::vector<std::string> MergeEnvironment(const std::vector<std::string>& environment, bool all,
                                          const std::vector<std::string>& extra) {
  std::map<absl::string_view, absl::string_view> merged;
  for (const std::string& entry : environment) {
    absl::string_view key = KeyOf(entry);
    if (key.empty() || key.size() == entry.size()) continue;
    if (all || IsForTcp(key)) merged[key] = entry;
  }
  for (const std::string& entry : extra) merged[KeyOf(entry)] = entry;
  std::vector<std::string> result;
  result.reserve(merged.size());
  for (const auto& [key, entry] : merged) result.emplace_back(entry);
  return result;
}

}  // namespace shoal::cli
