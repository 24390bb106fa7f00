// Client and agent where threads and descriptors are not to be had.
#include <filesystem>
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
        absl::StrCat("shoald: this program needs 27 threads, and can have ", threads,
                     ": a limit on processes is reached (pids.max of a cgroup, or `ulimit -u`), or "
                     "memory is short\n"));
  }
}

// One agent under the names of 60 hosts.
class DescriptorScarcity : public ScarcityTest {
 protected:
  void SetUp() override {
    ScarcityTest::SetUp();
    AgentProcess& agent = StartAgent("ant");
    for (int i = 0; i < 60; ++i) {
      const std::string name = Scratch(absl::StrCat("h", i));
      std::filesystem::create_symlink(agent.socket(), name);
      absl::StrAppend(&hosts_, i == 0 ? "" : ",", "unix:", name);
    }
  }
  // `shoal WORDS` for all of them, with these limits, and nothing open that the test runner has.
  CommandResult RunWithin(const std::string& limits, const std::string& words) {
    constexpr char kClose[] = "exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-";
    return RunProgram(
        {"/bin/sh", "-c", absl::StrCat(kClose, "; ", limits, " && exec ", ShoalPath(), " ", words)},
        UserOptions());
  }
};

TEST_F(DescriptorScarcity, ACommandTakesWhatItMayHave) {
  const CommandResult result = RunWithin("ulimit -Sn 40 && ulimit -Hn 200", "ps");
  EXPECT_EQ(result.exit_code, 0) << result;
}

TEST_F(DescriptorScarcity, ACommandThatCannotHaveThemNamesTheLimitAndNoHost) {
  for (const char* words : {"ps", "run -n 1 -- true", "start -- true"}) {
    const CommandResult result = RunWithin("ulimit -n 40", words);
    EXPECT_EQ(result.exit_code, 75) << result;
    EXPECT_THAT(result.err, IsOneReadableLine());
    EXPECT_THAT(result.err,
                HasSubstr("this program may have 40 descriptors open (`ulimit -Hn`), "));
    EXPECT_THAT(result.err, HasSubstr(" are, and 60 hosts need one each"));
  }
}

TEST_F(DescriptorScarcity, WhereTheyRunOutThatIsSaidOnceAndNoHostIsBlamed) {
  const CommandResult result = RunWithin("ulimit -n 66", "ps");
  EXPECT_EQ(result.exit_code, 75) << result;
  EXPECT_THAT(result.err,
              HasSubstr("no descriptor is left for another connection: this program may "
                        "have 66 open (`ulimit -n`)"));
  EXPECT_THAT(result.err, ::testing::Not(HasSubstr("cannot be reached"))) << result;
}

}  // namespace
}  // namespace shoal::testing
