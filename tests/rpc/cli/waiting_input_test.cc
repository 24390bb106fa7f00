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
  EXPECT_THAT(Shoal("run -n 2 -- exit:0").err, ::testing::StartsWith(kTold));
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
    for (const v1::Process& process : ant_.processes()) ant_.Exit(process.id(), 0);
  });
  EXPECT_THAT(Shoal("run -n 2 --halt never -- wait").err, ::testing::HasSubstr(kTold));
  sender.join();
  close(writer);
}

TEST_F(WaitingInputTest, OfAnInputThatIsKeptOpenTheWayToItIsSaid) {
  const int writer = TakePipe();
  ASSERT_EQ(write(writer, "x\n", 2), 2);
  EXPECT_EQ(Shoal("start --stdin -- wait").err,
            "shoal: what waits on stdin is given to no process; `shoal input` gives it to one.\n");
  close(writer);
}

TEST_F(WaitingInputTest, WhereTheUserHasSaidWhatIsReadNothingIsSaid) {
  const int writer = TakePipe();
  ASSERT_EQ(write(writer, "x\n", 2), 2);
  EXPECT_EQ(Shoal("run --stdin none -n 1 -- exit:0"), (Said{0, "", ""}));
  EXPECT_EQ(Shoal("run --stdin @/etc/hosts -n 1 -- exit:0"), (Said{0, "", ""}));
  close(writer);
}

// As cron, CI and `while read` have it.
TEST_F(WaitingInputTest, AnIdlePipeIsNotSpokenOf) {
  const int writer = TakePipe();
  EXPECT_EQ(Shoal("start -- wait").err, "");
  close(writer);
  EXPECT_EQ(Shoal("start -- wait").err, "");
}

TEST_F(WaitingInputTest, AFileIsSpokenOfUnlessItWasRead) {
  const std::string path = home_ + "/input";
  std::ofstream(path) << "x\n";
  TakeInput(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(Shoal("start -- wait").err, kTold);
  lseek(STDIN_FILENO, 0, SEEK_END);
  EXPECT_EQ(Shoal("start -- wait").err, "");
}

}  // namespace
}  // namespace shoal::testing
