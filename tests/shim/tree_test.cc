// Ending: the whole tree, observed to be empty.
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "tests/shim/shim_harness.h"

namespace shoal::testing {
namespace {

using TreeTest = ShimTest;
INSTANTIATE_TEST_SUITE_P(Shim, TreeTest, ::testing::Bool(), NameOfParam);

TEST_P(TreeTest, TerminateEndsAWillingProcessBySignal) {
  shim().StartChild({"print", "up", "pause"});
  shim().AwaitOutput(0, "up");
  shim().Terminate(SIGTERM, 30 * kSec);
  const record::ShimHalf half = shim().AwaitFinal();
  EXPECT_EQ(WTERMSIG(half.wait_status), SIGTERM);
  EXPECT_EQ(half.end_cause, record::EndCause::kRequested);
  EXPECT_EQ(half.end_signal, SIGTERM);
  EXPECT_EQ(half.terminate_serial, 1u);
  EXPECT_FALSE(half.flags & record::kEscalated);
  EXPECT_EQ(half.killed_ns, 0);
}

TEST_P(TreeTest, AProcessThatIgnoresTheSignalIsKilledAfterTheGrace) {
  shim().StartChild({"ignore", "15", "print", "up", "pause"});
  shim().AwaitOutput(0, "up");
  shim().Terminate(SIGTERM, 50 * kMs);
  const record::ShimHalf half = shim().AwaitFinal();
  EXPECT_EQ(WTERMSIG(half.wait_status), SIGKILL);
  EXPECT_TRUE(half.flags & record::kEscalated);
  EXPECT_GE(half.killed_ns - half.end_began_ns, 50 * kMs);
}

TEST_P(TreeTest, ADoubleForkedDaemonIsEndedWithTheTree) {
  shim().StartChild({"daemon", "1", "ignore", "15", "print-pid", "pause", "--", "print", "up\n", "pause"});
  shim().AwaitOutput(0, "up");
  shim().Await([&](const record::ShimHalf&) { return PidsIn(shim().Output(0) ).size() + 1 > 1 || shim().Output(0).size() > 4; }, "pid");
  shim().Terminate(SIGTERM, 50 * kMs);
  shim().AwaitFinal();
}

}  // namespace
}  // namespace shoal::testing
