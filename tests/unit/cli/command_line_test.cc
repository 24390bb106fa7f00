// What is said of a command line before any host is asked.
#include "client/cli/command_line.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

#include "CLI/Version.hpp"
#include "absl/strings/match.h"
#include "absl/strings/strip.h"
#include "client/cli/typed_words.h"
#include "shoal/version.h"
#include "tests/support/shoal_command.h"

namespace shoal::cli {
namespace {

using ::shoal::testing::RunCommand;
using ::shoal::testing::Said;

class CommandLineTest : public ::shoal::testing::CommandTest {};

struct Row {
  const char* line;
  const char* complaint;
};

std::string ReadFile(const char* path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// help.txt has, for each command, "$ " and a command line, and below it what that prints.
TEST_F(CommandLineTest, HelpIsThatOfThePage) {
  if (absl::string_view(CLI11_VERSION) != "2.1.2") GTEST_SKIP() << "laid out by CLI11 2.1.2";
  std::string page = ReadFile(SHOAL_HELP_PAGE);
  std::vector<std::string> commands;
  std::string printed;
  for (absl::string_view line : absl::StrSplit(page, '\n')) {
    if (absl::ConsumePrefix(&line, "$ shoal ")) commands.emplace_back(line);
  }
  for (const std::string& command : commands) {
    Said said = Shoal(command);
    EXPECT_EQ(said.status, 0) << command;
    EXPECT_EQ(said.err, "") << command;
    printed += "$ shoal " + command + "\n" + said.out;
  }
  EXPECT_EQ(printed, page);
}

TEST_F(CommandLineTest, EveryCommandHasItsHelpOnThePage) {
  std::string page = ReadFile(SHOAL_HELP_PAGE);
  std::string list = page.substr(page.find("\nCommands:\n"));
  list.resize(list.find("\n\n", 1));
  std::vector<std::string> lines = absl::StrSplit(list, "\n  ");
  int commands = 0;
  for (const std::string& line : lines) {
    std::string name = line.substr(0, line.find(' '));
    if (name.empty() || absl::StrContains(name, ":")) continue;
    if (name == "help" || name == "version") continue;  // what they show is there
    ++commands;
    EXPECT_NE(page.find("$ shoal " + name + " --help\n"), std::string::npos) << name;
  }
  EXPECT_EQ(commands, 17);
}

TEST_F(CommandLineTest, TheVersionIsOneLine) {
  EXPECT_EQ(Shoal("--version"), (Said{0, "shoal " + std::string(Version()) + "\n", ""}));
}

TEST_F(CommandLineTest, TheHabitsOfOtherToolsAreTakenAsTheyAreMeant) {
  EXPECT_EQ(Shoal("version"), Shoal("--version"));
  EXPECT_EQ(Shoal("help"), Shoal("--help"));
  EXPECT_EQ(Shoal("help stop"), Shoal("stop --help"));
  EXPECT_EQ(Shoal("help agent stop"), Shoal("agent stop --help"));
  EXPECT_EQ(Shoal("help help"), Shoal("--help"));
  EXPECT_EQ(Shoal("help run ls -l"), Shoal("run --help")) << "nothing is started";
  EXPECT_EQ(Shoal("help exec web ls"), Shoal("exec --help"));
  EXPECT_EQ(Shoal("help run -n 1 -- ls"), Shoal("run --help"));
  EXPECT_EQ(Shoal("help version"), Shoal("--help"));
  using Typed = std::vector<std::string>;
  EXPECT_EQ(AsMeant({"signal", "-9", "web"}), (Typed{"signal", "9", "web"}));
  EXPECT_EQ(AsMeant({"-H", "ant", "signal", "-HUP", "web"}),
            (Typed{"-H", "ant", "signal", "HUP", "web"}));
  for (const Typed& words :
       {Typed{"signal", "-l", "a=b"}, Typed{"signal", "--scope", "tree"}, Typed{"run", "help"},
        Typed{"-H", "help"}, Typed{"signal"}, Typed{"stop", "-9"}, Typed{}}) {
    EXPECT_EQ(AsMeant(words), words);
  }
}

TEST_F(CommandLineTest, WithoutACommandTheHelpGoesToStderr) {
  EXPECT_EQ(Shoal(""), (Said{2, "", Shoal("--help").out}));
}

TEST_F(CommandLineTest, WhatCannotBeReadIsRefusedWithItsReason) {
  for (const Row& row : std::vector<Row>{
           {"list", "shoal: there is no command \"list\". See `shoal --help`.\n"},
           {"-H ant li\x1bst", "shoal: there is no command \"li\\x1bst\". See `shoal --help`.\n"},
           {"stpo web",
            "shoal: there is no command \"stpo\"; did you mean \"stop\"? See `shoal --help`.\n"},
           {"help stpo",
            "shoal: there is no command \"stpo\"; did you mean \"stop\"? See `shoal --help`.\n"},
           {"agent strat",
            "shoal: there is no command \"strat\"; did you mean \"start\"? See `shoal agent "
            "--help`.\n"},
           {"agent",
            "shoal: agent wants a command: start, restart, stop, status. See `shoal agent "
            "--help`.\n"},
           {"ps --hotss ant",
            "shoal: there is no option --hotss for ps; did you mean \"--hosts\"? See `shoal ps "
            "--help`.\n"},
           {"run -it -- sh",
            "shoal: there is no option -it for run; did you mean \"-t\"? See `shoal run --help`, "
            "and put -- before the command.\n"},
           {"ps -x", "shoal: there is no option -x for ps. See `shoal ps --help`.\n"},
           {"--foo ps", "shoal: there is no option --foo for shoal. See `shoal ps --help`.\n"},
           {"ps --tls-cert=x",
            "shoal: --tls-cert stands in front of the command: `shoal --tls-cert … ps`. See `shoal "
            "ps --help`.\n"},
           {"-- ps",
            "shoal: \"--\" stands in front of what `run`, `start` and `exec` run, behind their "
            "options. See `shoal --help`.\n"},
           {"exec", "shoal: say which process. See `shoal exec --help`.\n"},
           {"hosts node1", "shoal: \"node1\" means nothing to hosts. See `shoal hosts --help`.\n"},
           {"run --nam=x -- ls",
            "shoal: there is no option --nam for run; did you mean \"--name\"? See `shoal run "
            "--help`, and put -- before the command.\n"},
           {"run --grace soon ls -l",
            "shoal: --grace: \"soon\" is not a span of time; try 30s, 500ms, 1h30m or 2d. See "
            "`shoal "
            "run --help`.\n"},
           {"run --session-ttl 0 ls",
            "shoal: --session-ttl: \"0\" is not between 1s and 24h. See `shoal run --help`.\n"},
           {"logs --tail -1 web",
            "shoal: --tail: \"-1\" is no number from 0 on. See `shoal logs --help`.\n"},
           {"ps --sort=",
            "shoal: --sort: the value is empty; known are name, id, host, pid, state, since, "
            "command, cpu, rss. See "
            "`shoal ps --help`.\n"},
           {"run --name= hostname",
            "shoal: --name: the value is empty; give a name, or leave it out. See `shoal run "
            "--help`.\n"},
           {"run -n 1 --cwd= -- pwd",
            "shoal: --cwd: the value is empty; name a directory, or leave it out. See `shoal run "
            "--help`.\n"},
           {"run --start-method= -- pwd",
            "shoal: --start-method: the value is empty; try spawn, forkserver or fork:NAME. See "
            "`shoal run --help`.\n"},
           {"run --stdin= -- pwd",
            "shoal: --stdin: the value is empty; try all, none, the number of a rank or @FILE. See "
            "`shoal run "
            "--help`.\n"},
           {"run --ship= -- pwd",
            "shoal: --ship: the value is empty; name a file. See `shoal run --help`.\n"},
           {"exec --stdin= web -- pwd",
            "shoal: --stdin: the value is empty; try all, none or @FILE. See `shoal exec "
            "--help`.\n"},
           {"attach --request-id=",
            "shoal: --request-id: the value is empty; give the UUID of a start. See `shoal attach "
            "--help`.\n"},
           {"--tls-ca= ps",
            "shoal: --tls-ca: the value is empty; name a file. See `shoal ps --help`.\n"},
           {"ps --nosuch=", "shoal: there is no option --nosuch for ps. See `shoal ps --help`.\n"},
           {"ps -o yaml",
            "shoal: --output: \"yaml\" is none of table, json. See `shoal ps --help`.\n"},
       }) {
    EXPECT_EQ(Shoal(row.line), (Said{2, "", row.complaint})) << row.line;
  }
  EXPECT_EQ(
      RunCommand({"exec", "", "--", "pwd"}),
      (Said{2, "",
            "shoal: process: the value is empty; name the process. See `shoal exec --help`.\n"}));
}

}  // namespace
}  // namespace shoal::cli
