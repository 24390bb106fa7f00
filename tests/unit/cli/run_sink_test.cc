#include "client/cli/run_sink.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "client/cli/json.h"
#include "client/cli/standard_output.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace shoal::cli {
namespace {

// Two ranks on each of two hosts, and a stdout of which nothing is known.
RunSinkOptions Options() {
  BeginOutput();
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
  ::testing::internal::CaptureStdout();
  RunSink sink(Options());
  sink.OnOutput({0, 0}, v1::STREAM_KIND_STDOUT, 0, "on");
  sink.OnOutput({3, 1}, v1::STREAM_KIND_STDOUT, 0, "three\n");
  sink.OnOutput({0, 0}, v1::STREAM_KIND_STDOUT, 2, "e\ntwo");
  sink.OnComplete({0, 0}, WithId("A"));
  sink.Finish();
  EXPECT_EQ(::testing::internal::GetCapturedStdout(),
            "3 beetle │ three\n0 ant    │ one\n0 ant    │ two\n");
}

TEST(RunSink, StderrStaysStderr) {
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  RunSink sink(Options());
  sink.OnOutput({1, 0}, v1::STREAM_KIND_STDERR, 0, "oops\n");
  sink.Finish();
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "1 ant    │ oops\n");
}

TEST(RunSink, InputThatDoesNotArriveIsSaid) {
  ::testing::internal::CaptureStderr();
  RunSink sink(Options());
  sink.OnInputLost(2, absl::PermissionDeniedError("not yours"));
  sink.OnInputLost(-1, absl::InternalError("cannot read stdin: Input/output error"));
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            "shoal: the input of rank 2 was not written: not yours.\n"
            "shoal: cannot read stdin: Input/output error.\n");
}

TEST(RunSink, BytesOfOneProcessPassAsTheyAre) {
  ::testing::internal::CaptureStdout();
  RunSinkOptions options = Options();
  options.tagged = false;
  RunSink sink(std::move(options));
  sink.OnOutput({0, 0}, v1::STREAM_KIND_STDOUT, 0, "no newline\xff");
  sink.OnComplete({0, 0}, WithId("A"));
  sink.Finish();
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "no newline\xff");
}

TEST(RunSink, GatheredAnswersComeAtTheEnd) {
  ::testing::internal::CaptureStdout();
  RunSinkOptions options = Options();
  options.gather = true;
  RunSink sink(std::move(options));
  for (int rank = 0; rank < 4; ++rank) {
    sink.OnOutput({rank, rank / 2}, v1::STREAM_KIND_STDOUT, 0, rank < 2 ? "6.1\n" : "6.5\n");
  }
  v1::Process failed = WithId("AAAA");
  failed.set_state(v1::STATE_EXITED);
  failed.mutable_exit()->set_code(0);
  for (int rank : {0, 1, 2}) sink.OnComplete({rank, rank / 2}, failed);
  failed.mutable_exit()->set_code(3);
  sink.OnComplete({3, 1}, failed);
  sink.Finish();
  EXPECT_EQ(::testing::internal::GetCapturedStdout(),
            "ant     6.1\nrank 2  6.5\nrank 3  6.5\n        [exit code 3]\n");
}

TEST(RunSink, WhoIsWaitedForAfterTheExitIsToldOfTheFirstRanks) {
  ::testing::internal::CaptureStderr();
  RunSink sink(Options());
  v1::Process process = WithId("AAAA");
  process.mutable_spec()->mutable_grace()->set_seconds(5);
  process.mutable_descendants()->set_count(1);
  v1::Survivor* member = process.mutable_descendants()->add_members();
  member->set_command("sleep");
  member->set_pid(411);
  for (int i = 0; i < 9; ++i) sink.OnDescendants({2, 1}, process);
  const std::string said = ::testing::internal::GetCapturedStderr();
  const std::string line =
      "shoal: rank 2 on beetle has ended and is waited for. 1 process outlived it, sleep (411): "
      "SIGTERM 5 s after its exit, SIGKILL 5 s later (--grace); Ctrl-C ends them now.\n";
  EXPECT_EQ(said.substr(0, line.size()), line);
  EXPECT_EQ(said.size(), 8 * line.size());
}

