#include "client/cli/command_line.h"

#include <algorithm>
#include <memory>
#include <sstream>
#include <utility>

#include "CLI/CLI.hpp"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/cli/command.h"
#include "client/cli/exit_status.h"
#include "client/cli/json.h"
#include "client/cli/standard_output.h"
#include "client/cli/typed_words.h"
#include "common/escape.h"
#include "common/help_page.h"
#include "common/parse_error.h"
#include "shoal/version.h"

namespace shoal::cli {
namespace {

constexpr const char* kFooter =
    "Exit status: the process's own; 128 + signal; 127 or 126 no such program, or not to be "
    "executed; 125 not started for another reason; 124 time limit; 2 usage; 69 host unreachable; "
    "70 the exit is unknown; 75 worth "
    "trying again; 1 anything else.\n"
    "Environment: SHOAL_HOSTS, as -H; SHOAL_AGENT=unix:PATH, the agent of this machine; "
    "SHOAL_CONFIG, "
    "a file instead of the one below; SHOAL_TLS_CERT, SHOAL_TLS_KEY and SHOAL_TLS_CA; "
    "SHOAL_SESSION_TTL, as --session-ttl; SHOAL_COMPLETE_TIMEOUT, how long a completion may take; "
    "NO_COLOR.\n"
    "Files: ~/.config/shoal/config.toml has names of hosts, groups and certificates.\n"
    "Examples:\n"
    "  shoal run -- hostname\n"
    "  shoal start --name web -- python3 -m http.server 8000\n"
    "  shoal -H node[1-3] ps\n";

// AsMeant() has read them before they would be parsed: these are for those who look for them.
void AddHelp(Parser& parser) {
  parser.app.add_subcommand("help", "Show the help of a command")->set_help_flag();
}
void AddVersion(Parser& parser) {
  parser.app.add_subcommand("version", "Show the version")->set_help_flag();
}

struct NamedCommand {
  const char* name;
  void (*declare)(Parser& parser);
  bool is_of_all = false;  // it looks at the other commands
};

constexpr NamedCommand kCommands[] = {
    {"run", AddRun},
    {"start", AddStart},
    {"ps", AddPs},
    {"watch", AddWatch},
    {"inspect", AddInspect},
    {"why", AddWhy},
    {"logs", AddLogs},
    {"input", AddInput},
    {"attach", AddAttach},
    {"exec", AddExec},
    {"wait", AddWait},
    {"signal", AddSignal},
    {"stop", AddStop},
    {"rm", AddRm},
    {"hosts", AddHosts},
    {"doctor", AddDoctor},
    {"agent", AddAgent},
    {"help", AddHelp},
    {"version", AddVersion},
    {"keep", AddKeep},
    {"complete", AddComplete, /*is_of_all=*/true},
    {"pages", AddPages, /*is_of_all=*/true},
};

// The one that is given, or all where it is none: all of them take a tenth of the time of a short command.
void DeclareCommands(Parser& parser, const std::string& word) {
  for (const NamedCommand& command : kCommands) {
    if (word == command.name && !command.is_of_all) return command.declare(parser);
  }
  for (const NamedCommand& command : kCommands) command.declare(parser);
}

void Declare(Parser& parser, const std::string& word) {
  CLI::App& app = parser.app;
  // Of every subcommand that is declared from here on, too.
  app.formatter(std::make_shared<HelpFormatter>(HelpWidth()));
  app.add_option("-H,--hosts", parser.invocation.hosts,
                 "Hosts, as for every command; -H behind the command goes before this")
      ->check(IsNotEmpty(kWantedHosts))
      ->type_name("HOSTS");
  app.add_option("-o,--output", parser.invocation.format,
                 "table, or json: one object per line, with the field names of the protos")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str()
      ->type_name("FORMAT");
  AddQuiet(&app, parser.invocation, "Say nothing on stderr but errors");
  app.add_option("--tls-cert", parser.invocation.tls.cert_file,
                 "Certificate for TCP ($SHOAL_TLS_CERT, [tls] cert)")
      ->check(IsNotEmpty("name a file"))
      ->type_name("FILE");
  app.add_option("--tls-key", parser.invocation.tls.key_file,
                 "Its private key ($SHOAL_TLS_KEY, [tls] key)")
      ->check(IsNotEmpty("name a file"))
      ->type_name("FILE");
  app.add_option("--tls-ca", parser.invocation.tls.ca_file,
                 "Who signs the agents ($SHOAL_TLS_CA, [tls] ca)")
      ->check(IsNotEmpty("name a file"))
      ->type_name("FILE");
  // Behind a command no word is one: it may be a program or a process.
  app.require_subcommand(0, 1);
  app.set_version_flag("--version", absl::StrCat("shoal ", std::string(Version())));
  app.footer(absl::StrCat(kSelectorRules, kFooter));
  DeclareCommands(parser, word);
}

// The words behind it are those of a command.
bool TakesCommand(const std::string& word) {
  return word == "run" || word == "start" || word == "exec" || word == "complete";
}

// Where the words of a command begin that are not ours to read: behind the first "--" after `run`,
// `start` or `exec`.
size_t FindSeparator(const std::vector<std::string>& arguments) {
  const size_t command = FindCommand(arguments);
  if (command == arguments.size() || !TakesCommand(arguments[command])) return arguments.size();
  const auto begin = arguments.begin() + static_cast<ptrdiff_t>(command) + 1;
  return static_cast<size_t>(std::find(begin, arguments.end(), "--") - arguments.begin());
}

// Whether JSON is asked for by words that could not be parsed.
bool WantsJson(const std::vector<std::string>& arguments) {
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    if (word == "-ojson" || word == "-o=json" || word == "--output=json") return true;
    const bool takes_value = word == "-o" || word == "--output";
    if (takes_value && i + 1 < arguments.size() && arguments[i + 1] == "json") return true;
  }
  return false;
}

int Complain(const CLI::App& app, const std::string& what,
             const std::vector<std::string>& arguments) {
  const bool is_sentence = absl::EndsWith(what, "?") || absl::EndsWith(what, ".");
  const std::string sentence = absl::StrCat(EscapeForMessage(what, 1024), is_sentence ? "" : ".",
                                            " See `", PathOf(app), " --help`.");
  if (WantsJson(arguments)) {
    Print(ErrorLine({}, absl::InvalidArgumentError(sentence), kExitUsage));
  }
  WriteError(absl::StrCat("shoal: ", sentence, "\n"));
  return kExitUsage;
}

int RunWords(std::vector<std::string> arguments) {
  arguments = AsMeant(std::move(arguments));
  Invocation invocation;
  Chosen chosen;
  CLI::App app("Runs processes on many machines as if they were children of yours.", "shoal");
  Parser parser{app, invocation, chosen};
  const size_t command = FindCommand(arguments);
  Declare(parser, command < arguments.size() ? arguments[command] : "");
  const auto words_end = arguments.begin() + static_cast<ptrdiff_t>(command);
  if (std::find(arguments.begin(), words_end, "--") != words_end) {
    return Complain(
        app, "\"--\" stands in front of what `run`, `start` and `exec` run, behind their options",
        arguments);
  }
  size_t separator = FindSeparator(arguments);
  invocation.has_separator = separator < arguments.size();
  if (invocation.has_separator) {
    invocation.words_after_separator.assign(
        arguments.begin() + static_cast<ptrdiff_t>(separator) + 1, arguments.end());
    arguments.resize(separator);
  }
  arguments = WithEmptyValues(app, std::move(arguments));
  try {
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
    app.parse(reversed);
  } catch (const CLI::Success& success) {  // --help, --version
    const bool has_command = command < arguments.size();
    if (has_command && app.get_subcommands().empty())
      return Complain(app, TellUnknown(app), arguments);
    std::ostringstream page;
    int status = app.exit(success, page, page);
    Print(page.str());
    return status;
  } catch (const CLI::ParseError& error) {
    // A word that is too many, or in the place of a command.
    const bool is_unknown =
        error.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExtrasError) ||
        error.get_exit_code() == static_cast<int>(CLI::ExitCodes::RequiredError);
    const std::string unknown = is_unknown ? TellUnknown(app) : "";
    return Complain(app, unknown.empty() ? TellParseError(error.what()) : unknown, arguments);
  }
  if (!chosen) {
    WriteError(app.help());
    return kExitUsage;
  }
  if (invocation.quiet) SetQuiet();
  return chosen();
}

}  // namespace

int RunCommandLine(std::vector<std::string> arguments) {
  BeginOutput();
  return FinishOutput(RunWords(std::move(arguments)));
}

}  // namespace shoal::cli
