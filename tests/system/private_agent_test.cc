// The agent that the first command starts.
//
// As root its directories are /run/shoal and /var/lib/shoal; these tests see empty ones of their
// own, in a mount namespace that goes with them.
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/support/system/system_test.h"

namespace shoal::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

class PrivateAgent : public SystemTest {
 protected:
  void SetUp() override {
    SystemTest::SetUp();
    if (geteuid() == 0) {
      ASSERT_EQ(unshare(CLONE_NEWNS), 0);
      ASSERT_EQ(mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
      for (const char* directory : {"/run", "/var/lib"}) {
        ASSERT_EQ(mount("tmpfs", directory, "tmpfs", MS_NODEV | MS_NOSUID, "mode=0755"), 0);
      }
    }
    // The agent that is started differs from the usual one only in ending soon, and in its cgroup.
    wrapper_ = Scratch("shoald-that-ends-soon");
    WriteFile(wrapper_,
              absl::StrCat("#!/bin/sh\nfor word; do shift; [ \"$word\" = 10m ] && word=$IDLE\n"
                           "set -- \"$@\" \"$word\"; done\nexec ",
                           ShoaldPath(), " \"$@\"\n"),
              0755);
    SetIdle("1s");
  }
  void TearDown() override {
    // Ends by itself; what does not is a leftover.
    SetIdle("1s");
    Shoal({"agent", "stop"});
    SystemTest::TearDown();
  }
  void SetIdle(const std::string& span) {
    WriteFile(Scratch("shoald"),
              absl::StrCat("#!/bin/sh\nIDLE=", span, " exec ", wrapper_, " \"$@\"\n"), 0755);
    extra_env_["SHOAL_SHOALD"] = Scratch("shoald");
  }
  static std::vector<pid_t> Agents() {
    std::vector<pid_t> agents;
    for (pid_t pid : DescendantsWith(ShoaldPath())) agents.push_back(pid);
    return agents;
  }

  std::string wrapper_;
};

TEST_F(PrivateAgent, TheFirstCommandStartsOneAndSaysSo) {
  const CommandResult run = Shoal({"run", "-n", "2", "--", "echo", "hello"});
  EXPECT_EQ(run.exit_code, 0) << run;
  EXPECT_THAT(run.out, HasSubstr("0 │ hello"));
  EXPECT_THAT(run.err, HasSubstr("started an agent for you on unix:"));
  EXPECT_THAT(run.err, HasSubstr("shoal agent stop"));
}

TEST_F(PrivateAgent, TheSecondCommandFindsIt) {
  SetIdle("10m");
  Shoal({"start", "--name", "web", "--", "sleep", "1000"});
  const CommandResult ps = Shoal({"ps"});
  EXPECT_THAT(ps.out, HasSubstr("web")) << ps;
  EXPECT_THAT(ps.err, Not(HasSubstr("started an agent")));
  EXPECT_THAT(Agents(), SizeIs(1));
  EXPECT_EQ(Shoal({"stop", "web"}).exit_code, 0);
}

TEST_F(PrivateAgent, RacingFirstCommandsStartExactlyOne) {
  SetIdle("10m");
  std::vector<std::unique_ptr<RunningCommand>> commands;
  commands.reserve(8);
  for (int i = 0; i < 8; ++i) commands.push_back(StartShoal({"run", "-n", "1", "--", "echo", "x"}));
  int starters = 0;
  for (auto& command : commands) {
    const CommandResult result = command->Wait();
    EXPECT_EQ(result.exit_code, 0) << result;
    EXPECT_THAT(result.out, HasSubstr("x"));
    starters += result.err.find("started an agent") == std::string::npos ? 0 : 1;
  }
  EXPECT_EQ(starters, 1);
  EXPECT_THAT(Agents(), SizeIs(1));
}

TEST_F(PrivateAgent, ItEndsSomeTimeAfterTheLastProcess) {
  Shoal({"run", "-n", "1", "--", "true"});
  EXPECT_TRUE(WaitUntil("the agent has ended by itself", [] { return Agents().empty(); }));
}

TEST_F(PrivateAgent, ItStaysWhileAProcessRuns) {
  Shoal({"start", "--name", "web", "--", "sleep", "1000"});
  // A run of more than the idle time, in which nothing but the started process keeps it.
  EXPECT_EQ(RunProgram({"/bin/sleep", "3"}, UserOptions()).exit_code, 0);
  EXPECT_THAT(Agents(), SizeIs(1));
  EXPECT_EQ(Shoal({"stop", "web"}).exit_code, 0);
  EXPECT_TRUE(WaitUntil("the agent has ended by itself", [] { return Agents().empty(); }));
}

TEST_F(PrivateAgent, LookingWhileItIsAwaySaysWhatMayLiveOrFindsIt) {
  SetIdle("10m");
  Shoal({"start", "--name", "web", "--", "sleep", "1000"});
  EXPECT_EQ(Shoal({"agent", "stop"}).exit_code, 0);
  const CommandResult ps = Shoal({"ps"});
  if (geteuid() == 0) {
    EXPECT_EQ(ps.exit_code, 69) << ps;
    EXPECT_THAT(ps.err, HasSubstr("the agent of this machine is not running; what it has started "
                                  "may live"));
    EXPECT_THAT(Agents(), IsEmpty());
    Shoal({"agent", "start"});
  } else {
    EXPECT_THAT(ps.out, HasSubstr("web")) << ps;
  }
  EXPECT_EQ(Shoal({"agent", "stop", "--all"}).exit_code, 0);
}

TEST_F(PrivateAgent, RestartedItHasItsProcessesAndItsFlags) {
  SetIdle("10m");
  EXPECT_EQ(Shoal({"agent", "start", "--", "--slots", "7"}).exit_code, 0);
  Shoal({"start", "--name", "web", "--", "sleep", "1000"});
  const std::vector<pid_t> before = Agents();
  const CommandResult restart = Shoal({"agent", "restart"});
  EXPECT_EQ(restart.exit_code, 0) << restart;
  EXPECT_THAT(restart.err, HasSubstr(", 7 slots); 1 process keeps running."));
  EXPECT_THAT(Agents(), SizeIs(1));
  EXPECT_NE(Agents(), before);
  EXPECT_THAT(Shoal({"ps"}).out, HasSubstr("running"));
  EXPECT_EQ(Shoal({"stop", "web"}).exit_code, 0);
}

TEST_F(PrivateAgent, AgentStopEndsIt) {
  SetIdle("10m");
  Shoal({"run", "-n", "1", "--", "true"});
  EXPECT_EQ(Shoal({"agent", "status"}).exit_code, 0);
  EXPECT_EQ(Shoal({"agent", "stop"}).exit_code, 0);
  EXPECT_THAT(Agents(), IsEmpty());
}

}  // namespace
}  // namespace shoal::testing
