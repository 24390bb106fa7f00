// Which processes end with what: clients killed, agents killed, Ctrl-C.
#include <signal.h>

#include <string>
#include <vector>

#include "common/ids.h"
#include "tests/support/system/system_test.h"

namespace shoal::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class Session : public SystemTest {
 protected:
  Session() { extra_env_["SHOAL_SESSION_TTL"] = "2s"; }

  // A `run` with two ranks whose setsid daemons ignore SIGTERM, known to run.
  std::unique_ptr<RunningCommand> StartRun(const std::string& marker) {
    auto run = StartShoal({"run", "-n", "2", "--", ChildPath(), "daemon", marker}, true);
    run->WaitForOutput("0 │ ready");
    run->WaitForOutput("1 │ ready");
    return run;
  }
  // Processes of the marker, the command line that was told of it left out.
  static std::vector<pid_t> Running(const std::string& marker) {
    std::vector<pid_t> running;
    for (pid_t pid : DescendantsWith(marker)) {
      const std::string words = DescribeProcess(pid);
      if (words.find(" daemon ") == std::string::npos ||
          words.find("/shoal run") != std::string::npos) {
        continue;
      }
      running.push_back(pid);
    }
    return running;
  }
};

TEST_F(Session, AKilledRunClientTakesItsProcessesWithItAndLeavesStartedOnes) {
  AgentProcess& agent = StartAgent("ant");
  ASSERT_EQ(Shoal({"start", "--name", "stays", "--", "sleep", "1000"}).exit_code, 0);
  const std::string marker = Scratch("marker");
  auto run = StartRun(marker);
  EXPECT_THAT(Running(marker), SizeIs(4));
  run->Signal(SIGKILL);
  run->Wait();
  EXPECT_TRUE(agent.stub().WatchUntil([](const v1::Process& process) {
    return process.exit().cause() == v1::CAUSE_SESSION_EXPIRED && process.tree_empty();
  }));
  EXPECT_TRUE(WaitUntil("both trees are gone", [&] { return Running(marker).empty(); }));
  EXPECT_EQ(agent.stub().Get("stays").state(), v1::STATE_RUNNING);
}

TEST_F(Session, WithoutClientAndAgentTheDeadManTimeEndsThem) {
  AgentProcess& agent = StartAgent("ant", {"--dead-man", "1s"});
  ASSERT_EQ(Shoal({"start", "--name", "stays", "--", "sleep", "1000"}).exit_code, 0);
  const std::string marker = Scratch("marker");
  auto run = StartRun(marker);
  agent.Kill();
  run->Signal(SIGKILL);
  run->Wait();
  EXPECT_TRUE(WaitUntil("the dead-man time has ended both trees",
                        [&] { return DescendantsWith(marker).empty(); }));
  ASSERT_TRUE(agent.Start());
  EXPECT_EQ(agent.stub().Get("stays").state(), v1::STATE_RUNNING);
  int by_dead_man = 0;
  for (const v1::Process& process : agent.stub().List()) {
    by_dead_man += process.exit().cause() == v1::CAUSE_DEAD_MAN ? 1 : 0;
  }
  EXPECT_EQ(by_dead_man, 2);
}

TEST_F(Session, WithALivingAgentTheDeadManTimeDoesNothing) {
  AgentProcess& agent = StartAgent("ant", {"--dead-man", "1s"});
  auto run = StartRun(Scratch("marker"));
  agent.Kill();
  ASSERT_TRUE(agent.Start());
  // The client renews; more than TTL and dead-man time pass while its session lives.
  EXPECT_EQ(Shoal({"run", "-n", "1", "--forget", "--", "sleep", "4"}).exit_code, 0);
  EXPECT_TRUE(run->IsRunning());
  for (const v1::Process& process : agent.stub().List()) {
    EXPECT_EQ(process.state(), v1::STATE_RUNNING) << process.ShortDebugString();
  }
  run->SignalGroup(SIGINT);
  run->Wait();
}

TEST_F(Session, CtrlCEndsEveryRank) {
  AgentProcess& agent = StartAgent("ant");
  auto run = StartShoal({"run", "-n", "4", "--", "sh", "-c", "echo up; exec sleep 1000"}, true);
  for (const char* tag : {"0 │ up", "1 │ up", "2 │ up", "3 │ up"}) run->WaitForOutput(tag);
  run->SignalGroup(SIGINT);
  const CommandResult result = run->Wait();
  EXPECT_EQ(result.exit_code, 128 + SIGINT) << result;
  for (const v1::Process& process : agent.stub().List()) {
    EXPECT_TRUE(process.tree_empty()) << process.ShortDebugString();
  }
}

TEST_F(Session, ASecondCtrlCEndsStubbornRanksAtOnce) {
  StartAgent("ant");
  const std::string marker = Scratch("marker");
  auto run = StartRun(marker);
  run->SignalGroup(SIGINT);
  run->WaitForError("Ctrl-C");
  run->SignalGroup(SIGINT);
  run->Wait();
  EXPECT_THAT(Running(marker), IsEmpty());
}

// The agent is restarted meanwhile: nothing but the state of the opener itself counts.
TEST_F(Session, AStoppedClientKeepsItsProcesses) {
  extra_env_["SHOAL_SESSION_TTL"] = "1s";
  AgentProcess& agent = StartAgent("ant");
  const std::string marker = Scratch("marker");
  auto run = StartRun(marker);
  run->Signal(SIGSTOP);
  agent.Kill();
  ASSERT_TRUE(agent.Start());
  RunTool({"sleep", "2.5"});  // after which it would have lapsed
  EXPECT_THAT(Running(marker), SizeIs(4));
  run->Signal(SIGCONT);
  run->SignalGroup(SIGINT);
  EXPECT_EQ(run->Wait().signal, SIGINT);
}