TEST(RunSink, AHostIsCalledByOneNameFromItsFirstProcessOn) {
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  RunSinkOptions options = Options();
  options.host_names = {"unix:/a.sock", "unix:/b.sock"};
  int asked = 0;
  options.learn_name = [&](int host, const std::string& own_name) {
    ++asked;
    return host == 1 ? own_name : "ant";
  };
  RunSink sink(std::move(options));
  v1::Process process = WithId("AAAA");
  process.set_host("beetle");
  sink.OnStarted({2, 1}, process);
  sink.OnStarted({3, 1}, process);
  EXPECT_EQ(asked, 1);
  process.mutable_descendants()->set_count(1);
  sink.OnDescendants({2, 1}, process);
  sink.OnHostRegained(1);
  sink.OnHostRegained(0);
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "");
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(said.find("shoal: rank 2 on beetle has ended"), 0u) << said;
  EXPECT_NE(said.find("shoal: beetle: connected again.\n"), std::string::npos) << said;
  EXPECT_NE(said.find("shoal: unix:/a.sock: connected again.\n"), std::string::npos) << said;
}

TEST(RunSink, AShimThatDoesNotReactIsNamedWithItsRank) {
  ::testing::internal::CaptureStderr();
  RunSink sink(Options());
  sink.OnShimStalled({2, 1}, WithId("AAAA"));
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            "shoal: rank 2 on beetle does not end: its shim does not react. It is stopped, or its "
            "host is stuck; once it goes on, so does the end.\n");
}

TEST(RunSink, OutputThatCannotBeWrittenIsToldOnceForEachHost) {
  ::testing::internal::CaptureStderr();
  RunSink sink(Options());
  v1::Process process = WithId("AAAA");
  process.set_output_error_number(ENOSPC);
  sink.OnOutputStalled({0, 0}, process);
  sink.OnOutputStalled({1, 0}, process);
  process.set_output_error_number(EIO);
  sink.OnOutputStalled({2, 1}, process);
  sink.OnComplete({2, 1}, process);
  sink.OnComplete({3, 1}, WithId("BBBB"));
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            "shoal: ant: output of rank 0 cannot be written: No space left on device; it is tried "
            "again until it can, or Ctrl-C ends the run.\n"
            "shoal: beetle: output of rank 2 cannot be written: Input/output error; it is tried "
            "again until it can, or Ctrl-C ends the run.\n"
            "shoal: beetle: rank 2 was ended with output that could not be written; that is "
            "dropped.\n");
}

TEST(RunSink, AConnectionThatStaysBrokenTellsWhereToGoOn) {
  ::testing::internal::CaptureStderr();
  RunSinkOptions options = Options();
  options.places_after = absl::ZeroDuration();
  RunSink sink(std::move(options));
  sink.OnStarted({0, 0}, WithId("AAAA"));
  sink.OnStarted({2, 1}, WithId("BBBB"));
  sink.OnOutput({0, 0}, v1::STREAM_KIND_STDERR, 0, "");
  sink.OnOutput({2, 1}, v1::STREAM_KIND_STDERR, 10, "");
  sink.OnHostLost(1, absl::UnavailableError("gone"));
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            "shoal: beetle: the connection broke (gone); trying again.\n");
  ::testing::internal::CaptureStderr();
  sink.OnTick();
  sink.OnTick();
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            "shoal: stderr of rank 2 is read up to byte 10; `shoal logs --stderr beetle/BBBB:10` "
            "reads on.\n");
}

TEST(RunSink, ASingleProcessHasNoRankWhereItsPlaceIsTold) {
  ::testing::internal::CaptureStderr();
  RunSinkOptions options = Options();
  options.counts = {1, 0};
  RunSink sink(std::move(options));
  sink.OnStarted({0, 0}, WithId("AAAA"));
  sink.OnOutput({0, 0}, v1::STREAM_KIND_STDOUT, 6, "");
  sink.OnHostOver(0, absl::UnavailableError("given up: gone"));
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            "shoal: ant: given up: gone.\n"
            "shoal: stdout is read up to byte 6; `shoal logs ant/AAAA:6` reads on.\n");
}

TEST(RunSink, AtMostEightPlacesAreTold) {
  ::testing::internal::CaptureStderr();
  RunSinkOptions options = Options();
  options.counts = {9, 0};
  RunSink sink(std::move(options));
  for (int rank = 0; rank < 9; ++rank) {
    sink.OnStarted({rank, 0}, WithId("AAAA"));
    sink.OnOutput({rank, 0}, v1::STREAM_KIND_STDOUT, rank, "");
  }
  sink.OnHostOver(0, absl::UnavailableError("given up: gone"));
  const std::string told = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(told.begin(), told.end(), '\n'), 9) << told;
  EXPECT_NE(
      told.find(
          "shoal: stdout of rank 7 is read up to byte 7; `shoal logs ant/AAAA:7` reads on.\n"),
      std::string::npos);
}

TEST(RunSink, AConnectionThatIsBackIsSaid) {
  ::testing::internal::CaptureStderr();
  RunSink(Options()).OnHostRegained(1);
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "shoal: beetle: connected again.\n");
}

