// What a function writes becomes the output of the program that has started it.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

#include "shoal/child/function_call.h"
#include "tests/rpc/client/function_fixture.h"

namespace shoal {
namespace {

using ::testing::HasSubstr;

TEST_F(FunctionProcess, ItsOutputBecomesOursInWholeLinesBeforeJoinReturns) {
  Process process(Square, "x", options_);
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  ASSERT_TRUE(process.Start().ok());
  Agent().Write(process.Id(), v1::STREAM_KIND_STDOUT, "one\ntw");
  Agent().Write(process.Id(), v1::STREAM_KIND_STDERR, "oops");
  Agent().Write(process.Id(), v1::STREAM_KIND_STDOUT, "o\nno newline");
  Return(process, "");
  EXPECT_EQ(*process.Join(), true);
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "one\ntwo\nno newline");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "oops");
}

TEST_F(FunctionProcess, WhatIsMissingInItsOutputIsToldOnOurStderr) {
  options_.name = "lossy";
  Process process(Square, "x", options_);
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  ASSERT_TRUE(process.Start().ok());
  Agent().Write(process.Id(), v1::STREAM_KIND_STDERR, "half a ");
  Agent().WriteAndDrop(process.Id(), v1::STREAM_KIND_STDOUT, 7);
  Agent().Write(process.Id(), v1::STREAM_KIND_STDOUT, "after\n");
  Agent().Write(process.Id(), v1::STREAM_KIND_STDERR, "line\n");
  Agent().Write(process.Id(), v1::STREAM_KIND_RESULT, internal::SerializeResult(std::string()));
  Agent().ExitTruncated(process.Id(), 0);
  EXPECT_EQ(*process.Join(), true);
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "after\n");
  std::string told = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(told, HasSubstr("shoal: lossy: 7 bytes of its stdout were dropped\n"));
  EXPECT_THAT(told, HasSubstr("shoal: lossy: the end of its stderr was lost with its shim\n"));
  EXPECT_THAT(told, HasSubstr("half a line\n"));
}

TEST_F(FunctionProcess, ForwardOutputSaysNo) {
  options_.forward_output = false;
  Process process(Square, "x", options_);
  ::testing::internal::CaptureStdout();
  ASSERT_TRUE(process.Start().ok());
  Agent().Write(process.Id(), v1::STREAM_KIND_STDOUT, "one\n");
  Return(process, "");
  EXPECT_EQ(*process.Join(), true);
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "");
  EXPECT_EQ(*process.ReadOutput(), "one\n");
}

TEST_F(FunctionProcess, OutputThatNobodyWantsIsAcknowledgedAllTheSame) {
  options_.forward_output = false;
  Process process(Square, "x", options_);
  ASSERT_TRUE(process.Start().ok());
  int acknowledgements = Agent().Calls("AcknowledgeOutput");
  Agent().Write(process.Id(), v1::STREAM_KIND_STDOUT, std::string(5 << 20, 'x'));
  Agent().AwaitCalls("AcknowledgeOutput", acknowledgements + 1);
  Return(process, "");
  EXPECT_EQ(*process.Join(), true);
}

TEST_F(FunctionProcess, WhoDoesNotReadOurStdoutStopsOneProcessAndNothingElse) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  int old_stdout = dup(STDOUT_FILENO);
  std::fflush(stdout);
  dup2(ends[1], STDOUT_FILENO);
  close(ends[1]);
  Process loud(Square, "x", options_);
  ASSERT_TRUE(loud.Start().ok());
  std::string line(9'999, 'x');
  for (int i = 0; i < 100; ++i) {
    Agent().Write(loud.Id(), v1::STREAM_KIND_STDOUT, line + "\n");
  }
  options_.forward_output = false;
  Process quiet(Square, "x", options_);
  EXPECT_TRUE(quiet.Start().ok());
  Return(quiet, "done");
  EXPECT_EQ(*quiet.Join(), true);
  EXPECT_EQ(*loud.Join(absl::Milliseconds(1)), false);
  Return(loud, "");

  size_t got = 0;
  std::vector<char> buffer(64 << 10);
  while (got < 100 * (line.size() + 1)) {
    ssize_t bytes = read(ends[0], buffer.data(), buffer.size());
    ASSERT_GT(bytes, 0);
    got += static_cast<size_t>(bytes);
  }
  EXPECT_EQ(*loud.Join(), true);
  dup2(old_stdout, STDOUT_FILENO);
  close(old_stdout);
  close(ends[0]);
}

TEST_F(FunctionProcess, WhatOurStdoutDoesNotTakeIsAnErrorOfJoin) {
  int old_stdout = dup(STDOUT_FILENO);
  std::fflush(stdout);
  int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  ASSERT_GE(dup2(full, STDOUT_FILENO), 0);
  close(full);
  options_.name = "loud";
  Process process(Square, "x", options_);
  ASSERT_TRUE(process.Start().ok());
  Agent().Write(process.Id(), v1::STREAM_KIND_STDOUT, "one\n");
  Return(process, "144");
  absl::StatusOr<bool> joined = process.Join();
  dup2(old_stdout, STDOUT_FILENO);
  close(old_stdout);
  EXPECT_EQ(joined.status(), absl::ResourceExhaustedError(
                                 "output of loud: cannot write stdout: No space left on device"));
  EXPECT_EQ(process.Join().status(), joined.status());
}

}  // namespace
}  // namespace shoal
