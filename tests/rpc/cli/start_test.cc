// start, and the options that it shares with run: what is asked of the agents, and what is printed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "absl/strings/match.h"
#include "tests/rpc/cli/agent_fixture.h"
#include "tests/rpc/cli/blocked_signals.h"
#include "tests/rpc/cli/other_listener.h"

namespace shoal::testing {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class StartTest : public AgentCommandTest {
 protected:
  // The spec that `line` has an agent start.
  v1::ProcessSpec SpecOf(const std::string& line) {
    Said said = Shoal(line);
    EXPECT_EQ(said.status, 0) << line << "\n" << said;
    v1::SpawnBatchRequest request = ant_.last_batch();
    return request.specs().empty() ? v1::ProcessSpec() : request.specs(0);
  }
  // With "IDIDID" in place of the short ids of the agent's processes.
  static Said Masked(Said said, const FakeAgent& agent) {
    for (const v1::Process& process : agent.processes()) {
      const std::string id = process.id().substr(0, 6);
      for (size_t at = 0; (at = said.out.find(id, at)) != std::string::npos;) {
        said.out.replace(at, id.size(), "IDIDID");
      }
    }
    return said;
  }
};

TEST_F(StartTest, ShowsWhatWasStarted) {
  EXPECT_EQ(Masked(Shoal("start --name web -- wait"), ant_),
            (Said{0,
                  "NAME  ID      HOST  PID   STATE\n"
                  "web   IDIDID  ant   1000  running\n",
                  ""}));
  v1::ProcessSpec spec = ant_.last_batch().specs(0);
  EXPECT_EQ(spec.lifetime(), v1::LIFETIME_DETACHED);
  EXPECT_FALSE(ant_.last_batch().has_ranks());
  EXPECT_THAT(spec.argv(), ElementsAre("wait"));
  EXPECT_EQ(spec.cwd(), std::filesystem::current_path().string());
}

TEST_F(StartTest, InJsonIsTheProcess) {
  EXPECT_THAT(Masked(Shoal("start -o json --name web -- wait"), ant_).out,
              StartsWith("{\"kind\":\"process\",\"host\":\"ant\",\"id\":\"IDIDID"));
}

TEST_F(StartTest, InJsonWhatWasNotStartedHasItsNameAndRank) {
  EXPECT_THAT(Shoal("start -o json --name web -- refuse:held").out,
              StartsWith("{\"kind\":\"error\",\"host\":\"ant\",\"id\":null,\"name\":\"web\","
                         "\"rank\":null,"));
  const Said ranks = Shoal("start -o json -n 2 --name sim -- refuse:held");
  EXPECT_THAT(ranks.out, HasSubstr("\"name\":\"sim.1\",\"rank\":1,"));
  EXPECT_EQ(ranks.err, "shoal: cannot start refuse:held on ant: held.\n");
  EXPECT_THAT(ranks.out,
              StartsWith("{\"kind\":\"error\",\"host\":\"ant\",\"id\":null,\"name\":\"sim.0\","
                         "\"rank\":0,"));
}

TEST_F(StartTest, OptionsStandInTheSpec) {
  setenv("SHOAL_OF_THE_TEST", "1", 1);
  v1::ProcessSpec spec = SpecOf(
      "start --name web --env A=1 --env B= --cwd /srv --label job=x --label user=ada --timeout 1h "
      "--grace 2.5s --descendants keep -- wait");
  EXPECT_EQ(spec.name(), "web");
  EXPECT_THAT(spec.env(), Contains("A=1"));
  EXPECT_THAT(spec.env(), Contains("B="));
  EXPECT_THAT(spec.env(), Contains("SHOAL_OF_THE_TEST=1")) << "the agent is ours";
  EXPECT_EQ(spec.cwd(), "/srv");
  EXPECT_EQ(spec.labels().at("job"), "x");
  EXPECT_EQ(spec.labels().at("user"), "ada");
  EXPECT_EQ(spec.time_limit().seconds(), 3600);
  EXPECT_EQ(spec.grace().seconds(), 2);
  EXPECT_EQ(spec.grace().nanos(), 500000000);
  EXPECT_EQ(spec.start_method(), v1::START_METHOD_UNSPECIFIED);
  EXPECT_FALSE(SpecOf("start --timeout inf -- wait").has_time_limit());
  EXPECT_EQ(SpecOf("start --cwd sub/../dir -- wait").cwd(),
            (std::filesystem::current_path() / "dir").string());
}

TEST_F(StartTest, StartMethodsAreTold) {
  EXPECT_EQ(SpecOf("start --start-method spawn -- wait").start_method(),
            v1::START_METHOD_UNSPECIFIED);
  v1::ProcessSpec spec = SpecOf("start --start-method forkserver --fork-wait 2m -- wait");
  EXPECT_EQ(spec.start_method(), v1::START_METHOD_FORKSERVER);
  EXPECT_EQ(spec.fork_wait().seconds(), 120);
  spec = SpecOf("start --start-method fork:warm --fork-wait 7s -- wait");
  EXPECT_EQ(spec.start_method(), v1::START_METHOD_FORK);
  EXPECT_EQ(spec.fork_of(), "warm");
  EXPECT_EQ(spec.fork_wait().seconds(), 7);
}

TEST_F(StartTest, WordsOfTheCommandAreNotOurs) {
  EXPECT_THAT(SpecOf("start out:a -n 3 --name x").argv(),
              ElementsAre("out:a", "-n", "3", "--name", "x"));
  EXPECT_THAT(SpecOf("start -- wait -- --help").argv(), ElementsAre("wait", "--", "--help"));
  EXPECT_THAT(SpecOf("start out:a -- -h").argv(), ElementsAre("out:a", "--", "-h"));
}

TEST_F(StartTest, AProgramMayBeCalledAsACommandOfOurs) {
  for (const char* program : {"wait", "ps", "rm", "start", "agent"}) {
    EXPECT_THAT(SpecOf(absl::StrCat("start ", program, " x")).argv(), ElementsAre(program, "x"));
    EXPECT_THAT(SpecOf(absl::StrCat("start -n 1 ", program)).argv(), ElementsAre(program));
  }
}

struct Row {
  const char* line;
  const char* complaint;  // without "shoal: " in front
};

TEST_F(StartTest, WhatCannotBeMeantIsRefused) {
  for (const Row& row : std::vector<Row>{
           {"start", "what is to be run? Try `shoal start -- hostname`.\n"},
           {"run --", "what is to be run? Try `shoal run -- hostname`.\n"},
           {"start --frobnicate sim",
            "there is no option --frobnicate for start. See `shoal start --help`, and put -- "
            "before the command.\n"},
           {"start --env A -- wait", "--env A: there is no such variable here.\n"},
           {"start --env =A -- wait", "--env \"=A\" is not of the form KEY or KEY=VALUE.\n"},
           {"start --label job -- wait", "--label \"job\" is not of the form key=value.\n"},
           {"start --label =x -- wait", "--label \"=x\" is not of the form key=value.\n"},
           {"start --start-method clone -- wait",
            "--start-method \"clone\" is none of spawn, forkserver, fork:NAME.\n"},
           {"start --start-method fork: -- wait",
            "--start-method \"fork:\" is none of spawn, forkserver, fork:NAME.\n"},
           {"start --fork-wait 3s -- wait",
            "--fork-wait is for --start-method fork:NAME and forkserver.\n"},
           {"start --start-method fork:a --fork-wait inf -- wait",
            "--fork-wait: \"inf\" has no end; give a span such as 30s or 2d. See `shoal start "
            "--help`.\n"},
           {"start --fork-wait x -- wait",
            "--fork-wait: \"x\" is not a span of time; try 30s, 500ms, 1h30m or 2d. See `shoal "
            "start --help`.\n"},
           {"start --timeout x -- wait",
            "--timeout: \"x\" is not a span of time; try 30s, 500ms, 1h30m or 2d. See `shoal start "
            "--help`.\n"},
           {"start --grace x -- wait",
            "--grace: \"x\" is not a span of time; try 30s, 500ms, 1h30m or 2d. See `shoal start "
            "--help`.\n"},
           {"start --grace inf -- wait",
            "--grace: \"inf\" has no end; give a span such as 30s or 2d. See `shoal start "
            "--help`.\n"},
           {"start --timeout 0 -- wait",
            "--timeout: \"0\" is no span above zero; leave it out for none. See `shoal start "
            "--help`.\n"},
           {"start -n 2 --per-host 1 -- wait",
            "-n excludes --per-host. See `shoal start --help`.\n"},
           {"start -n 2 --per-core -- wait", "-n excludes --per-core. See `shoal start --help`.\n"},
           {"start --per-host 2 --per-core -- wait",
            "--per-host excludes --per-core. See `shoal start --help`.\n"},
           {"start -n 0 -- wait",
            "-n: \"0\" is no number from 1 to 1048576. See `shoal start --help`.\n"},
           {"start --per-host 0 -- wait",
            "--per-host: \"0\" is no number from 1 to 1048576. See `shoal start --help`.\n"},
           {"start --ship a: -- wait", "--ship \"a:\" is not of the form FILE:NAME.\n"},
       }) {
    EXPECT_EQ(Shoal(row.line), (Said{2, "", std::string("shoal: ") + row.complaint})) << row.line;
  }
  EXPECT_EQ(ant_.Calls("SpawnBatch"), 0);
}

TEST_F(StartTest, AWorkingDirectoryThatIsGoneIsAskedFor) {
  const std::filesystem::path here = std::filesystem::current_path();
  const std::filesystem::path gone = std::filesystem::path(home_) / "gone";
  std::filesystem::create_directory(gone);
  std::filesystem::current_path(gone);
  std::filesystem::remove(gone);
  Said said = Shoal("start -- wait");
  std::filesystem::current_path(here);
  EXPECT_EQ(said, (Said{125, "",
                        "shoal: cannot tell the working directory; --cwd may name one: No such "
                        "file or directory.\n"}));
}

TEST_F(StartTest, WhatDoesNotStartIsAnErrorOfItsOwn) {
  EXPECT_EQ(
      RunCommand({"start", "--", "refuse:exec sim: No such file or directory"}),
      (Said{127, "",
            "shoal: cannot start 'refuse:exec sim: No such file or directory' on ant: exec sim: "
            "No such file or directory. It is taken as one word; a shell takes it apart: `sh -c "
            "'refuse:exec sim: No such file or directory'`.\n"}));
  EXPECT_EQ(RunCommand({"start", "-n", "2", "--", "refuse:no"}),
            (Said{127, "", "shoal: cannot start refuse:no on ant: no.\n"}))
      << "once, for all";
  EXPECT_EQ(Shoal("start -- silence"),
            (Said{125, "", "shoal: ant: the agent did not say what it started.\n"}));
  ant_.FailNext("SpawnBatch", absl::PermissionDeniedError("not for you"));
  EXPECT_EQ(Shoal("start -- wait"), (Said{125, "", "shoal: not for you.\n"}));
}

TEST_F(StartTest, AFileIsSentAlong) {
  const std::string file = home_ + "/sim";
  std::ofstream(file) << "#!/bin/sh\n";
  std::filesystem::permissions(file, std::filesystem::perms::owner_all);
  v1::ProcessSpec spec =
      SpecOf(absl::StrCat("start --ship ", file, " --ship ", file, ":lib/b -- ", file, " wait"));
  ASSERT_EQ(spec.files_size(), 2);
  EXPECT_EQ(spec.files(0).path(), "sim");
  EXPECT_EQ(spec.files(0).data(), "#!/bin/sh\n");
  EXPECT_TRUE(spec.files(0).executable());
  EXPECT_EQ(spec.files(1).path(), "lib/b");
  EXPECT_THAT(spec.argv(), ElementsAre("./sim", "wait"));
  EXPECT_EQ(spec.cwd(), "") << "beside its files";
  EXPECT_EQ(SpecOf(absl::StrCat("start --cwd /srv --ship ", file, " -- wait")).cwd(), "/srv");
}

class PlacementTest : public StartTest {
 protected:
  PlacementTest() : beetle_("beetle", 4) {
    setenv("SHOAL_HOSTS", absl::StrCat(ant_.hosts(), ",", beetle_.hosts()).c_str(), 1);
  }
  // How many each host was asked for.
  std::pair<int, int> CountsOf(const std::string& line) {
    size_t ant = ant_.processes().size();
    size_t beetle = beetle_.processes().size();
    said_ = Shoal(line);
    EXPECT_EQ(said_.status, 0) << said_;
    return {static_cast<int>(ant_.processes().size() - ant),
            static_cast<int>(beetle_.processes().size() - beetle)};
  }
  // The signal comes when ant has answered and beetle has not, which does once ant was told to end its own.
  Said InterruptedBetweenTheAnswers(int number) {
    EXPECT_TRUE(kSignalsAreBlocked);
    beetle_.Hold("SpawnBatch");
    std::thread sender([this, number] {
      ant_.AwaitCalls("SpawnBatch", 1);
      beetle_.AwaitCalls("SpawnBatch", 1);
      kill(getpid(), number);
      ant_.AwaitCalls("Terminate", 1);
      beetle_.Release("SpawnBatch");
    });
    Said said = Shoal("start -n 6 -- wait");
    sender.join();
    return said;
  }

