#include "client/cli/command_line.h"

#include <memory>
#include <sstream>

#include "CLI/CLI.hpp"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/cli/command.h"
#include "client/cli/exit_status.h"
#include "client/cli/json.h"
#include "client/cli/standard_output.h"
#include "common/escape.h"
#include "common/help_page.h"
#include "shoal/version.h"

namespace shoal::cli {
namespace {

constexpr const char* kFooter =
    "Exit status: the process's own; 128 + signal; 127 or 126 no such program, or not to be "
    "executed; 124 time limit; 2 usage; 69 host unreachable; 70 the exit is unknown; 75 worth "
    "trying again; 1 anything else.\n"
    "Examples:\n"
    "  shoal run -- hostname\n"
    "  shoal start --name web -- python3 -m http.server 8000\n"
    "  shoal -H node[1-3] ps\n";

void Declare(Parser& parser) {
  CLI::App& app = parser.app;
  // Of every subcommand that is declared from here on, too.
  app.formatter(std::make_shared<HelpFormatter>(HelpWidth()));
  app.add_option("-H,--hosts", parser.invocation.hosts, "Hosts, as for every command")
      ->check(IsNotEmpty())
      ->type_name("HOSTS");
  app.add_option("-o,--output", parser.invocation.format,
                 "table, or json: one object per line, with the field names of the protos")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str()
      ->type_name("FORMAT");
  AddQuiet(&app, parser.invocation, "Say nothing on stderr but errors");
  app.add_option("--tls-cert", parser.invocation.tls.cert_file,
                 "Certificate for TCP ($SHOAL_TLS_CERT, [tls] cert)")
      ->check(IsNotEmpty())
      ->type_name("FILE");
  app.add_option("--tls-key", parser.invocation.tls.key_file,
                 "Its private key ($SHOAL_TLS_KEY, [tls] key)")
      ->check(IsNotEmpty())
      ->type_name("FILE");
  app.add_option("--tls-ca", parser.invocation.tls.ca_file,
                 "Who signs the agents ($SHOAL_TLS_CA, [tls] ca)")
      ->check(IsNotEmpty())
      ->type_name("FILE");
  // Behind a command no word is one: it may be a program or a process.
  app.require_subcommand(0, 1);
  app.set_version_flag("--version", absl::StrCat("shoal ", std::string(Version())));
  app.footer(absl::StrCat(kSelectorRules, kFooter));
  AddRun(parser);
  AddStart(parser);
  AddPs(parser);
  AddWatch(parser);
  AddInspect(parser);
  AddWhy(parser);
  AddLogs(parser);
  AddInput(parser);
  AddAttach(parser);
  AddExec(parser);
  AddWait(parser);
  AddSignal(parser);
  AddStop(parser);
  AddRm(parser);
  AddHosts(parser);
  AddDoctor(parser);
  AddAgent(parser);
  AddKeep(parser);
  AddComplete(parser);
  AddPages(parser);
}

// The words behind it are those of a command.
bool TakesCommand(const std::string& word) {
  return word == "run" || word == "start" || word == "exec" || word == "complete";
}

// Where the words of a command begin that are not ours to read: behind the first "--" after `run`,
// `start` or `exec`.
size_t FindSeparator(const std::vector<std::string>& arguments) {
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    bool takes_value = word == "-H" || word == "-o" || word == "--hosts" || word == "--output" ||
                       (absl::StartsWith(word, "--tls-") && !absl::StrContains(word, "="));
    if (takes_value) ++i;
    if (takes_value || absl::StartsWith(word, "-")) continue;
    if (!TakesCommand(word)) return arguments.size();
    for (size_t k = i + 1; k < arguments.size(); ++k) {
      if (arguments[k] == "--") return k;
    }
    return arguments.size();
  }
  return arguments.size();
}

// The words in `arguments` that no command is called by: the first that is no option.
std::string UnknownCommand(const CLI::App& app) {
  if (!app.get_subcommands().empty()) return "";
  std::vector<std::string> rest = app.remaining();
  for (const std::string& word : rest) {
    if (!absl::StartsWith(word, "-")) return word;
  }
  return "";
}

// "--hosts=" with nothing behind it, for which the parser would take the next word; "" if there is none.
// From the first word behind `run`, `start` or `exec` on they may be those of a program.
std::string OptionWithoutValue(const std::vector<std::string>& arguments, bool has_separator) {
  for (const std::string& word : arguments) {
    if (!has_separator && TakesCommand(word)) return "";
    if (absl::StartsWith(word, "--") && absl::EndsWith(word, "=")) return word;
  }
  return "";
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

std::string Complaint(const CLI::App& app, const std::string& what) {
  std::string command = "shoal";
  for (const CLI::App* sub : app.get_subcommands()) absl::StrAppend(&command, " ", sub->get_name());
  if (std::string word = UnknownCommand(app); !word.empty()) {
    return absl::StrCat("there is no command \"", EscapeForMessage(word),
                        "\"; `shoal --help` lists them.");
  }
  return absl::StrCat(EscapeForMessage(what, 1024), ". See `", command, " --help`.");
}

int Complain(const CLI::App& app, const std::string& what,
             const std::vector<std::string>& arguments) {
  const std::string sentence = Complaint(app, what);
  if (WantsJson(arguments)) {
    Print(ErrorLine({}, absl::InvalidArgumentError(sentence), kExitUsage));
  }
  WriteError(absl::StrCat("shoal: ", sentence, "\n"));
  return kExitUsage;
}

int RunWords(std::vector<std::string> arguments) {
  Invocation invocation;
  Chosen chosen;
  CLI::App app("Runs processes on many machines as if they were children of yours.", "shoal");
  Parser parser{app, invocation, chosen};
  Declare(parser);
  size_t separator = FindSeparator(arguments);
  invocation.has_separator = separator < arguments.size();
  if (invocation.has_separator) {
    invocation.words_after_separator.assign(
        arguments.begin() + static_cast<ptrdiff_t>(separator) + 1, arguments.end());
    arguments.resize(separator);
  }
  if (std::string word = OptionWithoutValue(arguments, invocation.has_separator); !word.empty()) {
    return Complain(app, absl::StrCat(word, ": the value is empty"), arguments);
  }
  try {
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
    app.parse(reversed);
  } catch (const CLI::Success& success) {  // --help, --version
    std::ostringstream page;
    int status = app.exit(success, page, page);
    Print(page.str());
    return status;
  } catch (const CLI::ParseError& error) {
    return Complain(app, error.what(), arguments);
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
