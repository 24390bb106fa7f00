// Output: no line torn, no byte lost, any number of readers.
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/unique_fd.h"
#include "tests/support/system/system_test.h"

namespace shoal::testing {
namespace {

class Output : public SystemTest {};

// What `shoal_test_child bytes SEED COUNT` prints.
std::string BytesOf(uint64_t seed, size_t count) {
  std::string bytes;
  while (bytes.size() < count) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    bytes.push_back(static_cast<char>(seed >> 56));
  }
  return bytes;
}

size_t SoftLimitOfPipePages() {
  std::ifstream file("/proc/sys/fs/pipe-user-pages-soft");
  size_t pages = 0;
  file >> pages;
  return pages;
}

TEST_F(Output, TagsStandBeforeWholeLinesUnderAFloodFromEightRanks) {
  constexpr int kRanks = 8;
  constexpr int kLines = 5000;
  StartAgent("ant");
  const CommandResult run =
      Shoal({"run", "-n", absl::StrCat(kRanks), "--", "sh", "-c",
             absl::StrCat("exec ", ChildPath(), " flood ", kLines, " 100 r$SHOAL_RANK")});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  std::vector<int> next(kRanks, 0);
  size_t torn = 0;
  for (absl::string_view line : absl::StrSplit(run.out, '\n', absl::SkipEmpty())) {
    int rank = -1;
    const bool whole =
        absl::SimpleAtoi(line.substr(0, line.find(' ')), &rank) && rank >= 0 && rank < kRanks &&
        absl::StartsWith(
            line, absl::StrCat(rank, " │ r", rank, " ", next[static_cast<size_t>(rank)], " ")) &&
        absl::EndsWith(line, "x") && line.size() == absl::StrCat(rank, " │ ").size() + 100;
    if (whole) {
      ++next[static_cast<size_t>(rank)];
    } else if (++torn < 5) {
      ADD_FAILURE() << "torn: " << line;
    }
  }
  EXPECT_EQ(torn, 0u);
  EXPECT_EQ(next, std::vector<int>(kRanks, kLines));
}

TEST_F(Output, EightFollowersReadTheSameBytes) {
  constexpr size_t kBytes = 20 << 20;
  StartAgent("ant");
  ASSERT_EQ(
      Shoal({"start", "--name", "source", "--", ChildPath(), "bytes", "7", absl::StrCat(kBytes)})
          .exit_code,
      0);
  std::vector<std::unique_ptr<RunningCommand>> followers;
  for (int i = 0; i < 8; ++i) followers.push_back(StartShoal({"logs", "-f", "source"}));
  const std::string expected = BytesOf(7, kBytes);
  for (auto& follower : followers) {
    const CommandResult result = follower->Wait();
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_TRUE(result.out == expected) << result.out.size() << " bytes of " << kBytes;
  }
}

// The limit is that of a user without the capabilities that lift it: of what this starts from here on.
TEST_F(Output, PipesOfAPageOrTwoLoseNothing) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root to use up the pipes of its user";
  std::vector<UniqueFd> hog;
  for (size_t pages = 0; pages < SoftLimitOfPipePages();) {
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0) << errno;
    hog.emplace_back(ends[0]);
    hog.emplace_back(ends[1]);
    const int size = fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
    ASSERT_GT(size, 0) << errno;
    pages += static_cast<size_t>(size) / static_cast<size_t>(getpagesize());
  }
  ASSERT_EQ(prctl(PR_CAPBSET_DROP, CAP_SYS_RESOURCE), 0);
  ASSERT_EQ(prctl(PR_CAPBSET_DROP, CAP_SYS_ADMIN), 0);
  AgentProcess& agent = StartAgent("ant");
  ASSERT_EQ(Shoal({"start", "--stdin", "--name", "cat", "--", "cat"}).exit_code, 0);
  const std::string out = absl::StrCat("/proc/", agent.stub().Get("cat").pid(), "/fd/1");
  UniqueFd pipe(open(out.c_str(), O_WRONLY | O_CLOEXEC));
  EXPECT_LE(fcntl(pipe.get(), F_GETPIPE_SZ), 2 * getpagesize()) << "else this shows nothing";
  pipe.Reset();
  constexpr size_t kBytes = 5 << 20;
  const std::string bytes = BytesOf(7, kBytes);
  const std::string path = Scratch("bytes");
  WriteFile(path, bytes);
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  CommandOptions options = UserOptions();
  options.stdin_fd = file.get();
  EXPECT_EQ(RunningCommand({ShoalPath(), "input", "cat", "--eof"}, options).Wait().exit_code, 0);
  EXPECT_EQ(agent.stub().Wait("cat", v1::WaitRequest::UNTIL_OUTPUT_COMPLETE).exit().code(), 0);
  EXPECT_TRUE(agent.stub().Output("cat", v1::STREAM_KIND_STDOUT) == bytes);
}

TEST_F(Output, ASingleProcesssBytesPassAsTheyAre) {
  StartAgent("ant");
  const CommandResult run =
      Shoal({"run", "-n", "1", "--no-tag", "--", ChildPath(), "bytes", "3", "1000000"});
  EXPECT_TRUE(run.out == BytesOf(3, 1'000'000)) << run.out.size() << run.err;
}

TEST_F(Output, MoreThanTheCapFlowsToAnAttachedReader) {
  constexpr size_t kBytes = 200 << 20;  // three times the cap
  AgentProcess& agent = StartAgent("ant");
  const CommandResult run = Shoal({"run", "-n", "1", "--no-tag", "--", "sh", "-c",
                                   absl::StrCat("head -c ", kBytes, " /dev/zero; exit 4")});
  EXPECT_EQ(run.exit_code, 4) << run.err;
  EXPECT_EQ(run.out.size(), kBytes);
  EXPECT_EQ(run.out.find_first_not_of('\0'), std::string::npos);
  EXPECT_TRUE(agent.IsRunning());
}

TEST_F(Output, ReopeningStdoutLosesNothing) {
  StartAgent("ant");
  const CommandResult run = Shoal(
      {"run", "-n", "1", "--no-tag", "--", "sh", "-c", "echo a; echo b > /dev/stdout; echo c"});
  EXPECT_EQ(run.out, "a\nb\nc\n") << run;
}

TEST_F(Output, StderrComesToStderr) {
  StartAgent("ant");
  const CommandResult run =
      Shoal({"run", "-n", "1", "--no-tag", "--", "sh", "-c", "echo out; echo err >&2"});
  EXPECT_EQ(run.out, "out\n");
  EXPECT_THAT(run.err, ::testing::HasSubstr("err\n"));
}

TEST_F(Output, AGrandchildThatHoldsStdoutDelaysNobodysWait) {
  StartAgent("ant");
  const CommandResult start =
      Shoal({"start", "--name", "holder", "--", "sh", "-c", "sleep 1000 & exit 6"});
  ASSERT_EQ(start.exit_code, 0) << start;
  const CommandResult wait = Shoal({"wait", "holder"});
  EXPECT_EQ(wait.exit_code, 6) << wait;
}

}  // namespace
}  // namespace shoal::testing
