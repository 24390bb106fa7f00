// Output: no line torn, no byte lost, any number of readers.
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
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
