// run: from the command line to the output, the report and the exit status.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <thread>

#include "tests/rpc/cli/agent_fixture.h"
#include "tests/rpc/cli/blocked_signals.h"
#include "tests/support/terminal_command.h"

namespace shoal::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::StartsWith;

class RunTest : public AgentCommandTest {
 protected:
  // Runs `line`, and sends the signal once `calls` calls of SpawnBatch have come.
  Said Interrupted(const std::string& line, int number) {
    EXPECT_TRUE(kSignalsAreBlocked);
    std::thread sender([this, number, calls = ant_.Calls("SpawnBatch") + 1] {
      ant_.AwaitCalls("SpawnBatch", calls);
      kill(getpid(), number);
    });
    Said said = Shoal(line);
    sender.join();
    return said;
  }
};

TEST_F(RunTest, OneProcessIsAsIfItWereOurs) {
  EXPECT_EQ(Shoal("run -n 1 -- out:hello err:oops exit:0"), (Said{0, "hello", "oops"}));
  EXPECT_EQ(Shoal("run -n 1 -- exit:3"), (Said{3, "", ""}));
  EXPECT_THAT(Shoal("run -n 1 -- signal:11"),
              ::testing::AllOf(
                  ::testing::Field(&Said::status, 139),
                  ::testing::Field(&Said::err, MatchesRegex("shoal: signal:11 on ant: ended by "
                                                            "SIGSEGV, after [0-9.]+ s\\.\n"))));
}

TEST_F(RunTest, OnePerSlotWhereNothingElseIsSaid) {
  Said said = Shoal("run -- out:a exit:0");
  EXPECT_EQ(ant_.last_batch().ranks().world_size(), 2);
  EXPECT_THAT(said.err, MatchesRegex("2 of 2 ended, 0 failed, [0-9.]+ s, slowest rank [01] on ant "
                                     "\\([0-9.]+ s\\)\n"));
  EXPECT_EQ(said.status, 0);
}

