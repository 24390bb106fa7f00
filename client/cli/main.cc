// The program `shoal`: reads the command line, runs one subcommand, and ends with its exit status.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/cli/command.h"
#include "client/cli/exit_status.h"
#include "common/escape.h"
#include "shoal/version.h"

namespace shoal::cli {
namespace {

constexpr const char* kFooter =
    "A SELECTOR is a name, a glob, an id or a unique prefix of one, HOST/NAME, or -l key=value.\n"
    "Exit status: the process's own; 128 + signal; 127 or 126 no such program, or not to be "
    "executed;\n"
    "2 usage; 69 host unreachable; 70 the exit is unknown; 75 worth trying again; 1 anything "
    "else.\n"
    "Example:\n"
    "  shoal run -- hostname\n"
    "  shoal start --name web -- python3 -m http.server 8000\n"
    "  shoal -H node[1-3] ps\n";

// Options without the list of what they exclude: the library says so when it matters.
class PlainFormatter : public CLI::Formatter {
 public:
  std::string make_option_opts(const CLI::Option* option) const override {
    return option->get_type_size() == 0 ? "" : absl::StrCat(" ", option->get_type_name());
  }
};

void Declare(Parser& parser) {
  CLI::App& app = parser.app;
  auto formatter = std::make_shared<PlainFormatter>();
  formatter->column_width(24);
  app.formatter(formatter);  // of every subcommand that is declared from here on, too
  app.add_option("-H,--hosts", parser.context.hosts, "Hosts, as for every command")
      ->type_name("HOSTS");
  app.add_option("-o,--output", parser.context.format,
                 "table, or json: one object per line, with the field names of the protos")
      ->check(CLI::IsMember({"table", "json"}))
      ->type_name("FORMAT");
  app.add_option("--tls-cert", parser.context.tls.cert_file,
                 "Certificate for TCP ($SHOAL_TLS_CERT, [tls] cert)")
      ->type_name("FILE");
  app.add_option("--tls-key", parser.context.tls.key_file,
                 "Its private key ($SHOAL_TLS_KEY, [tls] key)")
      ->type_name("FILE");
  app.add_option("--tls-ca", parser.context.tls.ca_file,
                 "Who signs the agents ($SHOAL_TLS_CA, [tls] ca)")
      ->type_name("FILE");
  app.set_version_flag("--version", absl::StrCat("shoal ", std::string(Version())));
  app.footer(kFooter);
  AddRun(parser);
  AddStart(parser);
  AddPs(parser);
  AddWatch(parser);
  AddInspect(parser);
  AddWhy(parser);
  AddLogs(parser);
  AddWait(parser);
  AddSignal(parser);
  AddStop(parser);
  AddRm(parser);
  AddHosts(parser);
  AddDoctor(parser);
  AddAgent(parser);
}

// Where the words of a command begin that are not ours to read: behind the first "--" after `run`
// or `start`.
size_t FindSeparator(const std::vector<std::string>& arguments) {
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    bool takes_value = word == "-H" || word == "-o" || word == "--hosts" || word == "--output" ||
                       (absl::StartsWith(word, "--tls-") && !absl::StrContains(word, "="));
    if (takes_value) ++i;
    if (takes_value || absl::StartsWith(word, "-")) continue;
    if (word != "run" && word != "start") return arguments.size();
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

int Complain(const CLI::App& app, const std::string& what) {
  std::string command = "shoal";
  for (const CLI::App* sub : app.get_subcommands()) absl::StrAppend(&command, " ", sub->get_name());
  if (std::string word = UnknownCommand(app); !word.empty()) {
    std::fprintf(stderr, "shoal: there is no command \"%s\"; `shoal --help` lists them.\n",
                 EscapeForMessage(word).c_str());
    return kExitUsage;
  }
  std::fprintf(stderr, "shoal: %s. See `%s --help`.\n", EscapeForMessage(what, 1024).c_str(),
               command.c_str());
  return kExitUsage;
}

int Main(std::vector<std::string> arguments) {
  Context context;
  Chosen chosen;
  CLI::App app("Runs processes on many machines as if they were children of yours.", "shoal");
  Parser parser{app, context, chosen};
  Declare(parser);
  size_t separator = FindSeparator(arguments);
  context.has_separator = separator < arguments.size();
  if (context.has_separator) {
    context.words_after_separator.assign(arguments.begin() + static_cast<ptrdiff_t>(separator) + 1,
                                         arguments.end());
    arguments.resize(separator);
  }
  try {
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
    app.parse(reversed);
  } catch (const CLI::Success& success) {  // --help, --version
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    return Complain(app, error.what());
  }
  if (!chosen) {
    std::fputs(app.help().c_str(), stderr);
    return kExitUsage;
  }
  return chosen();
}

}  // namespace
}  // namespace shoal::cli

int main(int argc, char** argv) {
  // gRPC's own log lines say again, and worse, what the command says in one line.
  setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);
  int status = shoal::cli::Main({argv + 1, argv + argc});
  // Everything is closed and proven; tearing down gRPC's threads would only take time.
  std::fflush(stdout);
  std::fflush(stderr);
  _exit(status);
}