TEST(RunSink, WhatStaysStoppedIsSaid) {
  ::testing::internal::CaptureStderr();
  RunSink(Options()).OnNotContinued(1, absl::ResourceExhaustedError("the disk is full"));
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            "shoal: beetle: what was stopped could not be continued (the disk is full); `shoal "
            "signal CONT --scope tree` does it.\n");
}

TEST(RunSink, AHostThatIsOverIsSaidWithItsReason) {
  ::testing::internal::CaptureStderr();
  RunSink sink(Options());
  sink.OnStarted({0, 0}, WithId("AAAA"));
  sink.OnOutput({0, 0}, v1::STREAM_KIND_STDOUT, 3, "");
  sink.OnHostOver(0, absl::NotFoundError("its session is over: it expired"));
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            "shoal: ant: its session is over: it expired.\n"
            "shoal: stdout of rank 0 is read up to byte 3; `shoal logs ant/AAAA:3` reads on.\n");
}

TEST(RunSink, APlaceIsToldAgainOnlyWhenMoreWasRead) {
  ::testing::internal::CaptureStderr();
  RunSink sink(Options());
  sink.OnStarted({0, 0}, WithId("AAAA"));
  sink.OnOutput({0, 0}, v1::STREAM_KIND_STDOUT, 3, "");
  sink.OnHostLost(0, absl::UnavailableError("gone"));
  sink.OnHostRegained(0);
  sink.OnHostOver(0, absl::UnavailableError("its output can no longer be read: gone"));
  sink.OnHostOver(0, absl::UnavailableError("given up: gone"));
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            "shoal: ant: the connection broke (gone); trying again.\n"
            "shoal: ant: connected again.\n"
            "shoal: ant: its output can no longer be read: gone.\n"
            "shoal: stdout of rank 0 is read up to byte 3; `shoal logs ant/AAAA:3` reads on.\n"
            "shoal: ant: given up: gone.\n");
  ::testing::internal::CaptureStderr();
  sink.OnOutput({0, 0}, v1::STREAM_KIND_STDOUT, 5, "");
  sink.OnHostOver(0, absl::UnavailableError("gone"));
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              ::testing::HasSubstr("is read up to byte 5; "));
}

TEST(RunSink, BytesThatAreGoneAreSaid) {
  ::testing::internal::CaptureStderr();
  v1::Gap gap;
  gap.set_from(10);
  gap.set_to(30);
  gap.set_reason(v1::Gap::REASON_MISSING);
  RunSinkOptions options = Options();
  options.tagged = false;
  RunSink(std::move(options)).OnGap({3, 1}, v1::STREAM_KIND_STDERR, gap);
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            "shoal: rank 3: 20 bytes of stderr from byte 10 on were lost: another program has cut "
            "or removed the file.\n");
}

TEST(RunSink, InTaggedOutputAGapStandsWhereTheBytesWere) {
  ::testing::internal::CaptureStdout();
  v1::Gap gap;
  gap.set_from(2);
  gap.set_to(3);
  gap.set_reason(v1::Gap::REASON_CAP);
  RunSink sink(Options());
  sink.OnOutput({0, 0}, v1::STREAM_KIND_STDOUT, 0, "be");
  sink.OnGap({0, 0}, v1::STREAM_KIND_STDOUT, gap);
  sink.OnOutput({0, 0}, v1::STREAM_KIND_STDOUT, 3, "hind\n");
  EXPECT_EQ(::testing::internal::GetCapturedStdout(),
            "0 ant    │ be…\n"
            "0 ant    │ [1 byte of stdout from byte 2 on was dropped]\n"
            "0 ant    │ …hind\n");
}

TEST(RunSink, TextWithoutANewlineAppearsWithTime) {
  ::testing::internal::CaptureStdout();
  RunSink sink(Options());
  sink.OnOutput({1, 0}, v1::STREAM_KIND_STDOUT, 0, "Password: ");
  sink.OnTick();
  sink.OnTick();
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "1 ant    │ Password: …\n");
}

TEST(RunSink, WithAnEmptyTagLinesStayWhole) {
  ::testing::internal::CaptureStdout();
  RunSinkOptions options = Options();
  options.tag = *TagTemplate::Parse("");
  RunSink sink(std::move(options));
  sink.OnOutput({0, 0}, v1::STREAM_KIND_STDOUT, 0, "on");
  sink.OnOutput({1, 0}, v1::STREAM_KIND_STDOUT, 0, "two\n");
  sink.OnOutput({0, 0}, v1::STREAM_KIND_STDOUT, 2, "e\n");
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "two\none\n");
}

