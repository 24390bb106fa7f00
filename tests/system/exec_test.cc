// exec through the real programs: a command beside a process, whose end covers it, and which it never touches.
#include <fcntl.h>
#include <signal.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "common/unique_fd.h"
#include "tests/support/system/pids_cgroup.h"
#include "tests/support/system/system_test.h"

namespace shoal::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class Exec : public SystemTest {
 protected:
  Exec() { extra_env_["SHOAL_SESSION_TTL"] = "2s"; }

  // "web" runs; false: without a cgroup, so that nothing can run beside it.
  bool StartWeb(std::vector<std::string> more = {}, std::vector<std::string> agent_flags = {}) {
    StartAgent("ant", std::move(agent_flags));
    std::vector<std::string> words = {"start", "--name", "web"};
    words.insert(words.end(), more.begin(), more.end());
    words.insert(words.end(), {"--", "sleep", "1000"});
    EXPECT_EQ(Shoal(words).exit_code, 0);
    web_ = agent().stub().Get("web");
    return std::find(web_.flags().begin(), web_.flags().end(), v1::FLAG_NO_CGROUP) ==
           web_.flags().end();
  }
  AgentProcess& agent() { return agents_.front(); }
  // Its tree has a daemon in a session of its own that ignores SIGTERM; both are known to run.
  std::unique_ptr<RunningCommand> StartDaemon(const std::string& marker) {
    auto exec = StartShoal({"exec", "--name", "beside", "web", "--", ChildPath(), "daemon", marker},
                           /*own_group=*/true);
    exec->WaitForOutput("ready");
    EXPECT_THAT(Daemons(marker), SizeIs(2));
    return exec;
  }
  static std::vector<pid_t> Daemons(const std::string& marker) {
    std::vector<pid_t> running;
    for (const pid_t pid : DescendantsWith(marker)) {
      const std::string words = DescribeProcess(pid);
      const bool is_ours = words.find(" daemon ") != std::string::npos &&
                           words.find("/shoal exec") == std::string::npos;
      if (is_ours) running.push_back(pid);
    }
    return running;
  }
  v1::Process Beside() { return agent().stub().Get("beside.0"); }

  v1::Process web_;
};

TEST_F(Exec, ItHasEnvironmentDirectoryAndCgroupOfTheProcessAndAnExitOfItsOwn) {
  if (!StartWeb({"--cwd", "/tmp", "--env", "COLOUR=blue"})) GTEST_SKIP() << "no writable cgroup";
  extra_env_["COLOUR"] = "red";
  const CommandResult told =
      Shoal({"exec", "web", "--", "sh", "-c", "echo $COLOUR; pwd; cat /proc/self/cgroup; exit 7"});
  EXPECT_EQ(told.exit_code, 7) << told;
  EXPECT_THAT(told.out, HasSubstr("blue\n/tmp\n"));
  EXPECT_THAT(told.out, HasSubstr("/p/" + web_.id() + "/"));
  EXPECT_EQ(agent().stub().Get("web").state(), v1::STATE_RUNNING);
}

TEST_F(Exec, StdinGoesToItAndATerminalIsItsOwn) {
  if (!StartWeb()) GTEST_SKIP() << "no writable cgroup";
  const std::string path = Scratch("input");
  WriteFile(path, "hello\n");
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  CommandOptions options = UserOptions();
  options.stdin_fd = file.get();
  const CommandResult cat = RunProgram({ShoalPath(), "exec", "web", "--", "cat"}, options);
  EXPECT_EQ(cat.exit_code, 0) << cat;
  EXPECT_EQ(cat.out, "hello\n");
  const CommandResult tty = Shoal({"exec", "-t", "web", "--", "tty"});
  EXPECT_EQ(tty.exit_code, 0) << tty;
  EXPECT_THAT(tty.out, HasSubstr("/dev/pts/"));
}

TEST_F(Exec, TheEndOfTheProcessCoversItAndIsToldOnlyThen) {
  if (!StartWeb()) GTEST_SKIP() << "no writable cgroup";
  const std::string marker = Scratch("marker");
  auto exec = StartDaemon(marker);
  EXPECT_EQ(Shoal({"stop", "web", "--grace", "100ms"}).exit_code, 0);
  EXPECT_THAT(Daemons(marker), IsEmpty()) << "they were seen to be gone before it was told";
  EXPECT_TRUE(agent().stub().Get("web").tree_empty());
  EXPECT_NE(exec->Wait().exit_code, 0);
  EXPECT_EQ(Beside().exit().cause(), v1::CAUSE_TERMINATED);
  EXPECT_TRUE(Beside().tree_empty());
}

TEST_F(Exec, WhenTheProcessEndsByItselfItIsEndedAndSaysWhy) {
  if (!StartWeb({"--grace", "100ms"})) GTEST_SKIP() << "no writable cgroup";
  const std::string marker = Scratch("marker");
  auto exec = StartDaemon(marker);
  kill(web_.pid(), SIGKILL);
  exec->Wait();
  agent().stub().Wait("web", v1::WaitRequest::UNTIL_EMPTY);
  EXPECT_THAT(Daemons(marker), IsEmpty());
  EXPECT_THAT(Beside().exit().requested_by(), HasSubstr("the end of web ("));
}