  FakeAgent beetle_;
  Said said_;
};

TEST_F(PlacementTest, OneOnEachHostOrAsManyAsAreSaid) {
  EXPECT_EQ(CountsOf("start -- wait"), (std::pair<int, int>(1, 1)));
  EXPECT_EQ(CountsOf("start -n 1 -- wait"), (std::pair<int, int>(1, 0)));
  EXPECT_EQ(CountsOf("start -n 3 -- wait"), (std::pair<int, int>(2, 1)));
  EXPECT_EQ(CountsOf("start --per-host 3 -- wait"), (std::pair<int, int>(3, 3)));
  EXPECT_EQ(CountsOf("start --per-core -- wait"), (std::pair<int, int>(2, 4)));
  EXPECT_EQ(said_.err, "");
}

TEST_F(PlacementTest, MoreThanTheSlotsIsSaid) {
  EXPECT_EQ(CountsOf("start -n 7 -- wait"), (std::pair<int, int>(3, 4)));
  EXPECT_EQ(said_.err, "shoal: 7 processes for 6 slots: some share a core.\n");
}

TEST_F(PlacementTest, RanksKnowTheirJob) {
  CountsOf("start -n 3 -- wait");
  v1::Ranks ranks = beetle_.last_batch().ranks();
  EXPECT_EQ(ranks.world_size(), 3);
  EXPECT_EQ(ranks.first_rank(), 2);
  EXPECT_EQ(ranks.host_rank(), 1);
  EXPECT_THAT(ranks.hosts(), ElementsAre("ant", "beetle"));
}

TEST_F(PlacementTest, WithoutANameAJobHasOneOnAllItsHosts) {
  CountsOf("start -n 3 -- /bin/wait");
  const std::string name = ant_.last_batch().specs(0).name();
  EXPECT_THAT(name, ::testing::MatchesRegex("wait-[a-z2-7]{4}"));
  EXPECT_EQ(beetle_.last_batch().specs(0).name(), name);
  CountsOf("start -n 1 -- wait");
  EXPECT_EQ(ant_.last_batch().specs(0).name(), "") << "on one host the agent makes it";
  CountsOf("start --name p -n 3 -- wait");
  EXPECT_EQ(beetle_.last_batch().specs(0).name(), "p");
}

TEST_F(PlacementTest, AJobsNameSelectsItOnAllHosts) {
  for (int rank = 0; rank < 3; ++rank) {
    v1::Process process =
        Running(absl::StrCat("P", rank, "AAAAAAAAAAAAAA"), absl::StrCat("p.", rank));
    process.set_rank(rank);
    process.set_host(rank < 2 ? "ant" : "beetle");
    (rank < 2 ? ant_ : beetle_).Put(process);
  }
  EXPECT_THAT(Shoal("ps p").out, AllOf(HasSubstr("p.0"), HasSubstr("p.1"), HasSubstr("p.2")));
  const Said stopped = Shoal("stop p");
  EXPECT_THAT(stopped.out, AllOf(HasSubstr("/p.0  "), HasSubstr("/p.1  "), HasSubstr("/p.2  ")));
  EXPECT_EQ(Shoal("wait beetle/p").status, 143) << "of that host alone";
  EXPECT_EQ(Shoal("rm p").status, 0);
  EXPECT_EQ(Shoal("why p").err,
            "shoal: no process on ant,beetle is called \"p\"; `shoal ps -a` lists them.\n");
}

TEST_F(PlacementTest, OfSeveralHostsThoseThatStartAreShown) {
  beetle_.FailNext("SpawnBatch", absl::ResourceExhaustedError("no slot is free"));
  Said said = Masked(Shoal("start --name web -- wait"), ant_);
  EXPECT_EQ(said, (Said{75,
                        "NAME  ID      HOST  PID   STATE\n"
                        "web   IDIDID  ant   1000  running\n",
                        "shoal: no slot is free.\n"}));
}

TEST_F(PlacementTest, WhatWasStartedIsEndedAgainByCtrlC) {
  Said said = InterruptedBetweenTheAnswers(SIGINT);
  EXPECT_EQ(said, (Said{130, "",
                        "shoal: SIGINT: ending what was started; Ctrl-C once more leaves it.\n"
                        "shoal: SIGINT: what was started was ended again.\n"}));
  EXPECT_EQ(beetle_.Calls("Terminate"), 1);
  for (const FakeAgent* agent : {&ant_, &beetle_}) {
    for (const v1::Process& process : agent->processes()) {
      EXPECT_EQ(process.state(), v1::STATE_EXITED);
    }
  }
}

TEST_F(PlacementTest, WhatCannotBeEndedAgainIsTold) {
  ant_.FailNext("Terminate", absl::InternalError("no"));
  beetle_.FailNext("SpawnBatch", absl::PermissionDeniedError("not yours"));
  Said said = InterruptedBetweenTheAnswers(SIGTERM);
  EXPECT_EQ(said.status, 143);
  EXPECT_THAT(
      said.err,
      ::testing::EndsWith(
          "shoal: SIGTERM: not seen to end again, started: 2 on ant; `shoal ps` shows them.\n"));
}

class SentEnvironmentTest : public StartTest {
 protected:
  SentEnvironmentTest() {
    setenv("SECRET_OF_THE_TEST", "hunter2", 1);
    setenv("LC_TIME", "C", 1);
  }
  ~SentEnvironmentTest() override { unsetenv("SECRET_OF_THE_TEST"); }
};

TEST_F(SentEnvironmentTest, AnAgentOfThisUserGetsAllOfIt) {
  EXPECT_THAT(SpecOf("start -- wait").env(), Contains("SECRET_OF_THE_TEST=hunter2"));
}

TEST_F(SentEnvironmentTest, AnAgentOfAnotherUserGetsWhatATerminalNeedsAndWhatIsNamed) {
  if (geteuid() != 0) GTEST_SKIP() << "wants root";
  ListenAs(ant_, 65534);
  const v1::ProcessSpec bare = SpecOf("start -- wait");
  EXPECT_THAT(bare.env(), Contains("LC_TIME=C"));
  for (const std::string& entry : bare.env()) {
    EXPECT_TRUE(absl::StartsWith(entry, "TERM=") || absl::StartsWith(entry, "LANG=") ||
                absl::StartsWith(entry, "LC_"))
        << entry;
  }
  EXPECT_THAT(SpecOf("start --env SECRET_OF_THE_TEST --env A=1 -- wait").env(),
              AllOf(Contains("SECRET_OF_THE_TEST=hunter2"), Contains("A=1")));
  EXPECT_THAT(SpecOf("start --env-all -- wait").env(), Contains("SECRET_OF_THE_TEST=hunter2"));
}

TEST_F(SentEnvironmentTest, ANameThatIsNotHereIsSaid) {
  EXPECT_EQ(Shoal("start --env NO_SUCH_VARIABLE -- wait"),
            (Said{2, "", "shoal: --env NO_SUCH_VARIABLE: there is no such variable here.\n"}));
}

}  // namespace
}  // namespace shoal::testing
