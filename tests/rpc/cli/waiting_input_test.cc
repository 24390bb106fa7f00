// What is said of bytes on stdin that no process gets.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "tests/rpc/cli/agent_fixture.h"

namespace shoal::testing {
namespace {

constexpr char kTold[] =
    "shoal: what waits on stdin is given to no process; they read /dev/null.\n";

class WaitingInputTest : public AgentCommandTest {
 protected:
  ~WaitingInputTest() override { TakeInput(open("/dev/null", O_RDONLY | O_CLOEXEC)); }

  // Has stdin be a pipe, and gives its other end.
  static int TakePipe() {
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    TakeInput(ends[0]);
    return ends[1];
  }
};

TEST_F(WaitingInputTest, BytesThatWaitAreSpokenOfAndChangeNothing) {
  const int writer = TakePipe();
  ASSERT_EQ(write(writer, "x\n", 2), 2);
  EXPECT_EQ(Shoal("run --stdin none -n 1 -- exit:3"), (Said{3, "", kTold}));
  EXPECT_EQ(Shoal("run --stdin none -n 1 -- out:a exit:0"), (Said{0, "a", kTold}));
  Said start = Shoal("start -- wait");
  EXPECT_EQ(start.status, 0);
  EXPECT_EQ(start.err, kTold);
  EXPECT_EQ(Shoal("ps").err, "");
  char bytes[3] = {};
  EXPECT_EQ(read(STDIN_FILENO, bytes, 2), 2);  // they still wait
  close(writer);
}

TEST_F(WaitingInputTest, BytesThatComeWhileItRunsAreSpokenOfAtItsEnd) {
  const int writer = TakePipe();
  std::thread sender([this, writer] {
    ant_.AwaitCalls("SpawnBatch", 1);
    while (ant_.processes().empty()) ant_.AwaitNews(1);
    EXPECT_EQ(write(writer, "x\n", 2), 2);
    ant_.Exit(ant_.processes()[0].id(), 0);
  });
  EXPECT_EQ(Shoal("run --stdin none -n 1 -- wait"), (Said{0, "", kTold}));
  sender.join();
  close(writer);
}

// As cron, CI and `while read` have it.
TEST_F(WaitingInputTest, AnIdlePipeIsNotSpokenOf) {
  const int writer = TakePipe();
  EXPECT_EQ(Shoal("run --stdin none -n 1 -- exit:0"), (Said{0, "", ""}));
  close(writer);
  EXPECT_EQ(Shoal("run --stdin none -n 1 -- exit:0"), (Said{0, "", ""}));
}

TEST_F(WaitingInputTest, AFileIsSpokenOfUnlessItWasRead) {
  const std::string path = home_ + "/input";
  std::ofstream(path) << "x\n";
  TakeInput(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(Shoal("run --stdin none -n 1 -- exit:0"), (Said{0, "", kTold}));
  lseek(STDIN_FILENO, 0, SEEK_END);
  EXPECT_EQ(Shoal("run --stdin none -n 1 -- exit:0"), (Said{0, "", ""}));
}

}  // namespace
}  // namespace shoal::testing
