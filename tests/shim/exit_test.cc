// How a process ends, and that its true status is what the record says.
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <fstream>
#include <string>

#include "tests/shim/shim_test.h"

namespace shoal::testing {
namespace {

using ExitTest = ShimTest;
INSTANTIATE_TEST_SUITE_P(Shim, ExitTest, ::testing::Bool(), NameOfParam);

// True for signals that do not end a process by default, or that the C library of the child keeps.
bool IsHarmless(int number) {
  switch (number) {
    case SIGCHLD:
    case SIGURG:
    case SIGWINCH:
    case SIGCONT:
    case SIGSTOP:
    case SIGTSTP:
    case SIGTTIN:
    case SIGTTOU:
    case 32:
    case 33:
      return true;
    default:
      return false;
  }
}

TEST_P(ExitTest, EveryExitCodeIsReportedExactly) {
  for (int code = 0; code < 256; ++code) {
    shim().StartChild({"exit", std::to_string(code)});
    const record::ShimHalf half = shim().AwaitFinal();
    ASSERT_TRUE(WIFEXITED(half.wait_status)) << code;
    ASSERT_EQ(WEXITSTATUS(half.wait_status), code);
    Reset();
  }
}

TEST_P(ExitTest, EverySignalIsReportedExactly) {
  for (int number = 1; number <= 64; ++number) {
    if (IsHarmless(number)) continue;
    shim().StartChild({"raise", std::to_string(number)});
    const record::ShimHalf half = shim().AwaitFinal();
    ASSERT_TRUE(WIFSIGNALED(half.wait_status)) << number;
    ASSERT_EQ(WTERMSIG(half.wait_status), number);
    ASSERT_EQ(half.end_cause, record::EndCause::kNone);
    Reset();
  }
}

TEST_P(ExitTest, TheCoreFlagIsTheKernels) {
  std::ifstream pattern("/proc/sys/kernel/core_pattern");
  const bool into_file = pattern.peek() != '|';
  shim().cwd = shim().dir();
  shim().StartChild({"core", "raise", std::to_string(SIGABRT)});
  const record::ShimHalf half = shim().AwaitFinal();
  EXPECT_EQ(WTERMSIG(half.wait_status), SIGABRT);
  EXPECT_TRUE(!into_file || WCOREDUMP(half.wait_status));
  Reset();
  shim().StartChild({"raise", std::to_string(SIGKILL)});
  EXPECT_FALSE(WCOREDUMP(shim().AwaitFinal().wait_status));
}

TEST_P(ExitTest, CodeOf137IsNotSigkill) {
  shim().StartChild({"exit", "137"});
  EXPECT_TRUE(WIFEXITED(shim().AwaitFinal().wait_status));
}

TEST_P(ExitTest, ALeaderThatExitsFirstDoesNotEndTheProcess) {
  shim().StartChild({"leader-exits", "23"});
  const record::ShimHalf half = shim().AwaitFinal();
  EXPECT_EQ(WEXITSTATUS(half.wait_status), 23);
  EXPECT_GT(half.exited_ns - half.started_ns, 50 * kMs) << "the other thread ran on for 100 ms";
}

TEST_P(ExitTest, AnExitIsKeptWhenDescendantsAreEndedLater) {
  shim().StartChild({"daemon", "3", "pause", "--", "exit", "41"});
  EXPECT_EQ(WEXITSTATUS(shim().AwaitFlags(record::kExited).wait_status), 41);
  shim().Terminate(SIGKILL, 0);
  EXPECT_EQ(WEXITSTATUS(shim().AwaitFinal().wait_status), 41);
}

TEST_P(ExitTest, ADescendantsExitIsNotTakenForTheProcesss) {
  shim().StartChild(
      {"daemon", "5", "exit", "9", "--", "print", "up", "sleep", "0.05", "exit", "3"});
  EXPECT_EQ(WEXITSTATUS(shim().AwaitFinal().wait_status), 3);
}

TEST_P(ExitTest, UsageAndTimesAreFilledIn) {
  shim().StartChild({"flood", "0", "4000000"});
  const record::ShimHalf half = shim().AwaitFinal();
  EXPECT_GT(half.usage.user_ns + half.usage.system_ns, 0);
  EXPECT_GT(half.usage.max_rss_bytes, 100'000);
  EXPECT_GT(half.usage.minor_faults, 0);
  EXPECT_GT(half.started_ns, 0);
  EXPECT_GE(half.exited_ns, half.started_ns);
  EXPECT_GE(half.empty_ns, half.exited_ns);
}

TEST_P(ExitTest, TheSlotIsLockedForAsLongAsTheShimLives) {
  shim().StartChild({"pause"});
  shim().AwaitFlags(record::kStarted);
  EXPECT_TRUE(shim().SlotLocked());
  shim().Terminate(SIGKILL, 0);
  shim().AwaitFinal();
  EXPECT_FALSE(shim().SlotLocked());
}

TEST_P(ExitTest, AShortProcessIsWrittenAndReportedFewTimes) {
  shim().StartChild({"exit", "0"});
  shim().AwaitFinal();
  EXPECT_LE(shim().Read().prefix.sequence, 4u)
      << "first half, started, ended; rarely the end in two";
}

TEST_P(ExitTest, AFullFifoDropsReportsAndNothingElse) {
  shim().FillFifo();
  shim().StartChild({"print", "x", "exit", "5"});
  shim().AwaitShimEnd();
  EXPECT_TRUE(shim().Read().flags & record::kFinal);
  EXPECT_EQ(WEXITSTATUS(shim().Read().wait_status), 5);
}

}  // namespace
}  // namespace shoal::testing
