// Clients that are stopped for a while: Ctrl-Z, SIGSTOP, and who renews their leases meanwhile.
#include <signal.h>

#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/support/system/system_test.h"

namespace shoal::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// Each rank has a child.
// clang-format off
const std::vector<std::string> kRanks = {
    "run", "-n", "2", "--session-ttl", "2s", "--grace", "100ms", "--", "sh", "-c",
    "sleep 1000 & echo up; wait"};
// clang-format on

class Stopped : public SystemTest {
 protected:
  std::unique_ptr<RunningCommand> StartRun() {
    auto run = StartShoal(kRanks, /*own_group=*/true);
    run->WaitForOutput("0 │ up");
    run->WaitForOutput("1 │ up");
    return run;
  }
  // An agent that is spoken to over loopback, as if it were on another machine.
  AgentProcess& StartRemote() {
    authority_ = std::make_unique<CertificateAuthority>(Scratch("config"), "ca");
    const Credential own = authority_->ForHost("ant", "127.0.0.1");
    const Credential client = authority_->ForClient("alice", "spiffe://shoal.test/alice");
    extra_env_["SHOAL_TLS_CERT"] = client.cert;
    extra_env_["SHOAL_TLS_KEY"] = client.key;
    extra_env_["SHOAL_TLS_CA"] = authority_->cert();
    AgentProcess& agent = StartAgent(
        "ant", {"--listen", "127.0.0.1:0", "--tls-cert", own.cert, "--tls-key", own.key, "--tls-ca",
                authority_->cert(), "--allow-identity", "spiffe://shoal.test/alice"});
    std::string log;
    WaitUntil("the log has the address", [&] {
      log = agent.Log();
      return log.find("127.0.0.1:") != std::string::npos && log.back() == '\n';
    });
    const size_t begin = log.find("127.0.0.1:");
    remote_ = log.substr(begin, log.find_first_of(" ,", begin) - begin);
    hosts_ = remote_;
    return agent;
  }
  std::string remote_;
  std::unique_ptr<CertificateAuthority> authority_;
  // The ranks and their children.
  static std::vector<pid_t> TreesOf(AgentProcess& agent) {
    std::vector<pid_t> pids;
    for (const v1::Process& process : agent.stub().List()) {
      pids.push_back(process.pid());
      for (pid_t child : ChildrenOf(process.pid())) pids.push_back(child);
    }
    return pids;
  }
  static bool AllAreStopped(const std::vector<pid_t>& pids, bool wanted) {
    for (pid_t pid : pids) {
      if ((ProcessState(pid) == 'T') != wanted) return false;
    }
    return true;
  }
  // Of the test, which would wait for them for ever.
  static bool HasKeeper() {
    for (pid_t pid : DescendantsWith("keep")) {
      std::string name;
      std::getline(std::ifstream(absl::StrCat("/proc/", pid, "/comm")), name);
      if (name == "shoal-keeper") return true;
    }
    return false;
  }
  static void ExpectLapse(AgentProcess& agent) {
    EXPECT_TRUE(agent.stub().WatchUntil([](const v1::Process& process) {
      return process.exit().cause() == v1::CAUSE_SESSION_EXPIRED && process.tree_empty();
    }));
  }
};

TEST_F(Stopped, CtrlZStopsTheTreesAndTheyGoOnWithTheCommand) {
  AgentProcess& agent = StartAgent("ant");
  auto run = StartRun();
  const std::vector<pid_t> trees = TreesOf(agent);
  ASSERT_EQ(trees.size(), 4u);
  for (int i = 0; i < 2; ++i) {
    run->SignalGroup(SIGTSTP);
    ASSERT_TRUE(
        WaitUntil("the command is stopped", [&] { return ProcessState(run->pid()) == 'T'; }));
    // Each stops when it runs next.
    EXPECT_TRUE(WaitUntil("the trees are stopped", [&] { return AllAreStopped(trees, true); }));
    run->SignalGroup(SIGCONT);
    ASSERT_TRUE(WaitUntil("the trees go on", [&] { return AllAreStopped(trees, false); }));
  }
  run->SignalGroup(SIGINT);
  const CommandResult result = run->Wait();
  EXPECT_EQ(result.signal, SIGINT) << result;
  EXPECT_THAT(result.err, HasSubstr("shoal: stopping 2 processes with this command; `fg` lets them "
                                    "go on. Time limits do not wait.\n"));
}

