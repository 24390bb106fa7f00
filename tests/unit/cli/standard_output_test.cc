#include "client/cli/standard_output.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "gtest/gtest.h"

namespace shoal::cli {
namespace {

// Has descriptor `fd` be another one for a while.
class InPlaceOf {
 public:
  InPlaceOf(int fd, int other) : fd_(fd), kept_(fcntl(fd, F_DUPFD_CLOEXEC, 3)) {
    dup2(other, fd);
    close(other);
  }
  ~InPlaceOf() {
    dup2(kept_, fd_);
    close(kept_);
  }

 private:
  const int fd_;
  const int kept_;
};

int FullDisk() { return open("/dev/full", O_WRONLY | O_CLOEXEC); }

// The end of a pipe that nothing reads.
int WithoutReader() {
  int ends[2];
  EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
  close(ends[0]);
  return ends[1];
}

TEST(StandardOutput, WhatIsPrintedComesInOrderAndLeavesTheStatusAlone) {
  ::testing::internal::CaptureStdout();
  BeginOutput();
  Print("a");
  EXPECT_TRUE(WriteOutput("b"));
  Print("c");
  EXPECT_EQ(FinishOutput(7), 7);
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "abc");
}

TEST(StandardOutput, AFullDiskIsToldOnceAndIsAFailure) {
  ::testing::internal::CaptureStderr();
  BeginOutput();
  int status = 0;
  bool has_reader = false;
  {
    const InPlaceOf full(STDOUT_FILENO, FullDisk());
    Print("a");
    EXPECT_FALSE(FlushOutput());
    EXPECT_FALSE(WriteOutput("b"));
    has_reader = !OutputHasNoReader();
    status = FinishOutput(0);
  }
  EXPECT_TRUE(has_reader);
  EXPECT_EQ(status, 1);
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            "shoal: cannot write stdout: No space left on device.\n");
}

TEST(StandardOutput, MuchIsNotKeptUntilTheEnd) {
  ::testing::internal::CaptureStderr();
  BeginOutput();
  {
    const InPlaceOf full(STDOUT_FILENO, FullDisk());
    Print(std::string(100 << 10, 'x'));
    EXPECT_NE(::testing::internal::GetCapturedStderr(), "");
  }
  EXPECT_EQ(FinishOutput(0), 1);
}

TEST(StandardOutput, AReaderThatHasLeftIsNotSpokenOf) {
  ::testing::internal::CaptureStderr();
  BeginOutput();
  int status = 0;
  {
    const InPlaceOf pipe(STDOUT_FILENO, WithoutReader());
    Print("a");
    status = FinishOutput(0);
    EXPECT_TRUE(OutputHasNoReader());
  }
  EXPECT_EQ(status, 141);
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

TEST(StandardOutput, NothingPrintedIsNothingToFailAt) {
  BeginOutput();
  const InPlaceOf full(STDOUT_FILENO, FullDisk());
  EXPECT_EQ(FinishOutput(0), 0);
}

TEST(StandardOutput, AStderrThatFailsHarmsNothing) {
  ::testing::internal::CaptureStdout();
  BeginOutput();
  for (int broken : {FullDisk(), WithoutReader()}) {
    const InPlaceOf other(STDERR_FILENO, broken);
    WriteError("shoal: a sentence\n");
    EXPECT_TRUE(ForwardError("of a process\n"));
  }
  Print("a");
  EXPECT_EQ(FinishOutput(0), 0);
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "a");
}

TEST(StandardOutput, BothWithoutTheirReaderAreAStdoutWithoutOne) {
  BeginOutput();
  const InPlaceOf out(STDOUT_FILENO, WithoutReader());
  const InPlaceOf err(STDERR_FILENO, WithoutReader());
  EXPECT_FALSE(ForwardError("of a process\n"));
  EXPECT_EQ(FinishOutput(0), 141);
}

TEST(StandardOutput, ACommandBeginsAnew) {
  BeginOutput();
  {
    const InPlaceOf pipe(STDOUT_FILENO, WithoutReader());
    EXPECT_FALSE(WriteOutput("a"));
  }
  ::testing::internal::CaptureStdout();
  BeginOutput();
  Print("b");
  EXPECT_EQ(FinishOutput(0), 0);
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "b");
}

}  // namespace
}  // namespace shoal::cli
