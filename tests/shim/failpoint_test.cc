// A shim that is killed at any step costs its own process only, and leaves a record that says no
// more than is true.
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include <string>

#include "tests/shim/shim_test.h"

namespace shoal::testing {
namespace {

#ifdef SHOAL_FAILPOINTS

using FailpointTest = ShimTest;
INSTANTIATE_TEST_SUITE_P(Shim, FailpointTest, ::testing::Bool(), NameOfParam);

struct Case {
  const char* step;
  uint32_t may_have;  // flags that the record may show
  bool end;           // the step is reached only by an end
};

constexpr uint32_t kUntilOutput = record::kStarted;
constexpr uint32_t kUntilExit =
    kUntilOutput | record::kExited | record::kEscalated | record::kOutputComplete;
constexpr Case kCases[] = {
    {"agent-read", 0, false},
    {"first-half", 0, false},
    {"forked", 0, false},
    {"executed", 0, false},
    {"started", record::kStarted, false},
    {"moved", kUntilOutput, false},
    {"end-begun", kUntilOutput, true},
    {"signalled", kUntilOutput, true},
    {"killed", kUntilOutput, true},
    {"reaped", kUntilOutput | record::kEscalated | record::kOutputComplete, true},
    {"exit-written", kUntilExit | record::kEmpty | record::kFinal, true},
    {"empty", kUntilExit, true},
    {"final", kUntilExit | record::kEmpty | record::kFinal, true},
};

TEST_P(FailpointTest, SigkillAtEveryStepLeavesATrueRecordAndAnUnlockedSlot) {
  for (const Case& at : kCases) {
    SCOPED_TRACE(at.step);
    shim().env.push_back(std::string("SHOAL_SHIM_FAILPOINT=") + at.step + "=kill");
    shim().StartChild({"ignore", "15", "print", "up", "pause"});
    if (at.end) {
      shim().AwaitOutput(0, "up");
      shim().Terminate(SIGTERM, kMs);
    }
    const int status = shim().AwaitShimEnd();
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "the step was not reached";
    shim().AwaitUnlocked();  // a process that has not come to execve holds the lock a moment longer
    const record::ShimHalf half = shim().Read();
    EXPECT_EQ(half.flags & ~at.may_have, 0u) << std::hex << half.flags;
    EXPECT_TRUE(!(half.flags & record::kExited) || WTERMSIG(half.wait_status) == SIGKILL);
    EXPECT_EQ(shim().Output(0),
              std::string("up").substr(0, static_cast<size_t>(half.streams[0].end)));
    Reset();
  }
}

TEST_P(FailpointTest, SigkillAtEveryStepOfAnAdoptingShimEndsItsProcess) {
  for (const Case& at : kCases) {
    SCOPED_TRACE(at.step);
    shim().env.push_back(std::string("SHOAL_SHIM_FAILPOINT=") + at.step + "=kill");
    shim().StartAdopted({"ignore", "15", "print", "up", "pause"});
    if (at.end) {
      shim().AwaitOutput(0, "up");
      shim().Terminate(SIGTERM, kMs);
    }
    const int status = shim().AwaitShimEnd();
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "the step was not reached";
    shim().AwaitUnlocked();
    const record::ShimHalf half = shim().Read();
    EXPECT_EQ(half.flags & ~(at.may_have | record::kAdopted), 0u) << std::hex << half.flags;
    EXPECT_TRUE(!(half.flags & record::kExited) || WTERMSIG(half.wait_status) == SIGKILL);
    // From its first half on the record names its process.
    EXPECT_EQ(half.pid != 0, strcmp(at.step, "agent-read") != 0);
    EXPECT_EQ((half.flags & record::kAdopted) != 0, half.pid != 0);
    Reset();  // waits for the process, which is this test's to reap now
    EXPECT_FALSE(IsAlive(half.pid));
  }
}

TEST_P(FailpointTest, AForkedProcessDiesWithWhoWasToBecomeItsShim) {
  shim().StartAdopted({"pause"}, "kill-m");
  const int status = shim().AwaitShimEnd();
  EXPECT_EQ(WTERMSIG(status), SIGKILL);
  shim().AwaitUnlocked();
  EXPECT_EQ(shim().Read().flags, 0u) << "no shim has written";
  Reset();
}

TEST_P(FailpointTest, TheProcessDiesWithItsShim) {
  shim().StartChild({"print-pid", "pause"});
  shim().AwaitOutput(0, "\n");
  const pid_t pid = PidsIn(shim().Output(0))[0];
  kill(shim().shim_pid(), SIGKILL);
  shim().AwaitShimEnd();
  int status = 0;
  EXPECT_EQ(waitpid(pid, &status, 0), pid) << "this test is the next subreaper";
  EXPECT_EQ(WTERMSIG(status), SIGKILL);
  EXPECT_FALSE(shim().Read().flags & record::kExited)
      << "nobody saw the exit, so nobody invents one";
}

TEST_P(FailpointTest, TheVariableIsNotPassedOn) {
  shim().env.push_back("SHOAL_SHIM_FAILPOINT=none=kill");
  shim().StartChild({"list"});
  shim().AwaitFinal();
  EXPECT_EQ(shim().Output(0).find("FAILPOINT"), std::string::npos);
}

#endif  // SHOAL_FAILPOINTS

}  // namespace
}  // namespace shoal::testing