TEST_F(Stopped, WhatSomebodyElseHasStoppedStaysSo) {
  AgentProcess& agent = StartAgent("ant");
  auto run = StartRun();
  std::vector<v1::Process> ranks = agent.stub().List();
  ASSERT_EQ(ranks.size(), 2u);
  const pid_t theirs = ranks[0].pid();
  const pid_t ours = ranks[1].pid();
  ASSERT_EQ(Shoal({"signal", "STOP", ranks[0].id()}).exit_code, 0);
  ASSERT_TRUE(WaitUntil("it is stopped", [&] { return ProcessState(theirs) == 'T'; }));
  EXPECT_THAT(Shoal({"ps"}).out, HasSubstr("stopped"));
  run->SignalGroup(SIGTSTP);
  ASSERT_TRUE(WaitUntil("the command is stopped", [&] { return ProcessState(run->pid()) == 'T'; }));
  run->SignalGroup(SIGCONT);
  ASSERT_TRUE(WaitUntil("ours goes on", [&] { return ProcessState(ours) != 'T'; }));
  EXPECT_EQ(ProcessState(theirs), 'T');
  run->SignalGroup(SIGINT);
  run->Wait();
}

// What stops the command alone is no reason to touch its ranks.
TEST_F(Stopped, ACommandThatIsStoppedByItselfLeavesItsRanksAlone) {
  AgentProcess& agent = StartAgent("ant");
  auto run = StartShoal({"run", "-n", "1", "--", "sh", "-c",
                         "trap 'echo told' CONT; echo up; while :; do sleep 0.05; done"},
                        true);
  run->WaitForOutput("up");
  const pid_t rank = agent.stub().List().at(0).pid();
  run->Signal(SIGSTOP);
  ASSERT_TRUE(WaitUntil("the command is stopped", [&] { return ProcessState(run->pid()) == 'T'; }));
  EXPECT_NE(ProcessState(rank), 'T');
  run->Signal(SIGCONT);
  run->WaitForOutput("told\n");  // passed on, as any message
  run->SignalGroup(SIGINT);
  run->Wait();
}

// The second one, too, is answered by one `fg`.
TEST_F(Stopped, TwoStopsAtOnceAreOne) {
  AgentProcess& agent = StartAgent("ant");
  auto run = StartRun();
  const std::vector<pid_t> trees = TreesOf(agent);
  for (int i = 0; i < 5; ++i) {
    run->SignalGroup(SIGTSTP);
    run->SignalGroup(SIGTSTP);
    ASSERT_TRUE(
        WaitUntil("the command is stopped", [&] { return ProcessState(run->pid()) == 'T'; }));
    run->SignalGroup(SIGCONT);
    ASSERT_TRUE(WaitUntil("the trees go on", [&] { return AllAreStopped(trees, false); }));
  }
  run->SignalGroup(SIGINT);
  EXPECT_EQ(run->Wait().signal, SIGINT);
}

TEST_F(Stopped, WhereNothingCouldContinueItTheCommandGoesOnAndSaysSo) {
  AgentProcess& agent = StartAgent("ant");
  std::vector<std::string> words = {"/usr/bin/setsid",
                                    ShoalPath()};  // its process group is an orphan
  words.insert(words.end(), kRanks.begin(), kRanks.end());
  RunningCommand run(words, UserOptions());
  run.WaitForOutput("0 │ up");
  run.WaitForOutput("1 │ up");
  run.Signal(SIGTSTP);
  run.WaitForError("this command cannot be stopped here; its processes go on.");
  const std::vector<pid_t> trees = TreesOf(agent);
  EXPECT_TRUE(WaitUntil("the trees go on", [&] { return AllAreStopped(trees, false); }));
  run.Signal(SIGINT);
  EXPECT_EQ(run.Wait().signal, SIGINT);
}

