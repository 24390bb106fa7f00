// Ending trees with children that are not simply forked: traced, held in a vfork, adopted by a
// subreaper of the tree, or put beside their parent.
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include <string>
#include <vector>

#include "tests/shim/shim_test.h"

namespace shoal::testing {
namespace {

using OddChildrenTest = ShimTest;
INSTANTIATE_TEST_SUITE_P(Shim, OddChildrenTest, ::testing::Bool(), NameOfParam);

std::vector<pid_t> AwaitOddPids(ShimHarness& shim, size_t count) {
  shim.Await([&](const record::ShimHalf&) { return PidsIn(shim.Output(0)).size() >= count; },
             "pids");
  return PidsIn(shim.Output(0));
}

// Asks for the end, SIGTERM first; `pids` must be gone when the tree is told to be empty.
record::ShimHalf End(ShimHarness& shim, const std::vector<pid_t>& pids) {
  shim.Terminate(SIGTERM, 50 * kMs);
  const record::ShimHalf half = shim.AwaitFinal();
  EXPECT_TRUE(half.flags & record::kEmpty);
  for (pid_t pid : pids) EXPECT_FALSE(IsAlive(pid)) << pid;
  return half;
}

TEST_P(OddChildrenTest, AChildThatIsTracedAndStoppedIsEnded) {
  shim().StartChild({"print-pid", "fork-as", "traced", "pause", "--", "print-pid", "pause"});
  End(shim(), AwaitOddPids(shim(), 2));
}

TEST_P(OddChildrenTest,
       AProcessThatIsTracedFromOutsideIsEndedAndItsTrueExitToldOnceTheTracerHasSeenIt) {
  shim().StartChild({"print-pid", "pause"});
  const pid_t pid = AwaitOddPids(shim(), 1)[0];
  ASSERT_EQ(ptrace(PTRACE_SEIZE, pid, nullptr, nullptr), 0);
  shim().Terminate(SIGKILL, 0);
  int status = 0;
  ASSERT_EQ(waitpid(pid, &status, __WALL), pid);
  EXPECT_EQ(WTERMSIG(status), SIGKILL);
  const record::ShimHalf half = shim().AwaitFinal();
  EXPECT_EQ(WTERMSIG(half.wait_status), SIGKILL);
  EXPECT_TRUE(half.flags & record::kEmpty);
}

TEST_P(OddChildrenTest, AParentThatAVforkHoldsIsEndedWithItsChild) {
  shim().StartChild({"print-pid", "fork-as", "vfork", "ignore", "15", "print-pid", "pause", "--"});
  const record::ShimHalf half = End(shim(), AwaitOddPids(shim(), 2));
  EXPECT_TRUE(half.flags & record::kEscalated);
}

TEST_P(OddChildrenTest, OrphansOfASubreaperOfTheTreeAreOfTheTree) {
  shim().StartChild({"subreaper", "daemon", "2", "ignore", "15", "print-pid", "pause", "--",
                     "print-pid", "pause"});
  End(shim(), AwaitOddPids(shim(), 3));
}

TEST_P(OddChildrenTest, AChildBesideItsParentIsOfTheTreeAndNotTakenForTheProcess) {
  shim().StartChild({"fork-as", "sibling", "print-pid", "exit", "7", "--", "fork-as", "sibling",
                     "print-pid", "pause", "--", "print-pid", "pause"});
  const std::vector<pid_t> pids = AwaitOddPids(shim(), 3);
  EXPECT_EQ(WTERMSIG(End(shim(), pids).wait_status), SIGTERM);
}

}  // namespace
}  // namespace shoal::testing
