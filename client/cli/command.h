// How a subcommand is declared: a name, one line, an example, and the options that all of them
// have.
//
// A subcommand's file has one function Add<Name>(), which declares it and has it call its Run
// function, whose result is the exit status.
//
// Thread-safety: main thread only.
#ifndef SHOAL_CLIENT_CLI_COMMAND_H_
#define SHOAL_CLIENT_CLI_COMMAND_H_

#include <functional>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "client/cli/invocation.h"
#include "client/cli/selection.h"
#include "common/span.h"

namespace shoal::cli {

// Which subcommand was given, to be run when all has been parsed.
using Chosen = std::function<int()>;

struct Parser {
  CLI::App& app;
  Invocation& invocation;
  Chosen& chosen;
};

// Declares `name` with -H, -o and -q; `example`, indented lines, ends its --help.
CLI::App* AddCommand(Parser& parser, const std::string& name, const std::string& description,
                     const std::string& example);

// -q, which silences what is no error, with a help of its own where it does more; again: the help alone.
void AddQuiet(CLI::App* command, Invocation& invocation, const std::string& help);

// As typed: SELECTOR… and -l.
struct SelectorArguments {
  std::vector<std::string> terms;
  std::vector<std::string> labels;
};
void AddSelector(CLI::App* command, SelectorArguments* arguments);

// INVALID_ARGUMENT, saying what to give, when nothing was selected; `verb` completes the sentence.
absl::StatusOr<Selection> RequireSelection(const SelectorArguments& arguments, const char* verb);

// A check for options of which an empty value would mean the default: an unset variable of a script. The error has
// `wanted` behind it: "name a file".
CLI::Validator IsNotEmpty(const std::string& wanted);
inline constexpr char kWantedHosts[] =
    "name hosts, such as node[1-16],gpu1:7420, @group or unix:PATH";
inline constexpr char kWantedName[] = "give a name, or leave it out";
inline constexpr char kWantedDirectory[] = "name a directory, or leave it out";
// A check for options that take a span of time.
CLI::Validator IsSpan(SpanBounds bounds = SpanBounds::kAny);
// A check for options that take a number of something, none included.
CLI::Validator IsCount(int64_t least = 0, int64_t most = INT64_MAX);

void AddRun(Parser& parser);
void AddStart(Parser& parser);
void AddPs(Parser& parser);
void AddWatch(Parser& parser);
void AddInspect(Parser& parser);
void AddWhy(Parser& parser);
void AddLogs(Parser& parser);
void AddInput(Parser& parser);
void AddAttach(Parser& parser);
void AddExec(Parser& parser);
void AddWait(Parser& parser);
void AddSignal(Parser& parser);
void AddStop(Parser& parser);
void AddRm(Parser& parser);
void AddHosts(Parser& parser);
void AddDoctor(Parser& parser);
void AddAgent(Parser& parser);
void AddKeep(Parser& parser);
void AddComplete(Parser& parser);
void AddPages(Parser& parser);

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_COMMAND_H_