TEST(RunSink, SilenceIsOfOurOwnLinesAloneAndOfNothingThatIsLost) {
  ::testing::internal::CaptureStderr();
  RunSink sink(Options());
  SetQuiet();
  sink.OnHostLost(1, absl::UnavailableError("gone"));
  sink.OnInputLost(2, absl::PermissionDeniedError("not yours"));
  sink.OnOutput({1, 0}, v1::STREAM_KIND_STDERR, 0, "theirs\n");
  BeginOutput();
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            "shoal: the input of rank 2 was not written: not yours.\n"
            "1 ant    │ theirs\n");
}

TEST(RunSink, ProgressTellsOfRanksAndOfAHostThatIsAway) {
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  std::string said;
  RunSinkOptions options = Options();
  options.on_progress = [&said](const std::string& text) { said = text; };
  options.host_patience = absl::Minutes(1);
  RunSink sink(std::move(options));
  sink.OnTick();
  EXPECT_EQ(said, "starting 4 processes");
  sink.OnStarted({0, 0}, WithId("AAAA"));
  sink.OnStarted({1, 0}, WithId("BBBB"));
  sink.OnComplete({0, 0}, WithId("AAAA"));
  sink.OnTick();
  EXPECT_EQ(said, "1 of 4 running, 1 ended");
  sink.OnHostLost(1, absl::UnavailableError("gone"));
  sink.OnTick();
  EXPECT_EQ(said, "beetle not heard of for 0.00 s, given up in 1 min");
  sink.OnHostRegained(1);
  sink.OnTick();
  EXPECT_EQ(said, "1 of 4 running, 1 ended");
  ::testing::internal::GetCapturedStdout();
  ::testing::internal::GetCapturedStderr();
}

TEST(RunSink, AHostThatAnswersNothingIsToldAndWaitedFor) {
  ::testing::internal::CaptureStderr();
  std::string said;
  RunSinkOptions options = Options();
  options.on_progress = [&said](const std::string& text) { said = text; };
  options.host_patience = absl::Minutes(1);
  RunSink sink(std::move(options));
  sink.OnHostSilent(1, absl::Seconds(9));
  sink.OnTick();
  EXPECT_EQ(said, "beetle not heard of for 9 s");
  sink.OnHostSilent(1, absl::ZeroDuration());
  sink.OnTick();
  EXPECT_EQ(said, "starting 4 processes");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            "shoal: beetle: its agent has not answered for 9 s; waiting for it.\n"
            "shoal: beetle: its agent answers again.\n");
}

TEST(RunSink, TagsHaveAColourForEachRank) {
  ::testing::internal::CaptureStdout();
  RunSinkOptions options = Options();
  options.colours = true;
  RunSink sink(std::move(options));
  sink.OnOutput({0, 0}, v1::STREAM_KIND_STDOUT, 0, "a\n");
  sink.OnOutput({1, 0}, v1::STREAM_KIND_STDOUT, 0, "b\n");
  EXPECT_EQ(::testing::internal::GetCapturedStdout(),
            "\033[36m0 ant    │ \033[0ma\n\033[33m1 ant    │ \033[0mb\n");
}

TEST(RunSink, InJsonFramesEndsAndRefusalsAreLines) {
  ::testing::internal::CaptureStdout();
  RunSinkOptions options = Options();
  options.json = true;
  options.tagged = false;
  RunSink sink(std::move(options));
  v1::Process sim = WithId("AAAA");
  sim.set_name("sim.0");
  sim.set_host("ant");
  sink.OnStarted({0, 0}, sim);
  sink.OnOutput({0, 0}, v1::STREAM_KIND_STDOUT, 4, "hi");
  sink.OnComplete({0, 0}, sim);
  v1::RequestError error;
  error.set_code(9);
  error.set_message("no");
  sink.OnFailedToStart({2, 1}, error);
  v1::Process unstarted;
  unstarted.set_state(v1::STATE_FAILED_TO_START);
  sink.OnComplete({2, 1}, unstarted);  // of which that line has told
  sink.Finish();
  EXPECT_EQ(::testing::internal::GetCapturedStdout(),
            absl::StrCat("{\"kind\":\"output\",\"host\":\"ant\",\"id\":\"AAAA\",\"name\":\"sim.0\","
                         "\"rank\":0,\"stream\":\"STREAM_KIND_STDOUT\",\"offset\":4,"
                         "\"data\":\"hi\"}\n",
                         ProcessLine(sim),
                         "{\"kind\":\"error\",\"host\":\"beetle\",\"id\":null,\"name\":null,"
                         "\"rank\":2,\"code\":\"FAILED_PRECONDITION\",\"message\":\"no.\","
                         "\"exit_status\":125,\"start_failure\":null}\n"));
}

TEST(RunSink, OutputThatNobodyReadsIsToldOnce) {
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
