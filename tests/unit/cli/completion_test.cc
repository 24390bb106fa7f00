// What may stand where the cursor is, as far as no agent is asked: `shoal complete` as the shells call it.
#include "client/cli/completion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/support/shoal_command.h"

namespace shoal::cli {
namespace {

using ::shoal::testing::RunCommand;
using ::shoal::testing::Said;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

class CompletionTest : public ::shoal::testing::CommandTest {
 protected:
  // On a busy machine a second is short.
  CompletionTest() { setenv("SHOAL_COMPLETE_TIMEOUT", "5m", 1); }
  ~CompletionTest() override { unsetenv("SHOAL_COMPLETE_TIMEOUT"); }

  // The lines that a shell gets for what was typed behind "shoal", with the cursor at the end.
  static std::vector<std::string> Lines(const std::string& typed) {
    std::vector<std::string> words = {"complete", "--"};
    for (absl::string_view word : absl::StrSplit(typed, ' ')) words.emplace_back(word);
    const Said said = RunCommand(words);
    EXPECT_EQ(said.status, 0) << typed;
    EXPECT_EQ(said.err, "") << typed;
    std::vector<std::string> lines = absl::StrSplit(said.out, '\n');
    EXPECT_EQ(lines.back(), "");
    lines.pop_back();
    return lines;
  }

  static std::string Kind(const std::string& typed) { return Lines(typed).at(0); }

  static std::vector<std::string> Offered(const std::string& typed) {
    std::vector<std::string> lines = Lines(typed);
    EXPECT_EQ(lines.at(0), "words") << typed;
    lines.erase(lines.begin());
    for (std::string& line : lines) line.resize(line.find('\t'));
    return lines;
  }

