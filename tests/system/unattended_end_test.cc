// `shoald --terminate`: what an agent has left is ended without one, where none could run.
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/support/system/pids_cgroup.h"
#include "tests/support/system/system_test.h"

namespace shoal::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class UnattendedEnd : public SystemTest {
 protected:
  std::vector<std::string> Words(const AgentProcess& agent, const std::string& which) {
    return {ShoaldPath(), "--run-dir", agent.run_dir(), "--terminate", which};
  }
  CommandResult Terminate(const AgentProcess& agent, const std::string& which,
                          const std::vector<std::string>& more = {}) {
    std::vector<std::string> words = Words(agent, which);
    words.insert(words.end(), more.begin(), more.end());
    return RunProgram(words, UserOptions());
  }
};

TEST_F(UnattendedEnd, TreesOfAKilledAgentAreEndedAndTheNextOneKnowsByWhom) {
  AgentProcess& agent = StartAgent("ant");
  const std::string marker = Scratch("marker");
  const v1::Process web = agent.stub().Spawn(SpecOf({ChildPath(), "daemon", marker}, "web"));
  EXPECT_TRUE(WaitUntil("its daemon is there", [&] { return DescendantsWith(marker).size() > 1; }));
  agent.Kill();
  const CommandResult ended = Terminate(agent, "all", {"--grace", "200ms"});
  EXPECT_EQ(ended.exit_code, 0) << ended;
  EXPECT_THAT(ended.out, HasSubstr(absl::StrCat(web.id(), " web: ended by SIG")));
  EXPECT_THAT(DescendantsWith(marker), IsEmpty());
  const CommandResult again = Terminate(agent, "all");
  EXPECT_EQ(again.exit_code, 0) << again;
  EXPECT_EQ(again.out, absl::StrCat("no process of ", agent.run_dir(), " lives\n"));
  ASSERT_TRUE(agent.Start());
  const v1::Process known = agent.stub().Get("web");
  EXPECT_EQ(known.exit().cause(), v1::CAUSE_TERMINATED);
  EXPECT_TRUE(known.tree_empty());
  EXPECT_EQ(known.termination().requested_by(),
            absl::StrCat("uid:", geteuid(), " (shoald --terminate)"));
}

TEST_F(UnattendedEnd, WhileAnAgentRunsItIsRefusedWithWhatToDo) {
  AgentProcess& agent = StartAgent("ant");
  agent.stub().Spawn(SpecOf({ChildPath(), "sleep"}, "web"));
  const CommandResult refused = Terminate(agent, "all");
  EXPECT_EQ(refused.exit_code, 75) << refused;
  EXPECT_THAT(refused.err, IsOneReadableLine());
  EXPECT_THAT(refused.err, HasSubstr(absl::StrCat("run directory ", agent.run_dir(),
                                                  " is in use by another agent: `shoal stop`")));
  EXPECT_EQ(agent.stub().Get("web").state(), v1::STATE_RUNNING);
}

TEST_F(UnattendedEnd, ABadWordIsRefused) {
  AgentProcess& agent = StartAgent("ant");
  agent.Kill();
  EXPECT_EQ(Terminate(agent, "web").exit_code, 2);
  EXPECT_EQ(Terminate(agent, "AAAAAAAAAAAAAAAA").exit_code, 1);
  EXPECT_EQ(Terminate(agent, "all", {"--grace", "inf"}).exit_code, 2);
  EXPECT_EQ(RunProgram({ShoaldPath(), "--grace", "1s"}, UserOptions()).exit_code, 2);
}

// The bomb has filled the limit, so that an agent cannot start; nor can a thread of this program.
TEST_F(UnattendedEnd, AForkBombIsEndedWhereNoThreadCanBeHad) {
  PidsCgroup cgroup;
  if (!cgroup.usable()) GTEST_SKIP() << "no writable pids controller";
  // An idle shim, which is there before, would not be in the cgroup, nor what it starts.
  AgentProcess& agent = StartAgent("ant", {"--idle-shims=0"});
  cgroup.Write("cgroup.procs", agent.pid());
  cgroup.Write("pids.max", cgroup.Current() + 60);
  agent.stub().Spawn(SpecOf({ChildPath(), "bomb"}, "grows"));
  WaitUntil("the bomb has filled its limit", [&] { return cgroup.Current() > 40; });
  agent.Kill();
  PidsCgroup own("terminator");
  std::vector<std::string> words = Words(agent, "all");
  own.Write("pids.max", 1);
  std::string line = absl::StrCat("echo $$ > ", own.path(), "/cgroup.procs && exec");
  for (const std::string& word : words) absl::StrAppend(&line, " ", word);
  const CommandResult ended = RunProgram({"/bin/sh", "-c", line}, UserOptions());
  EXPECT_EQ(ended.exit_code, 0) << ended;
  EXPECT_THAT(ended.out, HasSubstr(" grows: ended by SIG"));
  own.WaitEmpty();
  // Without an agent its shim is a child of this test.
  WaitUntil("nothing is left of it", [&] {
    while (waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    return cgroup.Current() == 0;
  });
  ASSERT_TRUE(agent.Start());
  EXPECT_TRUE(agent.stub().Get("grows").tree_empty());
}

TEST_F(UnattendedEnd, AFullStateDiskIsNoHindrance) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root to mount";
  ASSERT_EQ(unshare(CLONE_NEWNS), 0);
  ASSERT_EQ(mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
  AgentProcess& agent = AddAgent("ant");
  agent.options().flags.push_back("--idle-shims=0");  // each shim ends with its process
  const std::string state = agent.state_dir();
  mkdir(state.c_str(), 0700);
  ASSERT_EQ(mount("tmpfs", state.c_str(), "tmpfs", 0, "size=8m,mode=0700"), 0);
  ASSERT_TRUE(agent.Start());
  agent.stub().Spawn(SpecOf({"yes"}, "web"));  // its output fills the disk
  ASSERT_TRUE(agent.stub().WatchUntil(
      [](const v1::Process& seen) { return seen.output_error_number() == ENOSPC; }));
  agent.Kill();
  const CommandResult ended = Terminate(agent, "all", {"--state-dir", state});
  EXPECT_EQ(ended.exit_code, 0) << ended;
  EXPECT_THAT(ended.out, HasSubstr(" web: ended by SIGTERM"));
  ASSERT_EQ(mount(nullptr, state.c_str(), nullptr, MS_REMOUNT, "size=64m"), 0) << errno;
  ASSERT_TRUE(agent.Start());
  agent.stub().Wait("web", v1::WaitRequest::UNTIL_EMPTY);
  WaitUntil("its shim has ended", [&] { return DescendantsWith("shoal-shim").empty(); });
  agent.Stop();
  umount2(state.c_str(), MNT_DETACH);
}

}  // namespace
}  // namespace shoal::testing
