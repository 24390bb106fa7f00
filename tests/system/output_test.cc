// Output: no line torn, no byte lost, any number of readers.
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/boot_time.h"
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
  followers.reserve(8);
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

class MergedLogs : public Output {
 protected:
  // What `shoal logs ARGUMENTS` shows where its stdout and stderr are one.
  std::string Logs(const std::string& arguments) {
    std::vector<std::string> words = {ShoalPath(), "logs"};
    for (absl::string_view word : absl::StrSplit(arguments, ' ')) words.emplace_back(word);
    CommandOptions options = UserOptions();
    options.log_path = Scratch(absl::StrCat("shown", ++times_shown_));
    RunningCommand(words, options).Wait();
    return ReadFile(options.log_path);
  }
  void StartCat(AgentProcess& agent, const std::string& name) {
    const std::vector<std::string> start = {"-H",     agent.target(), "start", "--stdin",
                                            "--name", name,           "--",    "cat"};
    ASSERT_EQ(Shoal(start).exit_code, 0);
  }
  // Has `cat` print it, and waits until it has, and so long that what comes next is of another time.
  void Say(AgentProcess& agent, const std::string& name, const std::string& line) {
    const BootTime begin = BootTime::Now();
    v1::WriteInputRequest request;
    request.set_selector(name);
    request.set_offset(static_cast<int64_t>(said_[name].size()));
    request.set_data(line);
    said_[name] += line;
    CallContext context;
    v1::WriteInputResponse response;
    ASSERT_TRUE(agent.stub().processes().WriteInput(&context, request, &response).ok());
    while (agent.stub().Output(name, v1::STREAM_KIND_STDOUT) != said_[name] ||
           BootTime::Now() - begin < absl::Milliseconds(30)) {
    }
  }

  int times_shown_ = 0;
  std::map<std::string, std::string> said_;  // by name
};

TEST_F(MergedLogs, StreamsOfAProcessComeInTheOrderOfWriting) {
  StartAgent("ant");
  constexpr char kTurns[] =
      "for i in 0 1 2 3; do echo out $i; sleep 0.03; echo err $i >&2; sleep 0.03; done";
  ASSERT_EQ(Shoal({"start", "--name", "talker", "--", "sh", "-c", kTurns}).exit_code, 0);
  ASSERT_EQ(Shoal({"wait", "talker"}).exit_code, 0);
  EXPECT_EQ(Logs("talker"), "out 0\nerr 0\nout 1\nerr 1\nout 2\nerr 2\nout 3\nerr 3\n");
  std::string last;
  for (absl::string_view line : absl::StrSplit(Logs("-t talker"), '\n', absl::SkipEmpty())) {
    const std::string time(line.substr(0, line.find(' ')));
    EXPECT_EQ(time.size(), sizeof("2026-03-01T12:00:02.007Z") - 1) << line;
    EXPECT_LT(last, time);
    last = time;
  }
}

TEST_F(MergedLogs, ProcessesAndHostsComeInTheOrderOfWriting) {
  AgentProcess& ant = StartAgent("ant");
  AgentProcess& beetle = StartAgent("beetle");
  StartCat(ant, "a");
  StartCat(ant, "b");
  StartCat(beetle, "c");
  for (const char* line : {"1\n", "2\n", "3\n"}) {
    Say(beetle, "c", line);
    Say(ant, "a", line);
    Say(ant, "b", line);
  }
  EXPECT_EQ(Logs("a b"), "a │ 1\nb │ 1\na │ 2\nb │ 2\na │ 3\nb │ 3\n");
  EXPECT_EQ(Logs("a b c"),
            "beetle/c │ 1\nant/a │ 1\nant/b │ 1\nbeetle/c │ 2\nant/a │ 2\nant/b │ 2\n"
            "beetle/c │ 3\nant/a │ 3\nant/b │ 3\n");
}

}  // namespace
}  // namespace shoal::testing
