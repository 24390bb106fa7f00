// Input: every byte from its place in the ring to the process, once, and the end behind the last.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "tests/shim/shim_test.h"

namespace shoal::testing {
namespace {

using InputTest = ShimTest;
INSTANTIATE_TEST_SUITE_P(Shim, InputTest, ::testing::Bool(), NameOfParam);

constexpr int64_t kWindow = 64 << 10;
constexpr size_t kPipeBytes = 64 << 10;

std::string Pattern(size_t size, size_t from = 0) {
  std::string text(size, '\0');
  for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + (from + i) * 7 % 26);
  return text;
}

std::function<bool(const record::ShimHalf&)> IsFed(int64_t bytes) {
  return [bytes](const record::ShimHalf& half) { return half.input_fed >= bytes; };
}
std::function<bool(const record::ShimHalf&)> IsTaken(int64_t bytes) {
  return [bytes](const record::ShimHalf& half) { return half.input_taken >= bytes; };
}

TEST_P(InputTest, BytesAndTheirEndReachTheProcess) {
  shim().agent.input_window = kWindow;
  shim().StartChild({"cat"});
  shim().AwaitFlags(record::kStarted);
  shim().Feed("hello ");
  shim().Feed("world", /*end=*/true);
  const record::ShimHalf half = shim().AwaitFinal();
  EXPECT_EQ(shim().Output(0), "hello world");
  EXPECT_EQ(half.input_fed, 11);
  EXPECT_NE(half.flags & record::kInputDone, 0u);
  EXPECT_EQ(half.flags & record::kInputClosed, 0u);
}

TEST_P(InputTest, WithoutOneTheProcessReadsNothing) {
  shim().StartChild({"cat"});
  EXPECT_EQ(shim().AwaitFinal().input_fed, 0);
  EXPECT_EQ(shim().Output(0), "");
}

TEST_P(InputTest, AnEmptyInputIsAnEnd) {
  shim().agent.input_window = kWindow;
  shim().agent.flags |= record::kInputEnded;
  shim().StartChild({"cat"});
  EXPECT_NE(shim().AwaitFinal().flags & record::kInputDone, 0u);
}

// The ring is written around many times; the process sees one stream.
TEST_P(InputTest, TheRingIsUsedAgainBehindWhatWasFed) {
  shim().agent.input_window = kWindow;
  shim().StartChild({"cat"});
  shim().AwaitFlags(record::kStarted);
  std::string all;
  constexpr size_t kPiece = 40'000;
  for (int i = 0; i < 20; ++i) {
    shim().Await(IsFed(static_cast<int64_t>(all.size()) + static_cast<int64_t>(kPiece) - kWindow),
                 "room in the ring");
    const std::string piece = Pattern(kPiece, all.size());
    all += piece;
    shim().Feed(piece, /*end=*/i == 19);
  }
  shim().AwaitFinal();
  EXPECT_TRUE(shim().Output(0) == all);
}

TEST_P(InputTest, AProcessThatDoesNotReadHoldsUpNothingElse) {
  shim().agent.input_window = 4 * kWindow;
  shim().StartChild({"print", "up", "pause"});
  shim().AwaitOutput(0, "up");
  shim().Feed(Pattern(3 * kWindow));
  shim().Await(IsFed(kPipeBytes), "a full pipe");
  EXPECT_EQ(shim().Read().input_fed, static_cast<int64_t>(kPipeBytes));
  shim().Terminate(SIGTERM, 30 * kSec);
  const record::ShimHalf half = shim().AwaitFinal();
  EXPECT_EQ(half.input_taken, 0);
  EXPECT_NE(half.flags & record::kInputClosed, 0u);
}

TEST_P(InputTest, TakenIsWhatWasRead) {
  shim().agent.input_window = kWindow;
  shim().agent.flags |= record::kWatchInput;
  shim().StartChild({"take", "4", "pause"});
  shim().AwaitFlags(record::kStarted);
  shim().Feed("1234567");
  const record::ShimHalf half = shim().Await(IsTaken(4), "four bytes to be taken");
  EXPECT_EQ(half.input_fed, 7);
  EXPECT_EQ(half.input_taken, 4);
  shim().Terminate(SIGKILL, 0);
  EXPECT_EQ(shim().AwaitFinal().input_taken, 4);
}

// The pipe has no writer then; a reader of the shim's own sees it.
TEST_P(InputTest, TakenIsSeenBehindTheEnd) {
  const std::string gate = shim().dir() + "/gate";
  ASSERT_EQ(mkfifo(gate.c_str(), 0600), 0);
  shim().agent.input_window = kWindow;
  shim().agent.flags |= record::kWatchInput;
  shim().StartChild({"open-fifo", gate, "cat", "pause"});
  shim().AwaitFlags(record::kStarted);
  shim().Feed("hello", /*end=*/true);
  EXPECT_EQ(shim().AwaitFlags(record::kInputDone).input_taken, 0);
  close(open(gate.c_str(), O_WRONLY | O_CLOEXEC));
  shim().Await(IsTaken(5), "all to be taken");
  shim().Terminate(SIGTERM, 30 * kSec);
  shim().AwaitFinal();
}

TEST_P(InputTest, AnInputThatIsClosedEarlyIsTold) {
  shim().agent.input_window = kWindow;
  shim().StartChild({"take", "3", "close-input", "print", "closed", "pause"});
  shim().AwaitFlags(record::kStarted);
  shim().Feed("abcdef");
  shim().AwaitOutput(0, "abcclosed");
  const record::ShimHalf half = shim().AwaitFlags(record::kInputClosed);
  EXPECT_EQ(half.input_taken, 3);
  EXPECT_EQ(shim().OutputFiles().count(shim().Id() + ".in"), 0u) << "the ring has gone with it";
  shim().Terminate(SIGTERM, 30 * kSec);
  shim().AwaitFinal();
}

// What inherits it may read it when the main process has ended.
TEST_P(InputTest, DescendantsReadOn) {
  shim().agent.input_window = kWindow;
  shim().agent.grace_ns = 60 * kSec;
  shim().StartChild({"fork", "cat", "--", "exit", "0"});
  shim().AwaitFlags(record::kExited);
  shim().Feed("late", /*end=*/true);
  const record::ShimHalf half = shim().AwaitFinal();
  EXPECT_EQ(shim().Output(0), "late");
  EXPECT_NE(half.flags & record::kInputDone, 0u);
}

TEST_P(InputTest, TheRingGoesWithTheProcess) {
  shim().agent.input_window = kWindow;
  shim().StartChild({"print", "up", "pause"});
  shim().AwaitOutput(0, "up");
  EXPECT_EQ(shim().OutputFiles().count(shim().Id() + ".in"), 1u);
  struct stat ring = {};
  EXPECT_EQ(stat((shim().output_dir + "/" + shim().Id() + ".in").c_str(), &ring), 0);
  EXPECT_EQ(ring.st_size, kWindow);
  EXPECT_GE(ring.st_blocks * 512, kWindow) << "it is all there";
  EXPECT_EQ(ring.st_mode & 0777, 0600u);
  shim().Terminate(SIGTERM, 30 * kSec);
  shim().AwaitFinal();
  EXPECT_EQ(shim().OutputFiles().count(shim().Id() + ".in"), 0u);
}

TEST_P(InputTest, ARingThatHasNoRoomFailsTheStart) {
  shim().agent.input_window = int64_t{1} << 40;
  const std::string small = shim().dir() + "/small";
  mkdir(small.c_str(), 0700);
  if (mount("tmpfs", small.c_str(), "tmpfs", 0, "size=1m") != 0) GTEST_SKIP() << "no mounts here";
  shim().output_dir = small;
  shim().StartChild({"print", "never"});
  const record::ShimHalf half = shim().AwaitFinal();
  umount(small.c_str());
  EXPECT_EQ(half.fail_stage, record::Stage::kInput);
  EXPECT_EQ(half.fail_errno, ENOSPC);
}

TEST_P(InputTest, AFileMayBeTheInput) {
  const std::string path = shim().dir() + "/input";
  std::ofstream(path) << "from a file";
  shim().payload_rest = "input-file=" + path + std::string(1, '\0');
  shim().StartChild({"cat"});
  shim().AwaitFinal();
  EXPECT_EQ(shim().Output(0), "from a file");
}

TEST_P(InputTest, AFileThatIsNotThereFailsTheStart) {
  shim().payload_rest = "input-file=" + shim().dir() + "/none" + std::string(1, '\0');
  shim().StartChild({"cat"});
  const record::ShimHalf half = shim().AwaitFinal();
  EXPECT_EQ(half.fail_stage, record::Stage::kInput);
  EXPECT_EQ(half.fail_errno, ENOENT);
}

TEST_P(InputTest, AProcessThatWasForkedHasOne) {
  shim().agent.input_window = kWindow;
  shim().StartAdopted({"cat"});
  shim().AwaitFlags(record::kStarted);
  shim().Feed("hello", /*end=*/true);
  shim().AwaitFinal();
  EXPECT_EQ(shim().Output(0), "hello");
}

TEST_P(InputTest, ARuntimeThatKnowsNoInputFailsTheStart) {
  shim().agent.input_window = kWindow;
  shim().knows_input = false;
  shim().StartAdopted({"cat", "pause"});
  const record::ShimHalf half = shim().AwaitFinal();
  EXPECT_EQ(half.fail_stage, record::Stage::kInput);
  EXPECT_EQ(half.fail_errno, EOPNOTSUPP);
}

// A process whose stdin is a FIFO waits for the writer before its program is there.
class HeldUpStartTest : public ShimTest {
 protected:
  void StartHeldUp() {
    const std::string path = shim().dir() + "/held";
    ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
    shim().payload_rest = "input-file=" + path + std::string(1, '\0');
    shim().StartChild({"print", "ran"});
  }
  // The record does not have it before it is started.
  pid_t AwaitChild() {
    const std::string path = "/proc/" + std::to_string(shim().shim_pid()) + "/task/" +
                             std::to_string(shim().shim_pid()) + "/children";
    for (int attempt = 0; attempt < kDeadlineSeconds * 1000; ++attempt) {
      pid_t pid = 0;
      if (std::ifstream(path) >> pid) return pid;
      usleep(1'000);
    }
    ADD_FAILURE() << "it is not forked";
    return 0;
  }
  void ExpectNotStarted() {
    const record::ShimHalf half = shim().AwaitFinal();
    EXPECT_EQ(half.fail_stage, record::Stage::kProcess);
    EXPECT_EQ(half.fail_errno, ECANCELED);
    EXPECT_EQ(half.flags & (record::kStarted | record::kExited), 0u);
    EXPECT_NE(half.flags & record::kEmpty, 0u);
    EXPECT_EQ(half.started_ns, 0);
  }
};
INSTANTIATE_TEST_SUITE_P(Shim, HeldUpStartTest, ::testing::Bool(), NameOfParam);

TEST_P(HeldUpStartTest, WhatIsKilledBeforeExecWasNotStarted) {
  StartHeldUp();
  const pid_t pid = AwaitChild();
  if (pid > 0) kill(pid, SIGKILL);
  ExpectNotStarted();
}

TEST_P(HeldUpStartTest, AndSoNotWhatIsEndedThere) {
  StartHeldUp();
  AwaitChild();
  shim().Terminate(SIGTERM, 5 * kSec);
  ExpectNotStarted();
}

TEST_P(HeldUpStartTest, ALimitFromExecCountsThereToo) {
  shim().agent.limit_from_exec_ns = 50 * kMs;
  StartHeldUp();
  ExpectNotStarted();
  EXPECT_EQ(shim().Read().end_cause, record::EndCause::kTimeLimit);
}

}  // namespace
}  // namespace shoal::testing
