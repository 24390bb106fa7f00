// Commands whose stdout or stderr cannot be written.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <thread>

#include "tests/rpc/cli/agent_fixture.h"

namespace shoal::testing {
namespace {

using ::testing::HasSubstr;

constexpr char kNoSpace[] = "shoal: cannot write stdout: No space left on device.\n";

class BrokenOutputTest : public AgentCommandTest {
 protected:
  // With descriptor `fd` on `other`, which is closed. What goes there is not in the answer.
  static Said ShoalOn(int fd, int other, const std::vector<std::string>& words) {
    int kept = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (fd == STDOUT_FILENO) ::testing::internal::CaptureStderr();
    if (fd == STDERR_FILENO) ::testing::internal::CaptureStdout();
    dup2(other, fd);
    close(other);
    Said said;
    said.status = cli::RunCommandLine(words);
    dup2(kept, fd);
    close(kept);
    if (fd == STDOUT_FILENO) said.err = ::testing::internal::GetCapturedStderr();
    if (fd == STDERR_FILENO) said.out = ::testing::internal::GetCapturedStdout();
    return said;
  }
  static int FullDisk() { return open("/dev/full", O_WRONLY | O_CLOEXEC); }
  static int WithoutReader() {
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    close(ends[0]);
    return ends[1];
  }
};

TEST_F(BrokenOutputTest, EveryCommandSaysThatTheDiskIsFullAndFails) {
  ant_.Put(Exited(kWeb, "web", 0), "out\n");
  ant_.Put(Running(kDb, "database"));  // `watch` tells of what lives
  for (const char* line : {"ps -a",
                           "ps -a -o json",
                           "inspect web",
                           "inspect -o json web",
                           "why web",
                           "why -o json web",
                           "logs web",
                           "logs -o json web",
                           "wait web",
                           "stop web",
                           "rm web",
                           "hosts",
                           "hosts -o json",
                           "start -- wait",
                           "start -o json -- wait",
                           "watch",
                           "watch -o json",
                           "--help",
                           "run --help",
                           "--version",
                           "run --gather -- out:a exit:0"}) {
    Said said = ShoalOn(STDOUT_FILENO, FullDisk(), Words(line));
    EXPECT_EQ(said.status, 1) << line;
    EXPECT_THAT(said.err, HasSubstr(kNoSpace)) << line;
    EXPECT_EQ(said.err.find(kNoSpace), said.err.rfind(kNoSpace)) << line;
    if (std::string(line) == "rm web") ant_.Put(Exited(kWeb, "web", 0), "out\n");
  }
}

TEST_F(BrokenOutputTest, WithoutAReaderTheyAreSilent) {
  ant_.Put(Exited(kWeb, "web", 0), "out\n");
  ant_.Put(Running(kDb, "database"));
  for (const char* line : {"ps -a", "logs web", "logs -o json web", "watch", "--help",
                           "run -n 1 -- out:a wait", "run -- out:a exit:0"}) {
    EXPECT_EQ(ShoalOn(STDOUT_FILENO, WithoutReader(), Words(line)), (Said{141, "", ""})) << line;
  }
}

TEST_F(BrokenOutputTest, RunEndsWhatCannotBeHeard) {
  for (const char* line : {"run -n 2 --no-tag -- out:a wait", "run -n 2 -- fill:10000000 wait",
                           "run -n 2 -o json -- out:a wait"}) {
    Said said = ShoalOn(STDOUT_FILENO, FullDisk(), Words(line));
    EXPECT_EQ(said.status, 1) << line;
    EXPECT_THAT(said.err, HasSubstr(absl::StrCat(kNoSpace,
                                                 "Without a stdout: 2 processes were ended; no "
                                                 "process is left on any host.\n")))
        << line;
  }
}

TEST_F(BrokenOutputTest, OutputWithoutAReaderIsNotReadAnyMore) {
  std::thread ender([this] {
    ant_.AwaitCalls("ReadOutput", 1);
    ant_.AwaitCalls("Terminate", 1);
    ant_.AwaitReaders(0);
    ant_.Exit(ant_.processes()[0].id(), 0);
  });
  EXPECT_EQ(ShoalOn(STDOUT_FILENO, WithoutReader(), Words("run -n 1 -- out:a ignore-term wait")),
            (Said{141, "", ""}));
  ender.join();
}

TEST_F(BrokenOutputTest, AStderrThatFailsHarmsNothing) {
  ant_.Put(Exited(kWeb, "web", 0), "out\n", "err\n");
  for (bool full : {true, false}) {
    auto broken = [full] { return full ? FullDisk() : WithoutReader(); };
    EXPECT_EQ(ShoalOn(STDERR_FILENO, broken(), Words("logs web")), (Said{0, "out\n", ""}));
    EXPECT_EQ(ShoalOn(STDERR_FILENO, broken(), Words("run -n 1 -- err:b out:a exit:3")),
              (Said{3, "a", ""}));
    EXPECT_EQ(ShoalOn(STDERR_FILENO, broken(), Words("run -n 2 --no-tag -- err:b out:a exit:0")),
              (Said{0, "a\na\n", ""}));
    EXPECT_EQ(ShoalOn(STDERR_FILENO, broken(), Words("nothing")), (Said{2, "", ""}));
  }
}

}  // namespace
}  // namespace shoal::testing
