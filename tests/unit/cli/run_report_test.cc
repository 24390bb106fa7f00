#include "client/cli/run_report.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace shoal::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

RunFacts Facts() {
  RunFacts facts;
  facts.host_names = {"node1", "node2"};
  facts.halt = HaltRule::NowOnFirstFailure();
  facts.program = "./solve";
  return facts;
}

JobFailure FailureOf(int rank, int code) {
  JobFailure failure;
  failure.rank = {rank, 1};
  failure.host = "node2";
  failure.process.set_state(v1::STATE_EXITED);
  failure.process.mutable_exit()->set_code(code);
  failure.process.mutable_start_time()->set_seconds(100);
  failure.process.mutable_exit_time()->set_seconds(292);
  return failure;
}

TEST(RunReport, AllWentWellIsOneLine) {
  JobResult result;
  result.world_size = 28;
  result.succeeded = 28;
  result.elapsed = absl::Seconds(41.2);
  result.slowest = RankId{9, 0};
  result.slowest_time = absl::Seconds(40.9);
  EXPECT_EQ(ReportRun(result, Facts()),
            "28 of 28 ended, 0 failed, 41.2 s, slowest rank 9 on node1 (40.9 s)\n");
  EXPECT_EQ(RunExitStatus(result, Facts()), 0);
}

TEST(RunReport, TheFirstFailureComesFirstWithItsLastLines) {
  JobResult result;
  result.world_size = 512;
  result.failed = 1;
  result.ended_by_us = 511;
  result.halted = true;
  result.first_failure = FailureOf(317, 3);
  result.first_failure->process.mutable_exit()->set_stderr_tail(
      "solve: refining\nsolve: \x1b[2Jbad\n");
  std::string report = ReportRun(result, Facts());
  EXPECT_THAT(
      report,
      StartsWith("rank 317 on node2 failed first: exit code 3, after 3 min 12 s\n"
                 "  │ solve: refining\n"
                 "  │ solve: \\x1b[2Jbad\n"
                 "511 others were ended because of it (--halt now,fail=1); no process is left on "
                 "any host.\n"));
  EXPECT_EQ(RunExitStatus(result, Facts()), 3);
}

TEST(RunReport, ThatNothingIsLeftIsSaidOnlyIfItWasSeen) {
  JobResult result;
  result.world_size = 4;
  result.failed = 1;
  result.ended_by_us = 3;
  result.halted = true;
  result.first_failure = FailureOf(0, 1);
  result.survivors = {{"node1", {"7KQ2MDABCDEFGHIJ"}, absl::OkStatus()},
                      {"node2", {}, absl::UnavailableError("connection refused")}};
  std::string report = ReportRun(result, Facts());
  EXPECT_THAT(report, Not(HasSubstr("no process is left")));
  EXPECT_THAT(report, HasSubstr("Not ended on node1: 7KQ2MD;"));
  EXPECT_THAT(report, HasSubstr("What is left on node2 is not known: connection refused."));
}

TEST(RunReport, ASingleProcessThatExitedSpeaksForItself) {
  JobResult result;
  result.world_size = 1;
  result.failed = 1;
  result.first_failure = FailureOf(0, 7);
  EXPECT_EQ(ReportRun(result, Facts()), "");
  EXPECT_EQ(RunExitStatus(result, Facts()), 7);
}

TEST(RunReport, ASingleProcessThatWasKilledDoesNot) {
  JobResult result;
  result.world_size = 1;
  result.failed = 1;
  result.first_failure = FailureOf(0, 0);
  result.first_failure->process.mutable_exit()->set_signal(9);
  EXPECT_EQ(ReportRun(result, Facts()),
            "shoal: ./solve on node2: ended by SIGKILL, after 3 min 12 s.\n");
  EXPECT_EQ(RunExitStatus(result, Facts()), 137);
}

TEST(RunReport, AnExitThatIsUnknownIs70) {
  JobResult result;
  result.world_size = 2;
  result.failed = 1;
  result.first_failure = FailureOf(1, 0);
  result.first_failure->process.set_state(v1::STATE_LOST);
  result.first_failure->process.mutable_exit()->mutable_unknown()->set_reason(v1::CAUSE_SHIM_LOST);
  EXPECT_EQ(RunExitStatus(result, Facts()), 70);
}

TEST(RunReport, AProgramThatIsNotThereIsOneSentence) {
  JobResult result;
  result.world_size = 1;
  result.failed = 1;
  result.first_failure = JobFailure{};
  result.first_failure->host = "ant";
  result.first_failure->process.set_state(v1::STATE_FAILED_TO_START);
  v1::RequestError& error = result.first_failure->error;
  error.set_code(9);
  error.set_message("exec ./solve: No such file or directory");
  error.mutable_start_failure()->set_stage("execve");
  error.mutable_start_failure()->set_error_number(2);
  EXPECT_EQ(ReportRun(result, Facts()),
            "shoal: cannot start ./solve on ant: exec: No such file or directory. Is it on that "
            "host? `--ship ./solve` sends it along.\n");
  EXPECT_EQ(RunExitStatus(result, Facts()), 127);
}

TEST(RunReport, ALostHostIs69) {
  JobResult result;
  result.world_size = 1;
  result.failed = 1;
  result.first_failure = FailureOf(0, 0);
  result.first_failure->process.set_state(v1::STATE_LOST);
  result.first_failure->host_status = absl::UnavailableError("no route");
  EXPECT_EQ(ReportRun(result, Facts()), "shoal: ./solve on node2: its host was lost: no route.\n");
  EXPECT_EQ(RunExitStatus(result, Facts()), 69);
}

TEST(RunReport, CtrlCSaysWhatIsLeftAndIs130) {
  RunFacts facts = Facts();
  facts.end_signal = 2;
  JobResult result;
  result.world_size = 4;
  result.interrupted = true;
  result.ended_by_us = 4;
  EXPECT_THAT(
      ReportRun(result, facts),
      StartsWith(
          "Interrupted by SIGINT: 4 processes were ended; no process is left on any host.\n"));
  EXPECT_EQ(RunExitStatus(result, facts), 130);
}

TEST(QuoteTail, IsCutToTheLastLines) {
  EXPECT_EQ(QuoteTail("a\nb\nc\n", 2), "  │ b\n  │ c\n");
  EXPECT_EQ(QuoteTail("a", 2), "  │ a\n");
  EXPECT_EQ(QuoteTail("", 2), "");
}

}  // namespace
}  // namespace shoal::cli
