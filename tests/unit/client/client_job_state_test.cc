#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tests/unit/client/job_state_fixture.h"

namespace shoal {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;

TEST_F(JobStateTest, RanksAreContiguousInTheOrderOfHosts) {
  EXPECT_EQ(state().world_size(), 3);
  EXPECT_EQ(state().first_rank(0), 0);
  EXPECT_EQ(state().first_rank(1), 1);
}

TEST_F(JobStateTest, AnExitBeforeTheSpawnsAnswerIsReportedOnce) {
  state().OnProcess(0, Exited(0, 0));
  state().OnSpawned(0, Spawned(0, 1));
  EXPECT_THAT(Heard(), ElementsAre("started 0 on 0 pid 100", "exited 0 0", "complete 0"));
}

TEST_F(JobStateTest, OutputBeforeEverythingElseIsKept) {
  state().OnFrame(0, Frame(0, 0, "early"));
  EXPECT_THAT(Heard(), IsEmpty());
  state().OnSpawned(0, Spawned(0, 1));
  EXPECT_THAT(Heard(), ElementsAre("started 0 on 0 pid 100", "output 0 at 0 early"));
}

TEST_F(JobStateTest, OutputOfARankThatIsStillStartingWaitsUntilItsStartIsTold) {
  v1::Process starting = Running(0, 1);
  starting.set_state(v1::STATE_STARTING);
  starting.clear_start_time();
  starting.set_pid(0);
  state().OnProcess(0, starting);
  state().OnFrame(0, Frame(0, 0, "early"));
  EXPECT_THAT(Heard(), IsEmpty());
  state().OnProcess(0, Running(0, 2));
  EXPECT_THAT(Heard(), ElementsAre("started 0 on 0 pid 100", "output 0 at 0 early"));
}

TEST_F(JobStateTest, ARankIsCompleteWhenItsLastByteWasGivenOut) {
  state().OnSpawned(0, Spawned(0, 1));
  v1::Process exited = Exited(0, 0);
  SetWritten(exited, 4);
  state().OnProcess(0, exited);
  state().OnFrame(0, Frame(0, 0, "ab"));
  Heard();
  state().OnFrame(0, Frame(0, 2, "cd"));
  EXPECT_THAT(Heard(), ElementsAre("output 0 at 2 cd", "complete 0"));
}

TEST_F(JobStateTest, AGrandchildThatHoldsStdoutDoesNotDelayTheExit) {
  v1::Process exited = Exited(0, 0);
  exited.set_output_complete(false);
  state().OnProcess(0, exited);
  EXPECT_THAT(Heard(), ElementsAre("started 0 on 0 pid 100", "exited 0 0"));
  state().OnProcess(0, Exited(0, 0, 9));
  EXPECT_THAT(Heard(), ElementsAre("complete 0"));
}

TEST_F(JobStateTest, AnOlderRevisionDoesNotTurnTimeBack) {
  state().OnProcess(0, Exited(0, 3, 9));
  state().OnProcess(0, Running(0, 2));
  EXPECT_EQ(state().Summarize().processes[0].exit().code(), 3);
}

TEST_F(JobStateTest, RepeatedBytesAreGivenOutOnce) {
  state().OnSpawned(0, Spawned(0, 1));
  state().OnFrame(0, Frame(0, 0, "ab"));
  Heard();
  state().OnFrame(0, Frame(0, 0, "ab"));
  EXPECT_THAT(Heard(), IsEmpty());
}

TEST_F(JobStateTest, TheFirstFailureIsTheFailureAndTheRestACount) {
  spec_.halt = HaltRule::NowOnFirstFailure();
  state().OnProcess(1, Exited(2, 7));
  EXPECT_EQ(Actions(), "terminate:0 terminate:1");
  state().OnProcess(1, Ended(1, v1::CAUSE_TERMINATED));
  state().OnProcess(0, Ended(0, v1::CAUSE_TERMINATED));
  EXPECT_TRUE(state().IsComplete());
  JobResult result = state().Summarize();
  EXPECT_TRUE(result.halted);
  EXPECT_EQ(result.failed, 1);
  EXPECT_EQ(result.ended_by_us, 2);
  ASSERT_TRUE(result.first_failure.has_value());
  EXPECT_EQ(result.first_failure->rank.rank, 2);
  EXPECT_EQ(result.first_failure->host, "b");
  EXPECT_EQ(result.first_failure->process.exit().code(), 7);
}

TEST_F(JobStateTest, OfOneHostTheFirstFailureIsTheFirstByExitTime) {
  spec_.halt = *ParseHaltRule("never");
  state().OnProcess(1, Exited(2, 7));  // at 1012
  state().OnProcess(1, Exited(1, 5));  // at 1011
  EXPECT_EQ(state().Summarize().first_failure->rank.rank, 1);
  state().OnProcess(0, Exited(0, 4));  // at 1010, by another clock
  EXPECT_EQ(state().Summarize().first_failure->rank.rank, 1);
}

TEST_F(JobStateTest, OfSeveralHostsTheirClocksAreSetOff) {
  spec_.halt = *ParseHaltRule("never");
  const absl::Time boot = absl::FromUnixSeconds(900);
  state().SetClock(0, {boot + absl::Minutes(1), absl::Milliseconds(2)});  // a minute ahead of b's
  state().SetClock(1, {boot, absl::Milliseconds(2)});
  state().OnProcess(1, Exited(1, 5));  // at 1011
  v1::Process first = Exited(0, 4);
  first.mutable_exit_time()->set_seconds(1070);  // 1 s earlier, by its clock
  state().OnProcess(0, first);
  JobResult result = state().Summarize();
  EXPECT_EQ(result.first_failure->rank.rank, 0);
  EXPECT_TRUE(result.maybe_first.empty());
  EXPECT_EQ(result.failures.size(), 2u);
}

TEST_F(JobStateTest, WhereTheClocksCannotTellBothAreNamed) {
  spec_.halt = *ParseHaltRule("never");
  state().SetClock(0, {absl::UnixEpoch(), absl::Milliseconds(600)});
  state().SetClock(1, {absl::UnixEpoch(), absl::Milliseconds(500)});
  state().OnProcess(1, Exited(2, 7));  // at 1012
  state().OnProcess(1, Exited(1, 5));  // at 1011
  state().OnProcess(0, Exited(0, 4));  // at 1010
  JobResult result = state().Summarize();
  EXPECT_EQ(result.first_failure->rank.rank, 0);
  ASSERT_EQ(result.maybe_first.size(), 1u);
  EXPECT_EQ(result.maybe_first[0].rank, 1);
}

TEST_F(JobStateTest, ARankThatALimitOrALapseEndedIsAFailureWhateverItsCode) {
  v1::Process limited = Exited(0, 0);
  limited.mutable_exit()->set_cause(v1::CAUSE_TIME_LIMIT);
  v1::Process lapsed = Exited(1, 0);
  lapsed.mutable_exit()->set_cause(v1::CAUSE_SESSION_EXPIRED);
  spec_.halt = *ParseHaltRule("now,success=1");
  state().OnProcess(0, limited);
  state().OnProcess(1, lapsed);
  EXPECT_EQ(Actions(), "");  // no success: the rule is not met
  JobResult result = state().Summarize();
  EXPECT_EQ(result.succeeded, 0);
  EXPECT_EQ(result.failed, 2);
  EXPECT_EQ(result.first_failure->rank.rank, 0);
}

TEST_F(JobStateTest, ARankThatTheHaltEndedIsEndedByUsAlsoWithCode0) {
  spec_.halt = HaltRule::NowOnFirstFailure();
  state().OnProcess(0, Exited(0, 7));
  v1::Process handled = Exited(1, 0);
  handled.mutable_exit()->set_cause(v1::CAUSE_TERMINATED);
  state().OnProcess(1, handled);
  v1::Process by_itself = Exited(2, 0);
  by_itself.mutable_exit()->set_cause(v1::CAUSE_EXITED);
  state().OnProcess(1, by_itself);
  JobResult result = state().Summarize();
  EXPECT_EQ(result.ended_by_us, 1);
  EXPECT_EQ(result.succeeded, 1);
}

TEST_F(JobStateTest, HaltSoonEndsNothing) {
  spec_.halt = *ParseHaltRule("soon,fail=1");
  state().OnProcess(0, Exited(0, 1));
  EXPECT_EQ(Actions(), "");
  EXPECT_TRUE(state().Summarize().halted);
}

TEST_F(JobStateTest, AFailureOfTheLastRankHaltsNothing) {
  spec_.counts = {1, 0};
  spec_.halt = HaltRule::NowOnFirstFailure();
  state().OnProcess(0, Exited(0, 1));
  EXPECT_FALSE(state().Summarize().halted);
  EXPECT_TRUE(state().IsComplete());
}

TEST_F(JobStateTest, SomebodyElsesTerminateIsAFailure) {
  state().OnProcess(0, Ended(0, v1::CAUSE_TERMINATED));
  EXPECT_EQ(state().Summarize().failed, 1);
}

TEST_F(JobStateTest, AfterAnInterruptWhatEndsOnRequestWasEndedByUs) {
  state().OnSpawned(0, Spawned(0, 1));
  state().OnSpawned(1, Spawned(1, 2));
  state().Interrupt();
  EXPECT_EQ(Actions(), "") << "the job has told the hosts before";
  state().OnProcess(0, Ended(0, v1::CAUSE_TERMINATED));
  EXPECT_TRUE(state().Summarize().interrupted);
  EXPECT_EQ(state().Summarize().ended_by_us, 1);
}

TEST_F(JobStateTest, WhatWasEndedBeforeItStartedCountsAsEndedByUs) {
  spec_.halt = *ParseHaltRule("now,success=1");
  v1::SpawnBatchResponse answer = Spawned(1, 2);
  v1::RequestError* error = answer.mutable_results(0)->mutable_error();
  error->mutable_start_failure()->set_stage("setup");
  error->mutable_start_failure()->set_error_number(ECANCELED);
  state().OnProcess(0, Exited(0, 0));
  state().OnSpawned(1, answer);
  JobResult result = state().Summarize();
  EXPECT_EQ(result.ended_by_us, 1);
  EXPECT_EQ(result.failed_to_start, 0);
  EXPECT_FALSE(result.first_failure.has_value());
}

TEST_F(JobStateTest, WhatSomebodyElseEndedBeforeItStartedIsAFailedStart) {
  v1::SpawnBatchResponse answer = Spawned(0, 1);
  answer.mutable_results(0)->mutable_error()->mutable_start_failure()->set_error_number(ECANCELED);
  state().OnSpawned(0, answer);
  EXPECT_EQ(state().Summarize().failed_to_start, 1);
}

TEST_F(JobStateTest, ASecondInterruptDoesNotWaitForAHostThatIsOutOfReach) {
  state().OnSpawned(0, Spawned(0, 1));
  state().OnSpawned(1, Spawned(1, 2));
  state().OnConnection(1, absl::UnavailableError("gone"));
  state().Interrupt();
  state().OnProcess(0, Ended(0, v1::CAUSE_TERMINATED));
  EXPECT_FALSE(state().IsComplete());
  state().Interrupt();
  EXPECT_EQ(state().Summarize().unknown, 2);
  EXPECT_EQ(state().gone_reason(1),
            absl::UnavailableError("it could not be reached when the job was interrupted"));
}

TEST_F(JobStateTest, AFailedStartIsAFailureOfItsRankOnly) {
  v1::SpawnBatchResponse answer = Spawned(1, 2);
  answer.mutable_results(0)->mutable_error()->set_message("exec: No such file");
  state().OnSpawned(1, answer);
  EXPECT_THAT(Heard(),
              ElementsAre("failed 1 exec: No such file", "complete 1", "started 2 on 1 pid 102"));
  JobResult result = state().Summarize();
  EXPECT_EQ(result.failed_to_start, 1);
  EXPECT_EQ(result.first_failure->process.start_failure().message(), "exec: No such file");
}

TEST_F(JobStateTest, WhatTheWatchTellsOfAnEarlierTimeDoesNotUndoAFailedStart) {
  v1::SpawnBatchResponse answer = Spawned(0, 1);
  answer.mutable_results(0)->mutable_error()->set_message("no input");
  state().OnSpawned(0, answer);
  v1::Process process = Running(0);
  process.set_state(v1::STATE_STARTING);
  state().OnProcess(0, process);
  EXPECT_EQ(state().Summarize().processes[0].state(), v1::STATE_FAILED_TO_START);
}

TEST_F(JobStateTest, AFailedStartThatTheWatchSawToIsCountedOnce) {
  v1::Process process = Running(0);
  process.set_state(v1::STATE_FAILED_TO_START);
  process.mutable_start_failure()->set_message("chdir");
  state().OnProcess(0, process);
  v1::SpawnBatchResponse answer;
  answer.add_results()->mutable_error()->set_message("chdir");
  state().OnSpawned(0, answer);
  EXPECT_THAT(Heard(), ElementsAre("failed 0 chdir", "complete 0"));
}

TEST_F(JobStateTest, ARefusedBatchIsAFailedStartOfEachOfItsRanks) {
  state().OnSpawned(1, absl::InvalidArgumentError("argv[0]: empty"));
  EXPECT_THAT(Heard(), ElementsAre("failed 1 argv[0]: empty", "complete 1",
                                   "failed 2 argv[0]: empty", "complete 2"));
}

TEST_F(JobStateTest, ARankThatTheAnswerDoesNotNameIsAFailedStart) {
  state().OnSpawned(1, Spawned(1, 1));
  EXPECT_THAT(Heard(), ElementsAre("started 1 on 1 pid 101",
                                   "failed 2 the agent did not answer for it", "complete 2"));
}

TEST_F(JobStateTest, AHostThatIsGivenUpLosesOnlyWhatHadNotEnded) {
  state().OnProcess(1, Exited(1, 0));
  state().OnSpawned(1, Spawned(1, 2));
  state().OnConnection(1, absl::UnavailableError("gone"));
  state().OnHostGone(1, absl::UnavailableError("gone"));
  JobResult result = state().Summarize();
  EXPECT_EQ(result.succeeded, 1);
  EXPECT_EQ(result.unknown, 1);
  EXPECT_EQ(result.first_failure->rank.rank, 2);
  EXPECT_FALSE(result.first_failure->host_status.ok());
  EXPECT_EQ(state().gone_reason(1).message(), "gone");
}

TEST_F(JobStateTest, AnUnansweredSpawnIsNoFailedStart) {
  state().OnSpawned(0, absl::DeadlineExceededError("no answer"));
  EXPECT_EQ(state().Summarize().failed_to_start, 0);
  EXPECT_EQ(state().Summarize().unknown, 1);
}

TEST_F(JobStateTest, ALostSessionKeepsTheExitsThatTheAgentStillKnows) {
  state().OnSpawned(1, Spawned(1, 2));
  std::vector<v1::Process> known = {Ended(1, v1::CAUSE_SESSION_EXPIRED)};
  state().OnSessionOver(1, absl::NotFoundError("session lapsed"), known);
  JobResult result = state().Summarize();
  EXPECT_EQ(result.processes[1].exit().cause(), v1::CAUSE_SESSION_EXPIRED);
  EXPECT_EQ(result.processes[2].state(), v1::STATE_LOST);
  EXPECT_EQ(result.unknown, 1);
  EXPECT_THAT(Heard(), Contains("host 1 its session is over: session lapsed"))
      << "not that anything is tried again";
}

TEST_F(JobStateTest, ALapseIsToldOnceWithWhatKeptTheProgramFromRenewing) {
  state().OnLapse(1, absl::Seconds(22.4));
  state().OnLapse(1, absl::Seconds(22.4));
  state().OnSessionOver(1, absl::NotFoundError("session lapsed"), std::vector<v1::Process>());
  EXPECT_THAT(Heard(),
              Contains("host 1 its session is over: it lapsed, not being renewed in time; this "
                       "program did not run for 22s: it was stopped, or had no processor, or its "
                       "machine slept"));
  state().OnLapse(0, absl::ZeroDuration());
  EXPECT_THAT(Heard(),
              Contains("host 0 its session is over: it lapsed, not being renewed in time"));
}

TEST_F(JobStateTest, WhatIsNotTriedAgainIsToldAsSuch) {
  state().OnOutputEnd(0, absl::DataLossError("the file is gone"));
  state().OnConnection(1, absl::UnavailableError("no route"));
  state().OnHostGone(1, absl::UnavailableError("no answer for 1 min"));
  EXPECT_THAT(Heard(), IsSupersetOf({"host 0 its output can no longer be read: the file is gone",
                                     "lost host 1", "host 1 given up: no answer for 1 min"}));
}

TEST_F(JobStateTest, AHostThatIsGivenUpIsNotSaidToBeTriedAgain) {
  state().OnHostGone(1, absl::UnavailableError("no answer for 1 min"));
  Heard();
  state().OnConnection(1, absl::UnavailableError("gone"));
  state().OnConnection(1, absl::OkStatus());
  EXPECT_THAT(Heard(), ElementsAre());
}

TEST_F(JobStateTest, ABrokenConnectionIsToldOnceAndSoIsItsReturn) {
  for (int i = 0; i < 2; ++i) state().OnConnection(0, absl::UnavailableError("x"));
  for (int i = 0; i < 2; ++i) state().OnConnection(0, absl::OkStatus());
  EXPECT_THAT(Heard(), ElementsAre("lost host 0", "regained host 0"));
}

TEST_F(JobStateTest, SilenceIsToldOnceAndSoIsItsEnd) {
  for (int i = 0; i < 2; ++i) state().OnSilence(0, absl::Seconds(9));
  for (int i = 0; i < 2; ++i) state().OnSilence(0, absl::ZeroDuration());
  EXPECT_THAT(Heard(), ElementsAre("host 0 silent for 9", "host 0 silent for 0"));
}

TEST_F(JobStateTest, OfABrokenConnectionSilenceIsNoNews) {
  state().OnSilence(0, absl::Seconds(9));
  state().OnConnection(0, absl::UnavailableError("x"));
  state().OnSilence(0, absl::Seconds(12));
  state().OnConnection(0, absl::OkStatus());
  state().OnSilence(0, absl::ZeroDuration());
  EXPECT_THAT(Heard(), ElementsAre("host 0 silent for 9", "lost host 0", "regained host 0"));
}

TEST_F(JobStateTest, WhenTheReaderIsOverNobodyWaitsForBytes) {
  v1::Process exited = Exited(0, 0);
  SetWritten(exited, 100);
  state().OnProcess(0, exited);
  Heard();
  state().OnOutputEnd(0, absl::OkStatus());
  EXPECT_THAT(Heard(), ElementsAre("complete 0"));
}

TEST_F(JobStateTest, AResultThatTheJobDoesNotReadIsNotWaitedFor) {
  state().OnSpawned(0, Spawned(0, 1));
  v1::Process process = Exited(0, 0);
  SetWritten(process, 0);
  v1::StreamPosition* result = process.add_output();
  result->set_stream(v1::STREAM_KIND_RESULT);
  result->set_end_offset(100);
  state().OnProcess(0, process);
  EXPECT_THAT(Heard(), ::testing::Contains("complete 0"));
}

TEST_F(JobStateTest, WithoutOutputNothingIsWaitedFor) {
  spec_.read_output = false;
  v1::Process exited = Exited(0, 0);
  SetWritten(exited, 100);
  exited.set_output_complete(false);
  state().OnProcess(0, exited);
  EXPECT_THAT(Heard(), ::testing::Contains("complete 0"));
}

TEST_F(JobStateTest, FourMebibytesGivenOutAreAcknowledged) {
  state().OnSpawned(0, Spawned(0, 1));
  state().OnFrame(0, Frame(0, 0, std::string(kAcknowledgeBytes, 'x')));
  EXPECT_EQ(Actions(), "acknowledge:0");
}

TEST_F(JobStateTest, ASmallCapIsAcknowledgedBeforeTheWriterHasToWaitForEver) {
  spec_.process.mutable_output()->set_cap_bytes(64 << 10);
  state().OnSpawned(0, Spawned(0, 1));
  state().OnFrame(0, Frame(0, 0, std::string((16 << 10) - 1, 'x')));
  EXPECT_EQ(Actions(), "");
  state().OnFrame(0, Frame(0, (16 << 10) - 1, "x"));
  EXPECT_EQ(Actions(), "acknowledge:0");
}

TEST_F(JobStateTest, TheSlowestRankIsTheOneThatRanLongest) {
  state().OnProcess(1, Exited(2, 0));
  state().OnProcess(0, Exited(0, 0));
  JobResult result = state().Summarize();
  EXPECT_EQ(result.slowest->rank, 2);
  EXPECT_EQ(result.slowest_time, absl::Seconds(12));
}

TEST_F(JobStateTest, ProcessesOfOthersAreNotOurs) {
  v1::Process stranger = Running(2);
  stranger.set_id("OTHER");
  state().OnProcess(0, stranger);  // rank 2 is not on host 0
  stranger.clear_rank();
  state().OnProcess(1, stranger);
  EXPECT_THAT(Heard(), IsEmpty());
}

}  // namespace
}  // namespace shoal
