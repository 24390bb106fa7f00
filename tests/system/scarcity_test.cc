// Client and agent where threads are not to be had.
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/support/system/pids_cgroup.h"
#include "tests/support/system/system_test.h"

namespace shoal::testing {
namespace {

using ::testing::HasSubstr;

class ScarcityTest : public SystemTest {
 protected:
  // Runs the words in `cgroup`, whose limit leaves them so many threads besides their first.
  CommandResult RunWith(int threads, PidsCgroup& cgroup, const std::string& words) {
    cgroup.Write("pids.max", threads + 1);
    CommandResult result =
        RunProgram({"/bin/sh", "-c",
                    absl::StrCat("echo $$ > ", cgroup.path(), "/cgroup.procs && exec ", words)},
                   UserOptions());
    cgroup.WaitEmpty();
    return result;
  }
};

TEST_F(ScarcityTest, ACommandWithoutThreadsSaysSo) {
  PidsCgroup cgroup;
  if (!cgroup.usable()) GTEST_SKIP() << "no writable pids controller";
  StartAgent("ant");
  for (const char* words : {"ps", "run -n 1 -- true", "start -- true", "stop web"}) {
    for (int threads : {0, 1, 5, 10}) {
      CommandResult result = RunWith(threads, cgroup, absl::StrCat(ShoalPath(), " ", words));
      EXPECT_EQ(result.exit_code, 75) << words << " with " << threads << ": " << result;
      EXPECT_THAT(result.err, HasSubstr("shoal: this program needs 12 threads, and can have "));
    }
    CommandResult enough = RunWith(40, cgroup, absl::StrCat(ShoalPath(), " ", words));
    EXPECT_NE(enough.exit_code, 75) << enough;
  }
}

TEST_F(ScarcityTest, AnAgentWithoutThreadsSaysSo) {
  PidsCgroup cgroup;
  if (!cgroup.usable()) GTEST_SKIP() << "no writable pids controller";
  const std::string words = absl::StrCat(BinaryPath("shoald"), " --state-dir ", Scratch("state"),
                                         " --socket ", Scratch("socket"));
  for (int threads : {0, 1, 10, 20}) {
    CommandResult result = RunWith(threads, cgroup, words);
    EXPECT_EQ(result.exit_code, 75) << threads << ": " << result;
    EXPECT_EQ(
        result.err,
        absl::StrCat("shoald: this program needs 24 threads, and can have ", threads,
                     ": a limit on processes is reached (pids.max of a cgroup, or `ulimit -u`), or "
                     "memory is short\n"));
  }
}

}  // namespace
}  // namespace shoal::testing
