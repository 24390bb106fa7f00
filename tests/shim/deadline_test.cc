// Ends that the shim finds by itself: time limit and dead-man time.
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "tests/shim/shim_test.h"

namespace shoal::testing {
namespace {

using DeadlineTest = ShimTest;
INSTANTIATE_TEST_SUITE_P(Shim, DeadlineTest, ::testing::Bool(), NameOfParam);

int64_t BootNs() {
  timespec now;
  clock_gettime(CLOCK_BOOTTIME, &now);
  return now.tv_sec * kSec + now.tv_nsec;
}

int64_t ContextSwitchesOf(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string key; status >> key;) {
    int64_t count;
    if (key == "voluntary_ctxt_switches:" && status >> count) return count;
  }
  return -1;
}

TEST_P(DeadlineTest, ATimeLimitFromExecEndsTheProcess) {
  shim().agent.limit_from_exec_ns = 80 * kMs;
  shim().StartChild({"pause"});
  const record::ShimHalf half = shim().AwaitFinal();
  EXPECT_EQ(half.end_cause, record::EndCause::kTimeLimit);
  EXPECT_EQ(half.end_signal, SIGTERM);
  EXPECT_EQ(WTERMSIG(half.wait_status), SIGTERM);
  EXPECT_GE(half.end_began_ns - half.started_ns, 79 * kMs);
}

TEST_P(DeadlineTest, ATimeLimitEscalatesAfterTheSpecsGrace) {
  shim().agent.grace_ns = 60 * kMs;
  shim().StartChild({"ignore", "15", "daemon", "1", "pause", "--", "print", "up", "pause"});
  shim().AwaitOutput(0, "up");  // it ignores the signal by now
  shim().agent.time_limit_ns = BootNs() + 20 * kMs;
  shim().Tell();
  const record::ShimHalf half = shim().AwaitFinal();
  EXPECT_TRUE(half.flags & record::kEscalated);
  EXPECT_EQ(WTERMSIG(half.wait_status), SIGKILL);
  // The times are of the wall clock, the span is not, and it begins a moment before its time is taken.
  EXPECT_GE(half.killed_ns - half.end_began_ns, 59 * kMs);
}

TEST_P(DeadlineTest, AnAbsoluteLimitMayBeSetLater) {
  shim().StartChild({"print", "up", "pause"});
  shim().AwaitOutput(0, "up");
  shim().agent.time_limit_ns = BootNs() + 30 * kMs;
  shim().Tell();
  EXPECT_EQ(shim().AwaitFinal().end_cause, record::EndCause::kTimeLimit);
}

TEST_P(DeadlineTest, TheEarlierLimitHolds) {
  shim().agent.limit_from_exec_ns = 3600 * kSec;
  shim().agent.time_limit_ns = BootNs() + 30 * kMs;
  shim().StartChild({"pause"});
  EXPECT_EQ(shim().AwaitFinal().end_cause, record::EndCause::kTimeLimit);
}

TEST_P(DeadlineTest, ALimitThatIsNotReachedChangesNothing) {
  shim().agent.limit_from_exec_ns = 3600 * kSec;
  shim().StartChild({"exit", "4"});
  const record::ShimHalf half = shim().AwaitFinal();
  EXPECT_EQ(WEXITSTATUS(half.wait_status), 4);
  EXPECT_EQ(half.end_cause, record::EndCause::kNone);
}

TEST_P(DeadlineTest, ARequestBeatsTheTimeLimitAsTheCause) {
  shim().agent.limit_from_exec_ns = 300 * kMs;
  shim().agent.grace_ns = 10 * kMs;
  shim().StartChild({"ignore", "15", "print", "up", "pause"});
  shim().AwaitOutput(0, "up");
  shim().Terminate(SIGTERM, 500 * kMs);
  EXPECT_EQ(shim().AwaitFinal().end_cause, record::EndCause::kRequested);
}

TEST_P(DeadlineTest, PastTheDeadManTimeWithoutAnAgentTheTreeIsEnded) {
  shim().agent.dead_man_ns = BootNs() + 50 * kMs;
  shim().StartChild({"daemon", "1", "pause", "--", "pause"});
  const record::ShimHalf half = shim().AwaitFinal();
  EXPECT_EQ(half.end_cause, record::EndCause::kDeadMan);
  EXPECT_TRUE(half.flags & record::kEmpty);
}

TEST_P(DeadlineTest, WhileAnAgentHoldsItsLockTheDeadManWaits) {
  shim().LockAgent(true);
  shim().agent.dead_man_ns = BootNs() + 20 * kMs;
  shim().StartChild({"print", "up", "sleep", "1.5", "print", "alive", "pause"});
  shim().AwaitOutput(0, "alive");
  EXPECT_EQ(shim().Read().end_cause, record::EndCause::kNone);
  EXPECT_LT(ContextSwitchesOf(shim().shim_pid()), 40) << "it looks about once a second";
  shim().LockAgent(false);
  EXPECT_EQ(shim().AwaitFinal().end_cause, record::EndCause::kDeadMan);
}

TEST_P(DeadlineTest, ARenewalWithoutASignalMovesTheDeadManTime) {
  shim().agent.dead_man_ns = BootNs() + 200 * kMs;
  shim().StartChild({"print", "up", "sleep", "0.6", "exit", "5"});
  shim().agent.dead_man_ns = BootNs() + 3600 * kSec;
  shim().Write();
  const record::ShimHalf half = shim().AwaitFinal();
  EXPECT_EQ(half.end_cause, record::EndCause::kNone);
  EXPECT_EQ(WEXITSTATUS(half.wait_status), 5);
}

TEST_P(DeadlineTest, TheDeadManTimeHoldsForDescendantsThatAreKept) {
  shim().agent.flags |= record::kKeepDescendants;
  shim().agent.dead_man_ns = BootNs() + 150 * kMs;
  shim().StartChild({"daemon", "1", "pause", "--", "exit", "5"});
  EXPECT_EQ(shim().AwaitFinal().end_cause, record::EndCause::kDeadMan);
}

TEST_P(DeadlineTest, ATimeLimitHoldsForDescendantsThatAreKept) {
  shim().agent.flags |= record::kKeepDescendants;
  shim().StartChild({"daemon", "1", "pause", "--", "exit", "5"});
  shim().AwaitFlags(record::kExited);
  shim().agent.time_limit_ns = BootNs();
  shim().Tell();
  const record::ShimHalf half = shim().AwaitFinal();
  EXPECT_EQ(half.end_cause, record::EndCause::kTimeLimit);
  EXPECT_EQ(WEXITSTATUS(half.wait_status), 5);
}

TEST_P(DeadlineTest, AProcessAtRestWakesItsShimNever) {
  shim().StartChild({"print", "up", "sleep", "1", "print", "end", "pause"});
  shim().AwaitOutput(0, "up");
  // The report of "up" may be pending for a millisecond; then nothing happens until "end".
  const int64_t before = ContextSwitchesOf(shim().shim_pid());
  shim().AwaitOutput(0, "end");
  EXPECT_LE(ContextSwitchesOf(shim().shim_pid()) - before, 5);
  shim().Terminate(SIGKILL, 0);
  shim().AwaitFinal();
}

}  // namespace
}  // namespace shoal::testing
