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

TEST(RunReport, SeveralFailuresAreATableByHostAndEnd) {
  JobResult result;
  result.world_size = 6;
  result.failed = 5;
  result.succeeded = 1;
  result.processes.assign(6, FailureOf(0, 3).process);
  result.processes[2].mutable_exit()->set_signal(11);
  result.processes[3].set_state(v1::STATE_FAILED_TO_START);
  result.processes[5].mutable_exit()->set_code(0);
  result.processes[5].mutable_exit()->set_cause(v1::CAUSE_TIME_LIMIT);
  result.failures = {{0, 0}, {1, 0}, {2, 0}, {3, 1}, {5, 1}};
  result.first_failure = FailureOf(5, 0);
  result.first_failure->process = result.processes[5];
  result.maybe_first = {{1, 0}};
  RunFacts facts = Facts();
  facts.halt = HaltRule::Never();
  EXPECT_EQ(
      ReportRun(result, facts),
      "rank 5 on node2 failed first: exit code 0 at its time limit of 0.00 s, after 3 min 12 s\n"
      "Or it was rank 1 on node1 (exit code 3): their clocks are not known well enough to tell.\n"
      "FAILED ON  END                                      RANKS\n"
      "node1      ended by SIGSEGV                         2\n"
      "node1      exit code 3                              0-1\n"
      "node2      did not start                            3\n"
      "node2      exit code 0 at its time limit of 0.00 s  5\n"
      "6 of 6 ended, 5 failed, 0.00 s\n");
}

TEST(RunReport, AVeryLongTableIsCut) {
  JobResult result;
  result.world_size = result.failed = 60;
  for (int rank = 0; rank < 60; ++rank) {
    result.processes.push_back(FailureOf(rank, rank).process);
    result.failures.push_back({rank, 1});
    if (rank > 0) result.maybe_first.push_back({rank, 1});
  }
  result.first_failure = FailureOf(0, 0);
  std::string report = ReportRun(result, Facts());
  EXPECT_THAT(
      report,
      HasSubstr("Or it was rank 1 on node2 (exit code 1), or rank 2 on node2 (exit code 2), or "
                "rank 3 on node2 (exit code 3), or others: their clocks"));
  EXPECT_THAT(report, HasSubstr("\nand 20 more lines\n"));
}

