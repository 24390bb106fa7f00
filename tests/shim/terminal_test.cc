// Terminals: what the process is connected to, what of it is kept, and when it is hung up.
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include <string>

#include "tests/shim/shim_test.h"

namespace shoal::testing {
namespace {

class TerminalTest : public ShimTest {
 protected:
  void UseTerminal(int rows = 24, int columns = 80) {
    shim().agent.flags |= record::kTerminal;
    shim().agent.input_window = 64 << 10;
    shim().agent.terminal_rows = static_cast<uint16_t>(rows);
    shim().agent.terminal_columns = static_cast<uint16_t>(columns);
  }
};
INSTANTIATE_TEST_SUITE_P(Shim, TerminalTest, ::testing::Bool(), NameOfParam);

TEST_P(TerminalTest, IsTheControllingOneOfTheProcessAndHasItsSize) {
  UseTerminal(33, 101);
  shim().StartChild({"terminal"});
  const record::ShimHalf half = shim().AwaitFinal();
  EXPECT_EQ(shim().Output(0), "terminal 33 101");
  EXPECT_EQ(half.flags & (record::kStartFailed | record::kOutputComplete), record::kOutputComplete);
}

TEST_P(TerminalTest, WithoutOneThereIsNone) {
  shim().StartChild({"terminal"});
  shim().AwaitFinal();
  EXPECT_EQ(shim().Output(0), "no terminal");
}

TEST_P(TerminalTest, BothOutputsAreOneStreamInTheirOrder) {
  UseTerminal();
  shim().StartChild({"print", "1\n", "eprint", "2\n", "print", "3\n"});
  const record::ShimHalf half = shim().AwaitFinal();
  EXPECT_EQ(shim().Output(0), "1\r\n2\r\n3\r\n");
  EXPECT_EQ(half.streams[1].end, 0);
}

TEST_P(TerminalTest, MuchIsKeptByteForByte) {
  UseTerminal();
  shim().StartChild({"raw", "flood", "1", "3000000"});
  const record::ShimHalf half = shim().AwaitFinal();
  EXPECT_EQ(half.streams[0].end, 3'000'000);
  EXPECT_EQ(shim().Output(0).size(), 3'000'000u);
}

TEST_P(TerminalTest, WhatIsTypedIsEchoedAndRead) {
  UseTerminal();
  shim().StartChild({"cat"});
  shim().AwaitFlags(record::kStarted);
  shim().Feed("hello\n");
  shim().AwaitOutput(0, "hello\r\nhello\r\n");
  shim().Feed("", /*end=*/true);
  const record::ShimHalf half = shim().AwaitFinal();
  EXPECT_NE(half.flags & record::kInputDone, 0u);
  EXPECT_EQ(half.input_fed, 6);
  EXPECT_EQ(half.input_taken, 6);
}

TEST_P(TerminalTest, ItsInputEndsBehindAnUnfinishedLineToo) {
  UseTerminal();
  shim().StartChild({"print", "up", "cat"});
  shim().AwaitOutput(0, "up");
  shim().Feed("abc", /*end=*/true);
  EXPECT_TRUE(WIFEXITED(shim().AwaitFinal().wait_status));
}

TEST_P(TerminalTest, InRawModeItsInputHasNoEnd) {
  UseTerminal();
  shim().StartChild({"raw", "print", "up", "take", "3", "print", "!", "pause"});
  shim().AwaitOutput(0, "up");
  shim().Feed("", /*end=*/true);
  shim().AwaitFlags(record::kInputEndRefused);
  // The agent takes it back, and goes on.
  shim().agent.flags &= ~static_cast<uint32_t>(record::kInputEnded);
  shim().Feed("abc");
  shim().AwaitOutput(0, "abc!");
  EXPECT_EQ(shim().Read().flags & record::kInputEndRefused, 0u);
  shim().Terminate(SIGTERM, 30 * kSec);
  shim().AwaitFinal();
}

TEST_P(TerminalTest, ASecondEndIsRefusedAsTheFirst) {
  UseTerminal();
  shim().StartChild({"raw", "print", "up", "pause"});
  shim().AwaitOutput(0, "up");
  for (int i = 0; i < 2; ++i) {
    shim().Feed("", /*end=*/true);
    shim().AwaitFlags(record::kInputEndRefused);
    shim().agent.flags &= ~static_cast<uint32_t>(record::kInputEnded);
    shim().Tell();
    shim().Await(
        [](const record::ShimHalf& half) { return (half.flags & record::kInputEndRefused) == 0; },
        "that it was taken back is told");
  }
  shim().Terminate(SIGKILL, 0);
  shim().AwaitFinal();
}

// As an interactive shell does.
TEST_P(TerminalTest, OneThatIgnoresSigtermIsHungUpAtItsEnd) {
  UseTerminal();
  shim().StartChild({"ignore", std::to_string(SIGTERM), "print", "up", "pause"});
  shim().AwaitOutput(0, "up");
  shim().Terminate(SIGTERM, 300 * kSec);
  const record::ShimHalf half = shim().AwaitFinal();
  EXPECT_TRUE(WIFSIGNALED(half.wait_status));
  EXPECT_EQ(WTERMSIG(half.wait_status), SIGHUP);
  EXPECT_EQ(half.flags & record::kEscalated, 0u);
}

// Of two signals that wait the kernel gives the lower number first.
TEST_P(TerminalTest, AnyOtherGetsSigtermAlone) {
  UseTerminal();
  shim().StartChild({"print", "up", "pause"});
  shim().AwaitOutput(0, "up");
  shim().Terminate(SIGTERM, 300 * kSec);
  EXPECT_EQ(WTERMSIG(shim().AwaitFinal().wait_status), SIGTERM);
}

TEST_P(TerminalTest, KeysMakeSignals) {
  UseTerminal();
  shim().StartChild({"print", "up", "pause"});
  shim().AwaitOutput(0, "up");
  shim().Feed("\x03");
  const record::ShimHalf half = shim().AwaitFinal();
  EXPECT_TRUE(WIFSIGNALED(half.wait_status));
  EXPECT_EQ(WTERMSIG(half.wait_status), SIGINT);
}

TEST_P(TerminalTest, ANewerSerialHasAnotherSize) {
  UseTerminal();
  shim().StartChild({"print", "up", "await-rows", "50", "terminal"});
  shim().AwaitOutput(0, "up");
  shim().agent.terminal_rows = 50;
  shim().agent.terminal_columns = 132;
  shim().agent.terminal_serial = 1;
  shim().Tell();
  shim().AwaitFinal();
  EXPECT_EQ(shim().Output(0), "upterminal 50 132");
  EXPECT_EQ(shim().Read().terminal_serial, 1u);
}

// The process has closed it, and opens it again.
TEST_P(TerminalTest, ItIsThereAsLongAsTheProcess) {
  UseTerminal();
  shim().StartChild({"close-output", "close-input", "sleep", "0.1", "exit", "0"});
  const record::ShimHalf half = shim().AwaitFlags(record::kExited);
  EXPECT_TRUE(WIFEXITED(half.wait_status));
  shim().AwaitFinal();
}

TEST_P(TerminalTest, DescendantsThatAreKeptKeepIt) {
  UseTerminal();
  shim().agent.flags |= record::kKeepDescendants;
  shim().StartChild({"ignore", std::to_string(SIGHUP), "fork", "take", "3", "print", "!", "--",
                     "print", "parent", "exit", "0"});
  shim().AwaitFlags(record::kExited);
  EXPECT_EQ(shim().Read().flags & record::kOutputComplete, 0u);
  shim().Feed("ab\n");
  const record::ShimHalf half = shim().AwaitFinal();
  EXPECT_NE(shim().Output(0).find("ab\r\n!"), std::string::npos) << shim().Output(0);
  EXPECT_NE(half.flags & record::kOutputComplete, 0u);
}

TEST_P(TerminalTest, AnEndLeavesNothingOpen) {
  UseTerminal();
  shim().StartChild({"print", "up", "pause"});
  shim().AwaitOutput(0, "up");
  shim().Terminate(SIGKILL, 0);
  const record::ShimHalf half = shim().AwaitFinal();
  EXPECT_NE(half.flags & record::kOutputComplete, 0u);
  EXPECT_NE(half.flags & record::kInputClosed, 0u);
}

// It may run before the shim gives its terminal the size, which it is told as of every change.
TEST_P(TerminalTest, AProcessThatWasForkedHasOne) {
  UseTerminal(20, 60);
  shim().StartAdopted({"print", "up", "take", "2", "terminal", "cat"}, "terminal");
  shim().AwaitOutput(0, "up");
  shim().Feed("g\n");
  shim().AwaitOutput(0, "terminal 20 60");
  shim().Feed("x\n");
  shim().Feed("", /*end=*/true);
  shim().AwaitFinal();
  EXPECT_EQ(shim().Output(0), "upg\r\ng\r\nterminal 20 60x\r\nx\r\n");
}

TEST_P(TerminalTest, ARuntimeThatKnowsNoneFailsTheStart) {
  UseTerminal();
  shim().knows_input = false;
  shim().StartAdopted({"pause"});
  const record::ShimHalf half = shim().AwaitFinal();
  EXPECT_EQ(half.fail_stage, record::Stage::kTerminal);
  EXPECT_EQ(half.fail_errno, EOPNOTSUPP);
}

}  // namespace
}  // namespace shoal::testing