// A terminal as our stdin: the keys are looked for there alone.
TEST_F(RunTest, WhereTheHostDoesNotHearThatItIsLeftThatIsSaid) {
  const UniqueFd terminal(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  ASSERT_EQ(unlockpt(terminal.get()), 0);
  TakeInput(open(ptsname(terminal.get()), O_RDWR | O_NOCTTY | O_CLOEXEC));
  ant_.FailNext("Update", absl::InternalError("no"));
  std::thread typist([&] {
    ant_.AwaitCalls("WriteInput", 1);
    EXPECT_EQ(write(terminal.get(), "\x10\x11", 2), 2);
  });
  const Said said = Shoal("run -t --detach-keys ctrl-p,ctrl-q --name w -- wait");
  typist.join();
  TakeInput(open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(said.status, 69);
  EXPECT_THAT(said.err, HasSubstr("shoal: ant has not said that w"));
  EXPECT_THAT(said.err, HasSubstr(" goes on; else it ends in 15s.\n"));
}

TEST_F(RunTest, CountsAreThoseOfStart) {
  Shoal("run --per-host 3 -- exit:0");
  EXPECT_EQ(ant_.last_batch().ranks().world_size(), 3);
  Shoal("run --per-core -- exit:0");
  EXPECT_EQ(ant_.last_batch().ranks().world_size(), 2);
}

TEST_F(RunTest, OptionsStandInTheSpec) {
  Shoal(
      "run -n 1 --name sim --env A=1 --cwd /srv --label job=x --timeout 1m --grace 2s "
      "--descendants keep "
      "--start-method fork:warm --fork-wait 3s -- exit:0");
  v1::ProcessSpec spec = ant_.last_batch().specs(0);
  EXPECT_EQ(spec.name(), "sim");
  EXPECT_THAT(spec.env(), ::testing::Contains("A=1"));
  EXPECT_EQ(spec.cwd(), "/srv");
  EXPECT_EQ(spec.labels().at("job"), "x");
  EXPECT_EQ(spec.time_limit().seconds(), 60);
  EXPECT_EQ(spec.grace().seconds(), 2);
  EXPECT_EQ(spec.descendants(), v1::DESCENDANT_POLICY_KEEP);
  EXPECT_EQ(spec.start_method(), v1::START_METHOD_FORK);
  EXPECT_EQ(spec.fork_wait().seconds(), 3);
  EXPECT_NE(spec.lifetime(), v1::LIFETIME_DETACHED);
}

TEST_F(RunTest, LinesOfSeveralAreTaggedUnlessTheyAreNotToBe) {
  EXPECT_THAT(RunCommand({"run", "--", "out:a\n", "exit:0"}).out,
              ::testing::AnyOf("0 │ a\n1 │ a\n", "1 │ a\n0 │ a\n"));
  EXPECT_EQ(RunCommand({"run", "--no-tag", "--", "out:a\n", "exit:0"}).out, "a\na\n");
  EXPECT_EQ(RunCommand({"run", "--per-host", "1", "--tag",
                        "{host}.{local_rank}/{rank} {stream}: ", "--", "out:a\n", "exit:0"})
                .out,
            "ant.0/0 stdout: a\n");
}

TEST_F(RunTest, OnATerminalATaggedLineCannotOverwriteItsTag) {
  setenv("NO_COLOR", "1", 1);
  EXPECT_EQ(
      ShownByTerminal({"run", "-n", "1", "--tag", "{rank}: ", "--", "out:a\r1: b\n", "exit:0"}),
      "0: a\r\n0: 1: b\n");
  EXPECT_EQ(ShownByTerminal(
                {"run", "-n", "1", "--raw", "--tag", "{rank}: ", "--", "out:a\r1: b\n", "exit:0"}),
            "0: a\r\n0: 1: b\n");
  unsetenv("NO_COLOR");
}

TEST_F(RunTest, EqualAnswersAreGathered) {
  EXPECT_EQ(RunCommand({"run", "--gather", "--", "out:6.1\n", "exit:0"}).out, "ant  6.1\n");
}

TEST_F(RunTest, TheFirstFailureEndsTheOthersUnlessHaltSaysOtherwise) {
  Said said = Shoal("run -n 2 --halt never -- err:bad exit:3");
  EXPECT_EQ(said.status, 3);
  EXPECT_THAT(said.err, HasSubstr("failed first: exit code 3, after "));
  EXPECT_THAT(said.err, HasSubstr("  │ bad\n"
                                  "FAILED ON  END          RANKS\n"
                                  "ant        exit code 3  0-1\n"
                                  "2 of 2 ended, 2 failed, "));
  EXPECT_EQ(Shoal("run --halt now,fail=2,x -- exit:3").status, 2);
}

TEST_F(RunTest, ThatOthersWereEndedBecauseOfItIsSaid) {
  FakeAgent beetle("beetle");
  setenv("SHOAL_HOSTS", absl::StrCat(ant_.hosts(), ",", beetle.hosts()).c_str(), 1);
  std::thread ender([this] {
    ant_.AwaitCalls("SpawnBatch", 1);
    while (ant_.processes().empty()) ant_.AwaitNews(1);
    ant_.Exit(ant_.processes()[0].id(), 4);
  });
  Said said = Shoal("run --per-host 1 -- wait");
  ender.join();
  EXPECT_EQ(said.status, 4);
  EXPECT_THAT(said.err,
              MatchesRegex("rank 0 on ant failed first: exit code 4, after [0-9.]+ s\n"
                           "1 other was ended because of it \\(--halt now,fail=1\\); no process is "
                           "left on any host\\.\n"
                           "2 of 2 ended, 1 failed, 1 ended by us, .*\n"));
}

TEST_F(RunTest, InJsonIsTheOutputAndTheEnd) {
  Said said = Shoal("run -o json -n 1 -- out:hi exit:3");
  EXPECT_EQ(said.status, 3);
  EXPECT_THAT(
      said.out,
      MatchesRegex("\\{\"kind\":\"output\",\"host\":\"ant\",\"id\":\"[A-Z2-7]+\",.*\"rank\":0,"
                   "\"stream\":\"STREAM_KIND_STDOUT\",\"offset\":0,.*\"data\":\"hi\"\\}\n"
                   "\\{\"kind\":\"process\",.*\"state\":\"STATE_EXITED\".*\\}\n"
                   "\\{\"kind\":\"summary\",.*\"failed_ranks\":\\[0\\],.*\"exit_status\":3,"
                   "\"first_failed_rank\":0,\"reason\":\"exit code 3.*\"\\}\n"));
}

TEST_F(RunTest, HostsThatAreAwayAreLeftOutAndNamedAtTheEnd) {
  FakeAgent beetle("beetle");
  setenv("SHOAL_HOSTS", absl::StrCat(ant_.hosts(), ",", beetle.hosts()).c_str(), 1);
  beetle.Stop();
  EXPECT_EQ(Shoal("run --per-host 1 -- out:hi exit:0").status, 69);
  EXPECT_EQ(ant_.Calls("Open"), 0);
  const Said left_out = Shoal("run --skip-unreachable --per-host 1 -- out:hi exit:0");
  EXPECT_EQ(left_out.status, 0) << left_out;
  EXPECT_EQ(left_out.out, "hi");
  EXPECT_THAT(left_out.err,
              MatchesRegex("shoal: left out: host .*" + beetle.socket_path() + ".*\\.\n"));
  EXPECT_EQ(Shoal("run --min-hosts 1 --per-host 1 -q -- out:hi exit:0"), (Said{0, "hi", ""}));
  const Said too_few = Shoal("run --min-hosts 2 --per-host 1 -- out:hi exit:0");
  EXPECT_EQ(too_few.status, 69);
  EXPECT_EQ(too_few.out, "");
  EXPECT_THAT(too_few.err,
              StartsWith("shoal: 1 host answered, and --min-hosts asks for 2: host \"unix:"));
  EXPECT_EQ(Shoal("start -- wait").status, 69);
  EXPECT_EQ(ant_.processes().size(), 2u) << "of the two runs: it starts nothing where one is away";
  EXPECT_EQ(Shoal("start --skip-unreachable -q -- wait").status, 0);
}

// They answer, and are gone before anything is started.
TEST_F(RunTest, HostsThatAreLostBeforeTheStartAreLeftOutAsThoseThatAreAway) {
  FakeAgent beetle("beetle");
  setenv("SHOAL_HOSTS", absl::StrCat(beetle.hosts(), ",", ant_.hosts()).c_str(), 1);
  const auto lose = [&] { beetle.FailNext("Open", absl::DeadlineExceededError("no answer")); };
  lose();
  EXPECT_EQ(Shoal("run --per-host 1 -- out:hi exit:0").status, 75);
  lose();
  EXPECT_EQ(Shoal("run --min-hosts 2 --per-host 1 -- out:hi exit:0"),
            (Said{69, "", "shoal: 1 host answered, and --min-hosts asks for 2: no answer.\n"}));
  EXPECT_EQ(ant_.Calls("SpawnBatch"), 0);
  lose();
  EXPECT_EQ(Shoal("run --skip-unreachable --per-host 1 -- out:hi exit:0"),
            (Said{0, "hi", "shoal: left out: no answer.\n"}));
  EXPECT_EQ(ant_.last_batch().ranks().world_size(), 1);
  EXPECT_EQ(ant_.open_sessions(), 0);
}

TEST_F(RunTest, AHostThatDiesBeforeItsSessionIsOpenIsLeftOut) {
  FakeAgent beetle("beetle");
  setenv("SHOAL_HOSTS", absl::StrCat(beetle.hosts(), ",", ant_.hosts()).c_str(), 1);
  beetle.Hold("Open");
  beetle.FailNext("Open", absl::UnavailableError("Socket closed"), 1000);
  std::thread killer([&] {
    beetle.AwaitCalls("Open", 1);
    beetle.Stop();
  });
  const Said said = Shoal("run --skip-unreachable --per-host 1 -- out:hi exit:0");
  killer.join();
  EXPECT_EQ(said.status, 0) << said;
  EXPECT_EQ(said.out, "hi");
  EXPECT_THAT(said.err, MatchesRegex("shoal: left out: host .*" + beetle.socket_path() +
                                     ".* cannot be reached: .*\\.\n"));
}

TEST_F(RunTest, AHostThatIsLostWhileFilesAreSentToItIsLeftOut) {
  FakeAgent beetle("beetle");
  setenv("SHOAL_HOSTS", absl::StrCat(beetle.hosts(), ",", ant_.hosts()).c_str(), 1);
  const std::string file = home_ + "/data";
  std::ofstream(file) << std::string(1 << 20, 'x');  // more than goes along with the start
  beetle.FailNext("FindMissing", absl::DeadlineExceededError("no answer"));
  EXPECT_EQ(
      Shoal(absl::StrCat("run --skip-unreachable --ship ", file, " --per-host 1 -- out:hi exit:0")),
      (Said{0, "hi", "shoal: left out: no answer.\n"}));
  EXPECT_EQ(beetle.Calls("Open"), 0);
  EXPECT_EQ(ant_.last_batch().specs(0).files_size(), 1);
}

TEST_F(RunTest, AStartLeavesItOutAsWell) {
  FakeAgent beetle("beetle");
  setenv("SHOAL_HOSTS", absl::StrCat(beetle.hosts(), ",", ant_.hosts()).c_str(), 1);
  const std::string file = home_ + "/data";
  std::ofstream(file) << std::string(1 << 20, 'x');
  const std::string start = absl::StrCat(" -q --per-host 1 --ship ", file, " -- wait");
  const auto lose = [&] {
    beetle.FailNext("FindMissing", absl::DeadlineExceededError("no answer"));
  };
  lose();
  EXPECT_EQ(Shoal("start" + start).status, 75);
  EXPECT_EQ(ant_.Calls("SpawnBatch"), 0);
  lose();
  EXPECT_EQ(Shoal("start --min-hosts 2" + start).status, 69);
  EXPECT_EQ(ant_.Calls("SpawnBatch"), 0);
  lose();
  EXPECT_EQ(Shoal("start --skip-unreachable" + start).status, 0);
  EXPECT_FALSE(ant_.last_batch().has_ranks());
  EXPECT_EQ(ant_.last_batch().specs(0).files_size(), 1);
}

// What it has been sent may have been carried out.
TEST_F(RunTest, OfAStartThatWasNotAnsweredTheDoubtIsSaid) {
  ant_.FailNext("SpawnBatch", absl::DeadlineExceededError("no answer"));
  EXPECT_EQ(Shoal("start --name web -- wait"),
            (Said{75, "",
                  "shoal: no answer; it may run there all the same: `shoal ps -a ant/web` tells, "
                  "once the host answers.\n"}));
}

TEST_F(RunTest, WhenEveryHostIsLostBeforeTheStartThatIsTheError) {
  ant_.FailNext("Open", absl::DeadlineExceededError("no answer"));
  EXPECT_EQ(Shoal("run --skip-unreachable --per-host 1 -- out:hi exit:0"),
            (Said{75, "", "shoal: no answer.\n"}));
}

// Another round would meet it again.
TEST_F(RunTest, ARefusalBeforeTheStartIsNoHostThatIsLost) {
  ant_.FailNext("Open", absl::PermissionDeniedError("not you"));
  EXPECT_EQ(Shoal("run --skip-unreachable --per-host 1 -- exit:0"),
            (Said{125, "", "shoal: not you.\n"}));
}

TEST_F(RunTest, QuietlyOnlyTheProcessesAreHeard) {
  const Said said = Shoal("run -q -n 2 -- err:oops exit:3");
  EXPECT_EQ(said.status, 3);
  EXPECT_THAT(said.err, MatchesRegex("(. │ oops\n)+"));
  EXPECT_EQ(Shoal("run -q -n 1 -- signal:9"), (Said{137, "", ""}));
  for (const char* count : {"1", "2"}) {
    const Said missing = Shoal(absl::StrCat("run -q -n ", count, " -- refuse:no"));
    EXPECT_EQ(missing.status, 127);
    EXPECT_THAT(missing.err, MatchesRegex("shoal: cannot start refuse:no on ant: no.\n"));
  }
}

TEST_F(RunTest, StderrMayBeMergedIntoStdout) {
  Shoal("run -n 1 --merge-stderr -- exit:0");
  EXPECT_TRUE(ant_.last_batch().specs(0).output().merge_stderr());
  Shoal("run -n 1 -- exit:0");
  EXPECT_FALSE(ant_.last_batch().specs(0).output().merge_stderr());
}

TEST_F(RunTest, LinesOfSeveralStayWholeWithoutATagToo) {
  std::vector<std::string> words = Words("run -n 2 --tag X -- out:a exit:0");
  words[4].clear();
  EXPECT_EQ(RunCommand(words).out, "a\na\n");
  EXPECT_EQ(Shoal("run -n 2 --tag= -- out:a exit:0").out, "a\na\n");
  EXPECT_EQ(Shoal("run -n 2 --no-tag -- out:a exit:0").out, "a\na\n");
  EXPECT_EQ(Shoal("run -n 1 --no-tag -- out:a exit:0").out, "a");
  EXPECT_EQ(Shoal("run -n 2 --tag {rank -- out:a exit:0"),
            (Said{2, "",
                  "shoal: --tag: {rank has no }; known are {rank}, {local_rank}, {host} and "
                  "{stream}.\n"}));
}

TEST_F(RunTest, WhatCannotBeMeantIsRefusedBeforeAnythingIsStarted) {
  EXPECT_EQ(Shoal("run --halt later,fail=1 -- wait"),
            (Said{2, "",
                  "shoal: halt rule \"later,fail=1\": it begins with never, now or soon; it is "
                  "never | now|soon,fail|success|done=N|P%, such as now,fail=1.\n"}));
  EXPECT_EQ(Shoal("run --tag {job} -- wait"),
            (Said{2, "",
                  "shoal: --tag: there is no {job}; known are {rank}, {local_rank}, {host} and "
                  "{stream}.\n"}));
  EXPECT_EQ(Shoal("run --tag x --no-tag -- wait"),
            (Said{2, "", "shoal: --tag excludes --no-tag. See `shoal run --help`.\n"}));
  EXPECT_EQ(Shoal("run --session-ttl x -- wait"),
            (Said{2, "",
                  "shoal: --session-ttl: \"x\" is not a span of time; try 30s, 500ms, 1h30m or 2d. "
                  "See `shoal run --help`.\n"}));
  EXPECT_EQ(
      Shoal("run --per-core 2 -- wait"),
      (Said{2, "",
            "shoal: \"2\" stands before --, and would be the command; the option in front of it "
            "takes no value.\n"}));
  EXPECT_EQ(Shoal("run -t -n 1 --stdin @/dev/null -- wait"),
            (Said{2, "", "shoal: --stdin @FILE is given with -t: a terminal is its own input.\n"}));
  EXPECT_EQ(ant_.Calls("Open"), 0);
}

TEST_F(RunTest, TheSessionLivesAsLongAsIsSaid) {
  Shoal("run -n 1 -- exit:0");
  EXPECT_EQ(ant_.last_open().ttl().seconds(), 15);
  EXPECT_THAT(ant_.last_open().name(), StartsWith("run exit:0 from "));
  Shoal("run -n 1 --session-ttl 40s -- exit:0");
  EXPECT_EQ(ant_.last_open().ttl().seconds(), 40);
  setenv("SHOAL_SESSION_TTL", "50s", 1);
  Shoal("run -n 1 -- exit:0");
  EXPECT_EQ(ant_.last_open().ttl().seconds(), 50);
}

TEST_F(RunTest, TheExitsStayKnownForAnHourUnlessTheyAreToBeForgotten) {
  Shoal("run -n 1 -- out:hi exit:0");
  EXPECT_TRUE(ant_.last_close().forget());
  EXPECT_EQ(ant_.last_close().forget_after().seconds(), 3600);
  Shoal("run -n 1 --forget -- out:hi exit:0");
  EXPECT_TRUE(ant_.last_close().forget());
  EXPECT_FALSE(ant_.last_close().has_forget_after());
}

TEST_F(RunTest, CtrlCEndsEveryProcess) {
  Said said = Interrupted("run -- wait", SIGINT);
  EXPECT_EQ(said.status, 130);
  EXPECT_THAT(said.err,
              StartsWith("shoal: SIGINT: ending every process; Ctrl-C once more kills them at "
                         "once, and leaves.\n"
                         "Interrupted by SIGINT: 2 processes were ended; no process is left on any "
                         "host.\n"
                         "2 of 2 ended, 0 failed, 2 ended by us, "));
}

TEST_F(RunTest, SignalsThatMeanAnEndReachThemAsWhatTheyWere) {
  for (int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) {
    EXPECT_EQ(Interrupted("run -- wait", number).status, 128 + number);
    EXPECT_EQ(ant_.last_terminate().signal(), number);
  }
}

TEST_F(RunTest, ALostTerminalEndsThem) {
  Said said = Interrupted("run -- wait", SIGHUP);
  EXPECT_EQ(said.status, 129);
  EXPECT_THAT(said.err, HasSubstr("Interrupted by SIGHUP: 2 processes were ended;"));
}

TEST_F(RunTest, OnHangupTheyGoOnIfThatWasSaid) {
  EXPECT_EQ(Interrupted("run --detach-on-hangup -- wait", SIGHUP),
            (Said{129, "",
                  "shoal: hung up; what still ran was detached and goes on. `shoal ps` shows "
                  "it.\n"}));
  ASSERT_EQ(ant_.processes().size(), 2u);
  EXPECT_EQ(ant_.processes()[0].state(), v1::STATE_RUNNING);
  EXPECT_EQ(ant_.processes()[0].session_id(), "");
}

TEST_F(RunTest, AProgramThatIsNotThereIsOneSentence) {
  EXPECT_EQ(RunCommand({"run", "-n", "1", "--", "refuse:no"}),
            (Said{127, "", "shoal: cannot start refuse:no on ant: no.\n"}));
}

}  // namespace
}  // namespace shoal::testing