TEST_F(Exec, ItsOwnEndNeverTouchesTheProcess) {
  if (!StartWeb()) GTEST_SKIP() << "no writable cgroup";
  const std::string marker = Scratch("marker");
  auto exec = StartDaemon(marker);
  // Its client is killed, and its session lapses.
  exec->Signal(SIGKILL);
  exec->Wait();
  EXPECT_TRUE(agent().stub().WatchUntil([](const v1::Process& process) {
    return process.exit().cause() == v1::CAUSE_SESSION_EXPIRED && process.tree_empty();
  }));
  EXPECT_THAT(Daemons(marker), IsEmpty());
  // It is killed itself.
  const CommandResult killed = Shoal({"exec", "web", "--", "sh", "-c", "kill -9 $$"});
  EXPECT_EQ(killed.exit_code, 137) << killed;
  EXPECT_EQ(agent().stub().Get("web").state(), v1::STATE_RUNNING);
  EXPECT_EQ(kill(web_.pid(), 0), 0);
}

TEST_F(Exec, AnAgentThatIsKilledMeanwhileFindsBothAgain) {
  if (!StartWeb()) GTEST_SKIP() << "no writable cgroup";
  const std::string marker = Scratch("marker");
  auto exec = StartDaemon(marker);
  agent().Kill();
  ASSERT_TRUE(agent().Start());
  EXPECT_EQ(Beside().state(), v1::STATE_RUNNING);
  EXPECT_EQ(Shoal({"exec", "web", "--", "true"}).exit_code, 0);
  EXPECT_EQ(Shoal({"stop", "web", "--grace", "100ms"}).exit_code, 0);
  EXPECT_THAT(Daemons(marker), IsEmpty());
  exec->Wait();
  EXPECT_TRUE(Beside().tree_empty());
}

TEST_F(Exec, AProcessThatEndsWhileTheAgentIsAwayTakesItAlong) {
  if (!StartWeb({"--grace", "100ms"})) GTEST_SKIP() << "no writable cgroup";
  const std::string marker = Scratch("marker");
  auto exec = StartDaemon(marker);
  agent().Kill();
  kill(web_.pid(), SIGKILL);
  EXPECT_TRUE(WaitUntil("the shim of web has ended its tree, by the cgroup",
                        [&] { return Daemons(marker).empty(); }));
  ASSERT_TRUE(agent().Start());
  exec->Wait();
  EXPECT_TRUE(agent().stub().Wait("web", v1::WaitRequest::UNTIL_EMPTY).tree_empty());
  EXPECT_TRUE(Beside().tree_empty());
  EXPECT_THAT(Beside().exit().requested_by(), HasSubstr("the end of web ("))
      << "not from elsewhere";
}

TEST_F(Exec, AKilledShimOfTheProcessTakesItAlong) {
  if (!StartWeb()) GTEST_SKIP() << "no writable cgroup";
  const std::string marker = Scratch("marker");
  auto exec = StartDaemon(marker);
  for (const pid_t shim : ChildrenOf(agent().pid())) {
    const std::vector<pid_t> children = ChildrenOf(shim);
    if (children.size() == 1 && children[0] == web_.pid()) kill(shim, SIGKILL);
  }
  exec->Wait();
  EXPECT_EQ(agent().stub().Wait("web", v1::WaitRequest::UNTIL_EMPTY).state(), v1::STATE_LOST);
  EXPECT_THAT(Daemons(marker), IsEmpty());
}

TEST_F(Exec, AForkBombInItDoesNotOutliveTheProcess) {
  // An idle shim from before would not be in the cgroup that bounds it.
  if (!StartWeb({}, {"--idle-shims=0"})) GTEST_SKIP() << "no writable cgroup";
  PidsCgroup cgroup(agent().pid());
  if (!cgroup.usable()) GTEST_SKIP() << "no pids controller";
  cgroup.Write("pids.max", 80);
  auto exec = StartShoal({"exec", "--name", "beside", "web", "--", ChildPath(), "bomb"});
  WaitUntil("the bomb has filled its limit", [&] { return cgroup.Current() > 40; });
  EXPECT_EQ(Shoal({"stop", "web", "--grace", "100ms"}).exit_code, 0);
  EXPECT_TRUE(agent().stub().Get("web").tree_empty());
  EXPECT_TRUE(Beside().tree_empty());
  exec->Wait();
  // One that ends after the agent would be left to this program as a zombie, which counts.
  WaitUntil("its shims have ended", [&] { return ChildrenOf(agent().pid()).empty(); });
  agent().Stop();
  cgroup.WaitEmpty();
}

TEST_F(Exec, WithoutACgroupItIsRefusedWithTheReason) {
  AgentProcess& without = AddAgent("ant");
  without.options().cgroup_base = Scratch("no-cgroup");
  ASSERT_TRUE(without.Start());
  ASSERT_EQ(Shoal({"start", "--name", "web", "--", "sleep", "1000"}).exit_code, 0);
  const CommandResult refused = Shoal({"exec", "web", "--", "true"});
  EXPECT_NE(refused.exit_code, 0);
  EXPECT_THAT(refused.err, HasSubstr("has no cgroup, so that its end would not cover"));
}

}  // namespace
}  // namespace shoal::testing
