// stop, rm, signal and wait: calls for every process that was selected.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/rpc/cli/agent_fixture.h"

namespace shoal::testing {
namespace {

class StopTest : public AgentCommandTest {
 protected:
  // How it is to end is known already.
  static v1::Process Ended(const std::string& id, const std::string& name, int signal) {
    v1::Process process = Exited(id, name, 0);
    process.mutable_exit()->set_signal(signal);
    process.mutable_exit()->set_cause(v1::CAUSE_TERMINATED);
    process.mutable_termination()->set_signal(15);
    SetTime(process.mutable_termination()->mutable_request_time(), At(14, 2, 36));
    return process;
  }
};

TEST_F(StopTest, SaysHowItEndedAndThatNothingIsLeft) {
  v1::Process web = Running(kWeb, "web");
  web.mutable_live_usage()->set_descendants(2);
  ant_.Put(web);
  ant_.Put(Running(kDb, "database"));
  EXPECT_EQ(Shoal("stop web database"),
            (Said{0,
                  "web       ended by SIGTERM after 0.00 s; its tree of 3 processes is empty\n"
                  "database  ended by SIGTERM after 0.00 s; its tree is empty\n",
                  ""}));
  EXPECT_EQ(ant_.last_terminate().signal(), 15);
  EXPECT_FALSE(ant_.last_terminate().has_grace());
}

TEST_F(StopTest, SendsTheSignalAndTheGraceThatWereGiven) {
  ant_.Put(Running(kWeb, "web"));
  EXPECT_EQ(Shoal("stop --grace 1m30s --signal INT web"),
            (Said{0, "web  ended by SIGINT after 0.00 s; its tree is empty\n", ""}));
  EXPECT_EQ(ant_.last_terminate().signal(), 2);
  EXPECT_EQ(ant_.last_terminate().grace().seconds(), 90);
}

TEST_F(StopTest, OfOneThatHadEndedSaysSo) {
  ant_.Put(Exited(kWeb, "web", 3));
  EXPECT_EQ(Shoal("stop web").out, "web  had ended before: exit code 3; its tree is empty\n");
  ant_.Put(Ended(kWeb, "web", 15));
  EXPECT_EQ(Shoal("stop web").out, "web  had ended before: ended by SIGTERM; its tree is empty\n");
}

TEST_F(StopTest, OfSeveralHostsNamesThem) {
  FakeAgent beetle("beetle");
  setenv("SHOAL_HOSTS", absl::StrCat(ant_.hosts(), ",", beetle.hosts()).c_str(), 1);
  v1::Process other = Running(kDb, "web");
  other.set_host("beetle");
  ant_.Put(Running(kWeb, "web"));
  beetle.Put(other);
  EXPECT_EQ(Shoal("stop w*"),
            (Said{0,
                  "ant/web     ended by SIGTERM after 0.00 s; its tree is empty\n"
                  "beetle/web  ended by SIGTERM after 0.00 s; its tree is empty\n",
                  ""}));
}

TEST_F(StopTest, WhatCouldNotBeEndedIsAnError) {
  v1::Process web = Running(kWeb, "web");
  ant_.Put(web);
  ant_.Put(Running(kDb, "db"));
  ant_.Refuse(kWeb, 4, "2 processes are left: 411 cp, 412 dd");
  EXPECT_EQ(Shoal("stop web db"),
            (Said{75, "db   ended by SIGTERM after 0.00 s; its tree is empty\n",
                  "shoal: web (7KQ2MD) on ant: 2 processes are left: 411 cp, 412 dd.\n"}));
}

TEST_F(StopTest, OfAnOpenSelectionLeavesAloneWhatIsOver) {
  ant_.Put(Exited(kWeb, "web", 0));
  EXPECT_EQ(Shoal("stop w*"), (Said{0, "", "shoal: nothing that was selected is running.\n"}));
  EXPECT_EQ(ant_.Calls("Terminate"), 0);
}

TEST_F(StopTest, ATreeThatLivesOnIsNotOver) {
  v1::Process web = Exited(kWeb, "web", 0);
  web.set_tree_empty(false);
  ant_.Put(web);
  EXPECT_EQ(Shoal("stop w*").out,
            "web  had ended before: exit code 0; its tree has not been seen empty\n");
}

TEST_F(StopTest, OfATreeWithoutItsMainProcessCountsWhatIsLeft) {
  v1::Process web = Exited(kWeb, "web", 0);
  web.mutable_live_usage()->set_descendants(2);
  ant_.Put(web);
  EXPECT_EQ(Shoal("stop web").out,
            "web  had ended before: exit code 0; what it had left, 2 processes, has ended now\n");
}

TEST_F(StopTest, ThatSigkillWasNeededIsSaidOfWhomItWasFor) {
  v1::Process web = Running(kWeb, "web");
  web.mutable_termination()->set_signal(15);
  SetTime(web.mutable_termination()->mutable_kill_time(), At(14, 2, 41));
  ant_.Put(web);  // ended by the fake now, after that
  EXPECT_EQ(Shoal("stop web").out,
            "web  ended by SIGTERM after 0.00 s (it did not react to SIGTERM); its tree is "
            "empty\n");
  SetTime(web.mutable_termination()->mutable_kill_time(), absl::Now() + absl::Hours(1));
  ant_.Put(web);
  EXPECT_EQ(Shoal("stop web").out,
            "web  ended by SIGTERM after 0.00 s (what it had started did not react to SIGTERM, and "
            "was killed); its tree is empty\n");
  EXPECT_EQ(Shoal("stop --signal KILL web").out.find("react"), std::string::npos);
}

TEST_F(StopTest, RefusesWhatIsNoSignalAndNoSpan) {
  EXPECT_EQ(Shoal("stop --signal SIGFOO web"),
            (Said{2, "", "shoal: \"SIGFOO\" is not a signal; try TERM, SIGKILL or 1…64.\n"}));
  EXPECT_EQ(Shoal("stop --grace soon web"),
            (Said{2, "",
                  "shoal: --grace: \"soon\" is not a span of time; try 30s, 500ms, 1h30m or 2d. "
                  "See `shoal stop --help`.\n"}));
}

TEST_F(StopTest, AGraceWithoutAnEndIsRefused) {
  EXPECT_EQ(Shoal("stop --grace inf web"),
            (Said{2, "",
                  "shoal: --grace: \"inf\" has no end; give a span such as 30s or 2d. See `shoal "
                  "stop --help`.\n"}));
}

TEST_F(StopTest, InJsonIsTheProcess) {
  ant_.Put(Running(kWeb, "web"));
  Said said = Shoal("stop -o json web");
  EXPECT_THAT(said.out, ::testing::StartsWith("{\"kind\":\"process\",\"host\":\"ant\",\"id\":\""));
  EXPECT_THAT(said.out, ::testing::HasSubstr("\"exit\":{\"code\":null,\"signal\":15,"));
}

class RmTest : public AgentCommandTest {};

TEST_F(RmTest, SaysWhatIsForgotten) {
  ant_.Put(Exited(kWeb, "web", 0));
  ant_.Put(Exited(kDb, "db", 0));
  EXPECT_EQ(Shoal("rm web db"), (Said{0,
                                      "web  forgotten, with its output\n"
                                      "db   forgotten, with its output\n",
                                      ""}));
  EXPECT_TRUE(ant_.processes().empty());
}

TEST_F(RmTest, WhatRunsIsNotForgotten) {
  ant_.Put(Running(kWeb, "web"));
  ant_.Refuse(kWeb, 9, "it still runs; stop it first");
  EXPECT_EQ(Shoal("rm web"),
            (Said{1, "", "shoal: web (7KQ2MD) on ant: it still runs; stop it first.\n"}));
}

TEST_F(RmTest, ACallThatFailsIsAnError) {
  ant_.Put(Exited(kWeb, "web", 0));
  ant_.FailNext("Delete", absl::ResourceExhaustedError("the disk is full"));
  EXPECT_EQ(Shoal("rm web"), (Said{75, "", "shoal: the disk is full.\n"}));
}

class SignalTest : public AgentCommandTest {};

struct ScopeRow {
  const char* line;
  const char* sentence;
  v1::SignalRequest::Scope scope;
};

TEST_F(SignalTest, GoesToTheProcessItsGroupOrItsTree) {
  for (const ScopeRow& row :
       {ScopeRow{"signal HUP web", "web  SIGHUP sent to PID 48213\n",
                 v1::SignalRequest::SCOPE_PROCESS},
        ScopeRow{"signal --scope group 1 web", "web  SIGHUP sent to the group of PID 48213\n",
                 v1::SignalRequest::SCOPE_GROUP},
        ScopeRow{"signal SIGHUP web --scope tree", "web  SIGHUP sent to the tree of PID 48213\n",
                 v1::SignalRequest::SCOPE_TREE}}) {
    ant_.Put(Running(kWeb, "web"));
    EXPECT_EQ(Shoal(row.line), (Said{0, row.sentence, ""})) << row.line;
    EXPECT_EQ(ant_.last_signal().signal(), 1);
    EXPECT_EQ(ant_.last_signal().scope(), row.scope) << row.line;
  }
}

TEST_F(SignalTest, OfAnOrderThatWasNotAnsweredTheDoubtIsSaid) {
  ant_.Put(Running(kWeb, "web"));
  for (const auto& [line, method] :
       {std::pair("signal TERM web", "Signal"), std::pair("stop web", "Terminate"),
        std::pair("rm web", "Delete")}) {
    ant_.FailNext(method, absl::DeadlineExceededError("no answer"));
    EXPECT_EQ(Shoal(line),
              (Said{75, "", "shoal: no answer; it may have been done there all the same.\n"}));
  }
}

TEST_F(SignalTest, RefusesWhatItCannotSend) {
  EXPECT_EQ(Shoal("signal FOO web"),
            (Said{2, "", "shoal: \"FOO\" is not a signal; try TERM, SIGKILL or 1…64.\n"}));
  EXPECT_EQ(Shoal("signal"),
            (Said{2, "", "shoal: say which signal. See `shoal signal --help`.\n"}));
  ant_.Put(Exited(kWeb, "web", 0));
  ant_.Refuse(kWeb, 9, "it has ended");
  EXPECT_EQ(Shoal("signal TERM web"), (Said{1, "", "shoal: web (7KQ2MD) on ant: it has ended.\n"}));
}

// As agents do.
TEST_F(SignalTest, AnAnswerThatNamesTheProcessIsNotToldBehindItsName) {
  ant_.Put(Exited(kWeb, "web", 5));
  ant_.Refuse(kWeb, 9, "web (7KQ2MD, exited): the process has ended");
  EXPECT_EQ(Shoal("signal TERM web"),
            (Said{1, "", "shoal: web (7KQ2MD, exited) on ant: the process has ended.\n"}));
  ant_.Refuse(kWeb, 9, "the tree of web (7KQ2MD, exited) is not empty yet: 411 cp");
  EXPECT_EQ(
      Shoal("rm web"),
      (Said{1, "", "shoal: the tree of web (7KQ2MD, exited) on ant is not empty yet: 411 cp.\n"}));
}

class WaitTest : public AgentCommandTest {};

TEST_F(WaitTest, EndsAsTheFirstThatFailed) {
  v1::Process late = Exited(kWeb, "late", 4);
  SetTime(late.mutable_exit_time(), At(15, 0, 0));
  ant_.Put(late);
  ant_.Put(Exited(kDb, "early", 3));
  ant_.Put(Exited(kSim, "sim", 0));
  EXPECT_EQ(Shoal("wait late early sim"), (Said{3,
                                                "late   exit code 4 after 57 min 49 s\n"
                                                "early  exit code 3 after 30 s\n"
                                                "sim    exit code 0 after 30 s\n",
                                                ""}));
  EXPECT_EQ(Shoal("wait sim").status, 0);
}

TEST_F(WaitTest, ATimeLimitIs124) {
  v1::Process web = Exited(kWeb, "web", 0);
  web.mutable_exit()->set_cause(v1::CAUSE_TIME_LIMIT);
  web.mutable_spec()->mutable_time_limit()->set_seconds(30);
  ant_.Put(web);
  EXPECT_EQ(Shoal("wait web"),
            (Said{124, "web  exit code 0 at its time limit of 30 s after 30 s\n", ""}));
}

TEST_F(WaitTest, ASignalIs128AndMore) {
  v1::Process web = Exited(kWeb, "web", 0);
  web.mutable_exit()->set_signal(9);
  web.mutable_exit()->set_cause(v1::CAUSE_SIGNALED);
  ant_.Put(web);
  EXPECT_EQ(Shoal("wait web"), (Said{137, "web  ended by SIGKILL after 30 s\n", ""}));
}

TEST_F(WaitTest, OfOneWithoutAnEndThatIsKnownSaysNotHowLongItRan) {
  v1::Process refused = Running(kWeb, "web");
  refused.set_state(v1::STATE_FAILED_TO_START);
  refused.mutable_start_failure()->set_stage("execve");
  refused.mutable_start_failure()->set_error_number(2);
  refused.mutable_start_failure()->set_message("exec sim: No such file or directory");
  ant_.Put(refused);
  EXPECT_EQ(Shoal("wait web"),
            (Said{127, "web  did not start: exec sim: No such file or directory\n", ""}));
  v1::Process lost = Running(kDb, "db");
  lost.set_state(v1::STATE_LOST);
  lost.mutable_exit()->mutable_unknown()->set_reason(v1::CAUSE_SHIM_LOST);
  ant_.Put(lost);
  EXPECT_EQ(Shoal("wait --timeout 0 db"),
            (Said{70, "db  its exit is unknown: its shim was lost\n", ""}));
}

TEST_F(WaitTest, GivesUpWhenTheTimeIsOver) {
  ant_.Put(Running(kWeb, "web"));
  ant_.Put(Running(kDb, "db"));
  EXPECT_EQ(Shoal("wait --timeout 0 web db"),
            (Said{75,
                  "web  running\n"
                  "db   running\n",
                  "shoal: the time is over, and still running: web, db.\n"}));
}

TEST_F(WaitTest, ThatTheTimeIsOverIsAnErrorForScriptsToo) {
  ant_.Put(Running(kWeb, "web"));
  const Said said = Shoal("-q -o json wait --timeout 0 web");
  EXPECT_EQ(said.status, 75);
  EXPECT_THAT(said.out,
              ::testing::HasSubstr(
                  "\"message\":\"the time is over, and still running: web.\",\"exit_status\":75"));
  EXPECT_THAT(said.err, ::testing::HasSubstr("still running: web"));
}

TEST_F(WaitTest, NamesHostsWhereThereAreSeveralInTheOrderOfTheCommand) {
  FakeAgent beetle("beetle");
  setenv("SHOAL_HOSTS", absl::StrCat(ant_.hosts(), ",", beetle.hosts()).c_str(), 1);
  ant_.Put(Exited(kSim, "web", 0));
  ant_.Put(Exited(kDb, "db", 0));
  v1::Process other = Running(kWeb, "web");
  other.set_host("beetle");
  beetle.Put(other);
  EXPECT_EQ(Shoal("wait --timeout 0 web db"),
            (Said{75,
                  "ant/web     exit code 0 after 30 s\n"
                  "ant/db      exit code 0 after 30 s\n"
                  "beetle/web  running\n",
                  "shoal: the time is over, and still running: beetle/web.\n"}));
}

TEST_F(WaitTest, AHostThatIsLostIsToldAndTheOthersToo) {
  FakeAgent beetle("beetle");
  setenv("SHOAL_HOSTS", absl::StrCat(ant_.hosts(), ",", beetle.hosts()).c_str(), 1);
  ant_.Put(Exited(kWeb, "web", 3));
  beetle.Put(Exited(kDb, "db", 0));
  beetle.FailNext("Wait", absl::PermissionDeniedError("not yours"));
  EXPECT_EQ(Shoal("wait web db"),
            (Said{1, "web  exit code 3 after 30 s\n", "shoal: not yours.\n"}));
}

}  // namespace
}  // namespace shoal::testing