  void WriteConfig(const std::string& text) const {
    const std::string directory = home_ + "/shoal";
    std::filesystem::create_directory(directory);
    std::ofstream(directory + "/config.toml") << text;
  }
};

TEST_F(CompletionTest, OffersTheCommandsButThoseForShoalItself) {
  EXPECT_THAT(Offered("w"), ElementsAre("watch", "why", "wait"));
  EXPECT_THAT(Offered(""), Contains("run"));
  EXPECT_THAT(Offered("keep"), IsEmpty());
  EXPECT_THAT(Offered("complete"), IsEmpty());
  EXPECT_THAT(Offered("pages"), IsEmpty());
  EXPECT_THAT(Offered("-H node1 ho"), ElementsAre("hosts"));
  EXPECT_THAT(Offered("agent sta"), ElementsAre("start", "status"));
  EXPECT_THAT(Lines("why")[1], "why\tTell what became of a process, in a paragraph");
}

TEST_F(CompletionTest, OffersTheOptionsOfTheCommandByTheirLongNames) {
  EXPECT_THAT(Offered("run --per"), ElementsAre("--per-host", "--per-core"));
  EXPECT_THAT(Offered("run -"), Contains("-n"));
  EXPECT_THAT(Offered("run -"), Contains("--terminal"));
  EXPECT_THAT(Offered("run -"), Not(Contains("-t")));
  EXPECT_THAT(Offered("--tls-c"), ElementsAre("--tls-cert", "--tls-ca"));
  EXPECT_THAT(Offered("ps --per"), IsEmpty());
}

TEST_F(CompletionTest, OffersValues) {
  EXPECT_THAT(Offered("ps -o "), ElementsAre("table", "json"));
  EXPECT_THAT(Offered("ps --output=j"), ElementsAre("--output=json"));
  EXPECT_THAT(Offered("start --descendants k"), ElementsAre("keep"));
  EXPECT_THAT(Offered("signal --scope p"), ElementsAre("process"));
  EXPECT_THAT(Offered("signal HU"), ElementsAre("HUP"));
  EXPECT_THAT(Offered("stop --signal TER"), ElementsAre("TERM"));
  EXPECT_THAT(Offered("ps --sort r"), ElementsAre("rss"));
  EXPECT_THAT(Offered("hosts --sort=load,f"), ElementsAre("--sort=load,free"));
  EXPECT_THAT(Offered("run --start-method f"), ElementsAre("forkserver"));
  EXPECT_THAT(Offered("run --stdin "), ElementsAre("all", "none"));
  EXPECT_THAT(Offered("run --tag "), IsEmpty());
  EXPECT_THAT(Offered("hosts "), IsEmpty());
  EXPECT_EQ(Kind("run --ship "), "files");
  EXPECT_EQ(Kind("run --ship=si"), "files");
  EXPECT_EQ(Kind("--tls-cert "), "files");
  EXPECT_EQ(Kind("run --cwd /"), "directories");
}

TEST_F(CompletionTest, LeavesTheCommandOfTheUserToTheShell) {
  EXPECT_EQ(Kind("run ho"), "command 1");
  EXPECT_EQ(Kind("run -- ho"), "command 2");
  EXPECT_EQ(Kind("run -n 4 --no-tag -- env A=b hostn"), "command 5");
  EXPECT_EQ(Kind("run -n4 hostname -"), "command 2");
  EXPECT_EQ(Kind("start --name web --env A=b python3 -m http."), "command 5");
  EXPECT_EQ(Kind("-H node1 run -- --ship"), "command 4");
  EXPECT_EQ(Kind("exec web -- ca"), "command 3");
  EXPECT_EQ(Kind("exec web ca"), "command 2");
}

TEST_F(CompletionTest, OffersTheCommandsThatHelpIsOf) {
  EXPECT_THAT(Lines("he"), ElementsAre("words", "help\tShow the help of a command"));
  EXPECT_THAT(Offered("help sta"), ElementsAre("start"));
  EXPECT_THAT(Offered("help agent sto"), ElementsAre("stop"));
  for (const char* typed : {"help he", "help run ", "help run --per", "agent he"}) {
    EXPECT_THAT(Offered(typed), IsEmpty()) << typed;
  }
}

TEST_F(CompletionTest, AFlagTakesNoWordForItsValue) {
  for (const char* flags : {"-t", "--terminal", "--skip-unreachable", "-q --env-all", "--raw"}) {
    EXPECT_EQ(Kind(absl::StrCat("run ", flags, " ho")).substr(0, 7), "command") << flags;
  }
  EXPECT_EQ(Kind("run --no-tag -- env"), "command 3");
  EXPECT_EQ(Kind("exec -t web ca"), "command 3");
  EXPECT_THAT(Offered("-q ho"), ElementsAre("hosts"));
  EXPECT_THAT(Offered("agent stop --all --ou"), ElementsAre("--output"));
}

TEST_F(CompletionTest, OffersHostsAndGroupsOfTheConfiguration) {
  WriteConfig(
      "[hosts]\nnode1 = \"10.0.0.1\"\ngpu1 = \"\"\n[groups]\nstudio = \"node[1-2]\"\nspare = "
      "[\"old7\"]\n");
  EXPECT_THAT(Offered("-H "), ElementsAre("@spare", "@studio", "gpu1", "node1", "node2", "old7"));
  EXPECT_THAT(Offered("ps --hosts @st"), ElementsAre("@studio"));
  EXPECT_THAT(Offered("ps --hosts=node1,n"),
              ElementsAre("--hosts=node1,node1", "--hosts=node1,node2"));
  EXPECT_THAT(Lines("-H @st")[1], "@studio\tnode[1-2]");
}

TEST_F(CompletionTest, IsSilentWhereThereIsNothingToSay) {
  WriteConfig("no TOML = \n [");
  setenv("SHOAL_AGENT", ("unix:" + home_ + "/none.sock").c_str(), 1);
  for (const char* typed : {"-H ", "stop ", "nosuch ", "ps --nosuch ", "ps --nosuch=", "stop x/",
                            "agent start -- --sl"}) {
    EXPECT_THAT(Offered(typed), IsEmpty()) << typed;
  }
  setenv("SHOAL_HOSTS", "unix:/nowhere/shoald.sock", 1);
  EXPECT_EQ(RunCommand({"complete", "--", "stop", ""}).out, "words\n");
  EXPECT_EQ(RunCommand({"complete", "--"}).status, 0);
  EXPECT_EQ(RunCommand({"complete"}).status, 0);
}

TEST_F(CompletionTest, WhatIsNoSpanCountsAsNone) {
  for (const char* span : {"", "x", "0s", "inf", "1h"}) {
    setenv("SHOAL_COMPLETE_TIMEOUT", span, 1);
    EXPECT_THAT(Offered("agent sto"), ElementsAre("stop")) << span;
  }
}

}  // namespace
}  // namespace shoal::cli