TEST(RunReport, WhatIsKeptIsToldByName) {
  JobResult result;
  result.world_size = result.succeeded = 1;
  v1::Process kept;
  kept.set_name("web.0");
  kept.set_id("ABCDEFGHIJKLMNOP");
  result.kept = {kept};
  EXPECT_EQ(
      ReportRun(result, Facts()),
      "What has outlived 1 rank goes on, detached, as web.0 (ABCDEF); `shoal stop` ends it.\n");
  result.kept.assign(10, kept);
  EXPECT_THAT(ReportRun(result, Facts()), HasSubstr("web.0 (ABCDEF), 2 more; `shoal stop`"));
  result.interrupted = true;
  result.ended_by_us = 1;
  EXPECT_THAT(ReportRun(result, Facts()), ::testing::Not(HasSubstr("no process is left")));
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

// Nine ranks of which something was ended, after one that left nothing to be ended.
TEST(RunReport, WhatOutlivedRanksAndWasEndedIsNamed) {
  JobResult result;
  result.world_size = 10;
  result.succeeded = 10;
  for (int rank = 0; rank < 10; ++rank) {
    v1::Process& process = result.processes.emplace_back();
    process.set_rank(rank);
    process.set_host("node1");
    process.set_tree_empty(true);
    process.mutable_exit_time()->set_seconds(100);
    v1::Descendants* left = process.mutable_descendants();
    left->set_count(1);
    v1::Survivor* member = left->add_members();
    member->set_command("sleep");
    member->set_pid(400 + rank);
    if (rank == 0) continue;
    left->set_signal(15);
    left->mutable_signal_time()->set_seconds(105);
  }
  const std::string report = ReportRun(result, Facts());
  EXPECT_THAT(report, StartsWith("rank 1 on node1: 1 process outlived it, sleep (401): SIGTERM "
                                 "5 s after its exit.\nrank 2 on node1: "));
  EXPECT_THAT(report, HasSubstr("rank 8 on node1: 1 process outlived it, sleep (408): SIGTERM "
                                "5 s after its exit.\nSo it was with 1 more rank.\n"));
  result.world_size = 1;
  result.processes.erase(result.processes.begin());
  result.processes.resize(1);
  EXPECT_EQ(ReportRun(result, Facts()),
            "shoal: ./solve on node1: 1 process outlived it, sleep (401): SIGTERM 5 s after its "
            "exit.\n");
}

TEST(RunReport, ASingleProcessThatExitedSpeaksForItself) {
  JobResult result;
  result.world_size = 1;
  result.failed = 1;
  result.first_failure = FailureOf(0, 7);
  EXPECT_EQ(ReportRun(result, Facts()), "");
  EXPECT_EQ(RunExitStatus(result, Facts()), 7);
}

TEST(RunReport, AtATimeLimitThatIsSaidAndTheStatusIs124) {
  JobResult result;
  result.world_size = 1;
  result.failed = 1;
  result.first_failure = FailureOf(0, 0);
  result.first_failure->process.mutable_exit()->set_cause(v1::CAUSE_TIME_LIMIT);
  result.first_failure->process.mutable_spec()->mutable_time_limit()->set_seconds(192);
  EXPECT_EQ(ReportRun(result, Facts()),
            "shoal: ./solve on node2: exit code 0 at its time limit of 3 min 12 s, after 3 min 12 "
            "s.\n");
  EXPECT_EQ(RunExitStatus(result, Facts()), 124);
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

TEST(RunReport, WhatHadNotStartedDoesNotCountAsEnded) {
  RunFacts facts = Facts();
  facts.end_signal = 2;
  JobResult result;
  result.world_size = 300;
  result.interrupted = true;
  result.ended_by_us = 300;
  result.ended_before_start = 299;
  result.elapsed = absl::Seconds(1);
  EXPECT_EQ(ReportRun(result, facts),
            "Interrupted by SIGINT: 1 process was ended, 299 were not started; no process is left "
            "on any host.\n1 of 300 ended, 0 failed, 1 ended by us, 299 not started, 1 s\n");
  result.ended_before_start = 300;
  EXPECT_THAT(ReportRun(result, facts),
              StartsWith("Interrupted by SIGINT: 300 processes were not started; no process is "
                         "left on any host.\n0 of 300 ended, 0 failed, 300 not started"));
}

TEST(RunReport, WhatIsLeftIsNamedWithTheWayToSeeIt) {
  JobResult result;
  result.world_size = 2;
  result.succeeded = 2;
  result.elapsed = absl::Seconds(5);
  result.survivors = {{"node1", {"7KQ2MDABCDEFGHIJ", "BBBBBBBBBBBBBBBB"}, absl::OkStatus()},
                      {"node2", {}, absl::UnavailableError("connection refused")}};
  EXPECT_EQ(ReportRun(result, Facts()),
            "Not ended on node1: 7KQ2MD, BBBBBB; `shoal ps -a` shows them.\n"
            "What is left on node2 is not known: connection refused.\n"
            "2 of 2 ended, 0 failed, 5 s\n");
  result.survivors = {{"node1", {"7KQ2MDABCDEFGHIJ"}, absl::OkStatus()}};
  EXPECT_THAT(ReportRun(result, Facts()),
              StartsWith("Not ended on node1: 7KQ2MD; `shoal ps -a` shows it.\n"));
  RunFacts named = Facts();
  named.host_flags = {"unix:/a.sock", "node2"};
  EXPECT_THAT(ReportRun(result, named),
              StartsWith("Not ended on node1: 7KQ2MD; `shoal -H unix:/a.sock ps -a` shows it.\n"));
  EXPECT_EQ(RunExitStatus(result, Facts()), 1);
}

TEST(RunReport, UnknownExitsAreCountedApart) {
  JobResult result;
  result.world_size = 3;
  result.succeeded = 1;
  result.failed = 2;
  result.unknown = 1;
  result.elapsed = absl::Seconds(5);
  result.first_failure = FailureOf(1, 0);
  result.first_failure->process.mutable_exit()->mutable_unknown()->set_reason(v1::CAUSE_SHIM_LOST);
  result.first_failure->process.set_state(v1::STATE_LOST);
  EXPECT_EQ(ReportRun(result, Facts()),
            "rank 1 on node2 failed first: its exit is unknown: its shim was lost\n"
            "2 of 3 ended, 2 failed, 1 of them unknown, 5 s\n");
}

TEST(RunReport, AnInterruptAfterAFailureCountsTheOthers) {
  RunFacts facts = Facts();
  facts.end_signal = 15;
  JobResult result;
  result.world_size = 2;
  result.failed = 1;
  result.ended_by_us = 1;
  result.interrupted = true;
  result.elapsed = absl::Seconds(5);
  result.first_failure = FailureOf(0, 3);
  EXPECT_EQ(ReportRun(result, facts),
            "rank 0 on node2 failed first: exit code 3, after 3 min 12 s\n"
            "Interrupted by SIGTERM: 1 other was ended; no process is left on any host.\n"
            "2 of 2 ended, 1 failed, 1 ended by us, 5 s\n");
  EXPECT_EQ(RunExitStatus(result, facts), 3) << "the failure came first";
}

TEST(RunReport, AloneAFailureIsNotTheFirst) {
  JobResult result;
  result.world_size = 2;
  result.succeeded = 1;
  result.failed = 1;
  result.elapsed = absl::Seconds(5);
  result.first_failure = FailureOf(0, 3);
  EXPECT_EQ(ReportRun(result, Facts()),
            "rank 0 on node2 failed: exit code 3, after 3 min 12 s\n"
            "2 of 2 ended, 1 failed, 5 s\n");
}

TEST(RunReport, WhatWasDetachedGoesOn) {
  RunFacts facts = Facts();
  facts.end_signal = 1;
  JobResult result;
  result.world_size = 4;
  result.detached = true;
  EXPECT_EQ(ReportRun(result, facts),
            "shoal: hung up; what still ran was detached and goes on. `shoal ps` shows it.\n");
  EXPECT_EQ(RunExitStatus(result, facts), 129);
}

TEST(QuoteTail, IsCutToTheLastLines) {
  EXPECT_EQ(QuoteTail("a\nb\nc\n", 2), "  │ b\n  │ c\n");
  EXPECT_EQ(QuoteTail("a", 2), "  │ a\n");
  EXPECT_EQ(QuoteTail("", 2), "");
}

}  // namespace
}  // namespace shoal::cli
