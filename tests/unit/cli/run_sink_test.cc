#include "client/cli/run_sink.h"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>

#include "gtest/gtest.h"

namespace shoal::cli {
namespace {

// Two ranks on each of two hosts.
RunSinkOptions Options() {
  RunSinkOptions options;
  options.host_names = {"ant", "beetle"};
  options.counts = {2, 2};
  options.tag = TagTemplate::Default(true);
  options.on_broken_output = [] {};
  return options;
}

v1::Process WithId(const char* id) {
  v1::Process process;
  process.set_id(id);
  return process;
}

TEST(RunSink, LinesAreTaggedAlignedAndWhole) {
  testing::internal::CaptureStdout();
  RunSink sink(Options());
  sink.OnOutput({0, 0}, v1::STREAM_KIND_STDOUT, 0, "on");
  sink.OnOutput({3, 1}, v1::STREAM_KIND_STDOUT, 0, "three\n");
  sink.OnOutput({0, 0}, v1::STREAM_KIND_STDOUT, 2, "e\ntwo");
  sink.OnComplete({0, 0}, WithId("A"));
  sink.Finish();
  EXPECT_EQ(testing::internal::GetCapturedStdout(),
            "3 beetle │ three\n0 ant    │ one\n0 ant    │ two\n");
}

TEST(RunSink, StderrStaysStderr) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  RunSink sink(Options());
  sink.OnOutput({1, 0}, v1::STREAM_KIND_STDERR, 0, "oops\n");
  sink.Finish();
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "1 ant    │ oops\n");
}

TEST(RunSink, BytesOfOneProcessPassAsTheyAre) {
  testing::internal::CaptureStdout();
  RunSinkOptions options = Options();
  options.tagged = false;
  RunSink sink(std::move(options));
  sink.OnOutput({0, 0}, v1::STREAM_KIND_STDOUT, 0, "no newline\xff");
  sink.OnComplete({0, 0}, WithId("A"));
  sink.Finish();
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "no newline\xff");
}

TEST(RunSink, GatheredAnswersComeAtTheEnd) {
  testing::internal::CaptureStdout();
  RunSinkOptions options = Options();
  options.gather = true;
  RunSink sink(std::move(options));
  for (int rank = 0; rank < 4; ++rank) {
    sink.OnOutput({rank, rank / 2}, v1::STREAM_KIND_STDOUT, 0, rank < 2 ? "6.1\n" : "6.5\n");
  }
  sink.Finish();
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "ant     6.1\nbeetle  6.5\n");
}

TEST(RunSink, ABrokenConnectionTellsWhereToGoOn) {
  testing::internal::CaptureStderr();
  RunSink sink(Options());
  sink.OnStarted({0, 0}, WithId("AAAA"));
  sink.OnStarted({2, 1}, WithId("BBBB"));
  sink.OnOutput({0, 0}, v1::STREAM_KIND_STDERR, 0, "");
  sink.OnOutput({2, 1}, v1::STREAM_KIND_STDERR, 10, "");
  sink.OnHostLost(1, absl::UnavailableError("gone"));
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "shoal: beetle: the connection broke (gone); trying again.\n"
            "shoal: stderr of rank 2 is read up to beetle/BBBB:10\n");
}

TEST(RunSink, OutputThatNobodyReadsIsToldOnce) {
  signal(SIGPIPE, SIG_IGN);
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  int saved = dup(STDOUT_FILENO);
  ASSERT_GE(dup2(ends[1], STDOUT_FILENO), 0);
  close(ends[0]);
  close(ends[1]);
  int told = 0;
  RunSinkOptions options = Options();
  options.on_broken_output = [&told] { ++told; };
  RunSink sink(std::move(options));
  sink.OnOutput({0, 0}, v1::STREAM_KIND_STDOUT, 0, "a\n");
  sink.OnOutput({0, 0}, v1::STREAM_KIND_STDOUT, 2, "b\n");
  dup2(saved, STDOUT_FILENO);
  close(saved);
  EXPECT_EQ(told, 1);
}

}  // namespace
}  // namespace shoal::cli