// Whichever comes first, and however soon.
TEST_F(Stopped, AStopThatIsTakenBackLeavesNothingStopped) {
  AgentProcess& agent = StartAgent("ant");
  auto run = StartRun();
  const std::vector<pid_t> trees = TreesOf(agent);
  for (int i = 0; i < 20; ++i) {
    run->SignalGroup(SIGTSTP);
    RunTool({"sleep", absl::StrCat(0.001 * i)});
    run->SignalGroup(SIGCONT);
    ASSERT_TRUE(WaitUntil("all go on", [&] {
      return ProcessState(run->pid()) != 'T' && AllAreStopped(trees, false);
    })) << i;
  }
  run->SignalGroup(SIGINT);
  EXPECT_EQ(run->Wait().signal, SIGINT);
}

TEST_F(Stopped, OverANetworkAKeeperRenewsUntilTheCommandGoesOn) {
  AgentProcess& agent = StartRemote();
  auto run = StartRun();
  const std::vector<pid_t> trees = TreesOf(agent);
  run->SignalGroup(SIGTSTP);
  ASSERT_TRUE(WaitUntil("the command is stopped", [&] { return ProcessState(run->pid()) == 'T'; }));
  RunTool({"sleep", "4.5"});  // after which it would have lapsed
  EXPECT_TRUE(AllAreStopped(trees, true));
  EXPECT_TRUE(HasKeeper());
  run->SignalGroup(SIGCONT);
  ASSERT_TRUE(WaitUntil("the trees go on", [&] { return AllAreStopped(trees, false); }));
  EXPECT_TRUE(WaitUntil("the keeper has ended", [] { return !HasKeeper(); }));
  run->SignalGroup(SIGINT);
  EXPECT_EQ(run->Wait().signal, SIGINT);
}

TEST_F(Stopped, OverANetworkACommandThatIsKilledWhileItIsStoppedLapses) {
  AgentProcess& agent = StartRemote();
  auto run = StartRun();
  run->SignalGroup(SIGTSTP);
  ASSERT_TRUE(WaitUntil("the command is stopped", [&] { return ProcessState(run->pid()) == 'T'; }));
  run->Signal(SIGKILL);
  run->Wait();
  EXPECT_TRUE(WaitUntil("the keeper has ended", [] { return !HasKeeper(); }));
  ExpectLapse(agent);
}

// Elsewhere, by a process of Shoal that is stopped with its tree, and killed then.
TEST_F(Stopped, WhatAProcessHasStartedElsewhereOutlivesItsStopButNotItsEnd) {
  AgentProcess& far = StartRemote();
  AgentProcess& near = StartAgent("bee");
  hosts_ = near.target();
  ASSERT_EQ(Shoal({"start", "--name", "nest", "--", ShoalPath(), "-H", remote_, "run", "-n", "1",
                   "--session-ttl", "2s", "--", "sleep", "1000"})
                .exit_code,
            0);
  ASSERT_TRUE(far.stub().WatchUntil(
      [](const v1::Process& process) { return process.state() == v1::STATE_RUNNING; }));
  ASSERT_TRUE(WaitUntil("the keeper runs", [] { return HasKeeper(); }));
  ASSERT_EQ(Shoal({"signal", "STOP", "nest", "--scope", "tree"}).exit_code, 0);
  const pid_t nest = near.stub().Get("nest").pid();
  ASSERT_TRUE(WaitUntil("it is stopped", [&] { return ProcessState(nest) == 'T'; }));
  RunTool({"sleep", "4.5"});  // after which it would have lapsed
  EXPECT_EQ(far.stub().List().at(0).state(), v1::STATE_RUNNING);
  ASSERT_EQ(Shoal({"stop", "nest", "--signal", "KILL"}).exit_code, 0);
  EXPECT_FALSE(HasKeeper());
  ExpectLapse(far);
}

TEST_F(Stopped, OverANetworkALapseIsToldWithItsCause) {
  AgentProcess& agent = StartRemote();
  auto run = StartRun();
  run->Signal(SIGSTOP);  // it can do nothing before it stops
  ExpectLapse(agent);
  RunTool({"sleep", "3"});
  run->Signal(SIGCONT);
  const CommandResult result = run->Wait();
  EXPECT_NE(result.exit_code, 0);
  EXPECT_THAT(
      result.err,
      AllOf(HasSubstr(": its session is over: "), HasSubstr("; this program did not run for "),
            HasSubstr(": it was stopped, or had no processor, or its machine slept")))
      << result;
  EXPECT_EQ(result.err.find("trying again"), std::string::npos) << result;
}

}  // namespace
}  // namespace shoal::testing