TEST_F(Session, AClientThatIsKilledWhileItIsStoppedLapses) {
  AgentProcess& agent = StartAgent("ant");
  auto run = StartRun(Scratch("marker"));
  run->Signal(SIGSTOP);
  run->Signal(SIGKILL);
  run->Wait();
  EXPECT_TRUE(agent.stub().WatchUntil([](const v1::Process& process) {
    return process.exit().cause() == v1::CAUSE_SESSION_EXPIRED && process.tree_empty();
  }));
}

// Each level is a process of Shoal that has started the next. The TTL is an hour, so that no lapse helps.
TEST_F(Session, WhatAProcessHasStartedEndsWithItThroughAllLevels) {
  extra_env_["SHOAL_SESSION_TTL"] = "1h";
  AgentProcess& agent = StartAgent("ant");
  const std::string shoal = ShoalPath();
  const auto nested = [&](const std::string& name) {
    return std::vector<std::string>{shoal, "run", "-n", "1", "--name", name, "--"};
  };
  std::vector<std::string> words = {"start", "--name", "top", "--"};
  for (const char* name : {"second", "third"}) {
    const std::vector<std::string> more = nested(name);
    words.insert(words.end(), more.begin(), more.end());
  }
  words.insert(words.end(), {"sleep", "1000"});
  ASSERT_EQ(Shoal(words).exit_code, 0);
  ASSERT_TRUE(WaitUntil("three levels run", [&] {
    int running = 0;
    for (const v1::Process& process : agent.stub().List()) {
      running += process.state() == v1::STATE_RUNNING ? 1 : 0;
    }
    return running == 3;
  }));
  // Killed, so that it cannot end the next by itself.
  ASSERT_EQ(Shoal({"stop", "top", "--signal", "KILL"}).exit_code, 0);
  ASSERT_TRUE(WaitUntil("all levels are gone", [&] {
    for (const v1::Process& process : agent.stub().List()) {
      if (!process.tree_empty()) return false;
    }
    return true;
  }));
  const CommandResult why = Shoal({"why", "second.0"});
  EXPECT_THAT(why.out, HasSubstr("its session was closed by the end of top ("));
}

TEST_F(Session, TheFirstFailureEndsTheOthersAndIsTheOneReported) {
  AgentProcess& agent = StartAgent("ant");
  const CommandResult run =
      Shoal({"run", "-n", "4", "--", "sh", "-c",
             "[ $SHOAL_RANK = 2 ] && { echo the reason >&2; exit 5; }; sleep 1000"});
  EXPECT_EQ(run.exit_code, 5) << run;
  EXPECT_THAT(run.err, HasSubstr("rank 2 on ant failed first"));
  EXPECT_THAT(run.err, HasSubstr("the reason"));
  EXPECT_THAT(run.err, HasSubstr("3 others were ended"));
  for (const v1::Process& process : agent.stub().List()) EXPECT_TRUE(process.tree_empty());
}

// A host that never answered is not waited for: it may be the wrong one.
TEST_F(Session, ARunToAnAgentThatIsAwaySaysSoAtOnceAndStartsNothing) {
  AgentProcess& agent = AddAgent("ant");
  const CommandResult refused = Shoal({"run", "-n", "1", "--", "true"});
  EXPECT_EQ(refused.exit_code, 69) << refused;
  EXPECT_THAT(refused.err, IsOneReadableLine());
  EXPECT_THAT(refused.err, HasSubstr("cannot be reached"));
  ASSERT_TRUE(agent.Start());
  EXPECT_THAT(agent.stub().List(), IsEmpty());
}

TEST_F(Session, ARunWhoseSessionAnotherTakesWatchesItsRanksToTheEnd) {
  AgentProcess& agent = StartAgent("ant");
  RunTool({"mkfifo", Scratch("fifo")});
  auto run =
      StartShoal({"run", "-n", "1", "--", ChildPath(), "gated", Scratch("fifo"), "3", "after\n"});
  run->WaitForOutput("ready");
  v1::TakeoverRequest request;
  request.set_session_id(agent.stub().List()[0].session_id());
  request.set_request_id(NewRequestId());
  v1::TakeoverResponse taken;
  CallContext take_over;
  const grpc::Status status = agent.stub().sessions().Takeover(&take_over, request, &taken);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_TRUE(run->WaitForError("from now on this only watches"));
  RunTool({"sh", "-c", ": > " + Scratch("fifo")});
  const CommandResult result = run->Wait();
  EXPECT_EQ(result.exit_code, 3) << result;
  EXPECT_EQ(result.out, "ready\nafter\n");
  // Its new client closes it, and no one else.
  v1::CloseRequest close;
  close.set_session_id(request.session_id());
  close.set_token(taken.token());
  close.set_forget(true);
  v1::CloseResponse closed;
  CallContext end;
  EXPECT_TRUE(agent.stub().sessions().Close(&end, close, &closed).ok());
  EXPECT_THAT(agent.stub().List(), IsEmpty());
}

TEST_F(Session, ARunSurvivesARestartOfItsAgent) {
  AgentProcess& agent = StartAgent("ant");
  WriteFile(Scratch("gate"), "");
  RunTool({"mkfifo", Scratch("fifo")});
  auto run =
      StartShoal({"run", "-n", "1", "--", ChildPath(), "gated", Scratch("fifo"), "3", "after\n"});
  run->WaitForOutput("ready");
  agent.Kill();
  ASSERT_TRUE(agent.Start());
  RunTool({"sh", "-c", ": > " + Scratch("fifo")});
  const CommandResult result = run->Wait();
  EXPECT_EQ(result.exit_code, 3) << result;
  EXPECT_EQ(result.out, "ready\nafter\n");
}

}  // namespace
}  // namespace shoal::testing
