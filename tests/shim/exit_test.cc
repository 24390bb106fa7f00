// How a process ends, and that its true status is what the record says.
#include <signal.h>
#include <sys/wait.h>

#include <string>

#include "tests/shim/shim_harness.h"

namespace shoal::testing {
namespace {

using ExitTest = ShimTest;
INSTANTIATE_TEST_SUITE_P(Shim, ExitTest, ::testing::Bool(), NameOfParam);

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
    if (number == 32 || number == 33) continue;  // glibc keeps these to itself
    if (number == SIGCHLD || number == SIGURG || number == SIGWINCH || number == SIGCONT)
      continue;  // ignored
    if (number == SIGSTOP || number == SIGTSTP || number == SIGTTIN || number == SIGTTOU)
      continue;  // stop
    shim().StartChild({"raise", std::to_string(number)});
    const record::ShimHalf half = shim().AwaitFinal();
    ASSERT_TRUE(WIFSIGNALED(half.wait_status)) << number;
    ASSERT_EQ(WTERMSIG(half.wait_status), number);
    ASSERT_EQ(half.end_cause, record::EndCause::kNone);
    Reset();
  }
}

}  // namespace
}  // namespace shoal::testing
