// Jobs over hosts without a server: what is asked of each, and what is made of the answers.
#include <gmock/gmock.h>

#include "shoal/duration.h"
#include "shoal/v1/error_detail.pb.h"
#include "tests/unit/client/job_fixture.h"

namespace shoal {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

class JobTest : public JobFixture {};

TEST_F(JobTest, RanksAreContiguousInTheOrderOfHosts) {
  spec_.counts = {2, 1};
  Start();
  StartRanks();
  const v1::Ranks second = b_->spawn_batch.Await(1).ranks();
  EXPECT_EQ(second.first_rank(), 2);
  EXPECT_EQ(second.count(), 1);
  EXPECT_EQ(second.world_size(), 3);
  EXPECT_EQ(second.host_rank(), 1);
  EXPECT_EQ(second.hosts_size(), 2);
  for (int rank : {0, 1}) Exit(*a_, Exited(rank, 0));
  Exit(*b_, Exited(2, 0));
  EXPECT_EQ(Finish()->succeeded, 3);
}

TEST_F(JobTest, WithoutANameItHasOneOnAllItsHosts) {
  Start();
  const std::string name = a_->spawn_batch.Await(1).specs(0).name();
  EXPECT_THAT(name, ::testing::MatchesRegex("worker-[a-z2-7]{4}"));
  EXPECT_EQ(b_->spawn_batch.Await(1).specs(0).name(), name);
  StartRanks();
  for (int rank : {0, 1}) Exit(rank == 0 ? *a_ : *b_, Exited(rank, 0));
  EXPECT_EQ(Finish()->succeeded, 2);
}

TEST_F(JobTest, OnOneHostTheAgentNamesIt) {
  spec_.counts = {0, 2};
  Start();
  EXPECT_EQ(b_->spawn_batch.Await(1).specs(0).name(), "");
  b_->spawn_batch.Answer(Spawned(0, 2));
  for (int rank : {0, 1}) Exit(*b_, Exited(rank, 0));
  EXPECT_EQ(Finish()->succeeded, 2);
}

TEST_F(JobTest, AHostWithoutRanksIsLeftAlone) {
  spec_.counts = {0, 1};
  Start();
  b_->spawn_batch.Await(1);
  b_->spawn_batch.Answer(Spawned(0, 1));
  Exit(*b_, Exited(0, 0));
  EXPECT_EQ(Finish()->succeeded, 1);
  EXPECT_EQ(a_->open.calls(), 0u);
  EXPECT_EQ(b_->spawn_batch.Await(1).ranks().host_rank(), 0);
}

TEST_F(JobTest, TheFirstFailureIsTheFirstByExitTimeAndNotTheFirstHeardOf) {
  const absl::Time boot = absl::FromUnixSeconds(900);
  a_->SetClock({boot + absl::Minutes(1), absl::Milliseconds(2)});  // a minute ahead of b's
  b_->SetClock({boot, absl::Milliseconds(2)});
  Start();
  StartRanks();
  Exit(*b_, Exited(1, 5));  // at 1011
  b_->Settle();
  v1::Process first = Exited(0, 4);
  first.mutable_exit_time()->set_seconds(1070);  // 1 s earlier, by its clock
  Exit(*a_, first);
  const absl::StatusOr<JobResult> result = Finish();
  ASSERT_TRUE(result.ok() && result->first_failure.has_value());
  EXPECT_EQ(result->first_failure->rank.rank, 0);
  EXPECT_EQ(result->failed, 2);
  EXPECT_TRUE(result->maybe_first.empty());
}

TEST_F(JobTest, AHostThatIsLostAndBackCostsNothing) {
  Start();
  StartRanks();
  a_->AwaitWatch(1)->Tell(Synced(3));
  a_->AwaitWatch(1)->Break();
  a_->AwaitWatch(1)->Mend();
  EXPECT_EQ(a_->AwaitWatch(1)->AwaitAttempt(2).from_revision(), 3);
  for (int rank : {0, 1}) Exit(rank == 0 ? *a_ : *b_, Exited(rank, 0));
  EXPECT_EQ(Finish()->succeeded, 2);
  EXPECT_EQ(lost_, 1);
  EXPECT_EQ(regained_, 1);
}

TEST_F(JobTest, OutputOfABrokenConnectionGoesOnByOffset) {
  Start();
  StartRanks();
  auto output = a_->AwaitOutput(1);
  output->Tell(Frame(0, 0, "abc"));
  output->Break();
  output->Mend();
  const v1::ReadOutputRequest again = output->AwaitAttempt(2);
  ASSERT_EQ(again.resume_size(), 1);
  EXPECT_EQ(again.resume(0).id(), "ID0");
  EXPECT_EQ(again.resume(0).offset(), 3);
  output->Tell(Frame(0, 1, "bcd"));  // as it may still be on its way
  v1::Process exited = Exited(0, 0);
  exited.add_output()->set_stream(v1::STREAM_KIND_STDOUT);
  exited.mutable_output(0)->set_end_offset(4);
  Exit(*a_, exited);
  Exit(*b_, Exited(1, 0));
  EXPECT_EQ(Finish()->succeeded, 2);
  EXPECT_THAT(output_, ElementsAre(Pair(0, "abcd")));
}

TEST_F(JobTest, AHostThatStaysAwayIsGivenUpAndSaidSo) {
  spec_.host_patience = absl::Seconds(7);
  Start();
  StartRanks();
  EXPECT_EQ(b_->AwaitWatch(1)->patience(), absl::Seconds(7));
  b_->AwaitWatch(1)->End(absl::UnavailableError("gone"));
  Exit(*a_, Exited(0, 0));
  const absl::StatusOr<JobResult> result = Finish();
  EXPECT_EQ(result->succeeded, 1);
  EXPECT_EQ(result->unknown, 1);
  ASSERT_EQ(result->survivors.size(), 1u);
  EXPECT_EQ(result->survivors[0].status, absl::UnavailableError("gone"));
  EXPECT_EQ(result->first_failure->rank.rank, 1);
  EXPECT_EQ(b_->close.calls(), 0u);
}

TEST_F(JobTest, AnAgentThatEndsTheWatchIsLost) {
  Start();
  StartRanks();
  a_->AwaitWatch(1)->End(absl::OkStatus());
  Exit(*b_, Exited(1, 0));
  const absl::StatusOr<JobResult> result = Finish();
  ASSERT_TRUE(result->first_failure.has_value());
  EXPECT_EQ(result->first_failure->host_status,
            absl::UnavailableError("the agent ended the watch of the session"));
}

TEST_F(JobTest, AStartWhoseAnswerNeverComesLeavesItsRanksLost) {
  Start();
  a_->spawn_batch.Await(1);
  a_->spawn_batch.Answer(absl::DeadlineExceededError("no answer"));
  b_->spawn_batch.Await(1);
  b_->spawn_batch.Answer(Spawned(1, 1));
  Exit(*b_, Exited(1, 0));
  const absl::StatusOr<JobResult> result = Finish();
  EXPECT_EQ(result->failed_to_start, 0) << "they may have been started";
  EXPECT_EQ(result->unknown, 1);
  ASSERT_EQ(result->survivors.size(), 1u);
  EXPECT_EQ(result->survivors[0].host, "a");
}

TEST_F(JobTest, AFailedStartIsTheFailure) {
  Start();
  v1::SpawnBatchResponse refused;
  refused.add_results()->mutable_error()->set_message("exec: No such file or directory");
  a_->spawn_batch.Await(1);
  a_->spawn_batch.Answer(refused);
  b_->spawn_batch.Await(1);
  b_->spawn_batch.Answer(Spawned(1, 1));
  Exit(*b_, Exited(1, 0));
  const absl::StatusOr<JobResult> result = Finish();
  EXPECT_EQ(result->failed_to_start, 1);
  EXPECT_EQ(result->first_failure->process.start_failure().message(),
            "exec: No such file or directory");
}

TEST_F(JobTest, ASessionThatCannotBeOpenedStartsNothing) {
  b_->open.AnswerAll(
      [](const v1::OpenRequest&) { return absl::ResourceExhaustedError("too many sessions"); });
  Start();
  EXPECT_EQ(Finish().status(), absl::ResourceExhaustedError("too many sessions"));
  EXPECT_EQ(a_->spawn_batch.calls(), 0u);
  EXPECT_EQ(a_->close.calls(), 1u);
}

TEST_F(JobTest, ASessionThatIsOverKeepsTheTrueExits) {
  Start();
  StartRanks();
  a_->leases()[0]->Lose(absl::NotFoundError("it lapsed"));
  a_->list.Await(1);
  v1::ListResponse known;
  *known.add_processes() = Ended(0, v1::CAUSE_SESSION_EXPIRED);
  a_->list.Answer(known);
  Exit(*b_, Exited(1, 0));
  const absl::StatusOr<JobResult> result = Finish();
  EXPECT_EQ(result->failed, 1);
  EXPECT_EQ(result->unknown, 0);
  EXPECT_EQ(result->processes[0].exit().cause(), v1::CAUSE_SESSION_EXPIRED);
}

TEST_F(JobTest, ASessionThatAnotherClientHasTakenIsWatchedAndLeftToIt) {
  Start();
  StartRanks();
  v1::ErrorInfo info;
  info.set_reason("FENCED");
  absl::Status fenced = absl::FailedPreconditionError("session A was taken over by uid:1");
  fenced.SetPayload("type.googleapis.com/google.rpc.ErrorInfo",
                    absl::Cord(info.SerializeAsString()));
  a_->leases()[0]->Lose(fenced);
  Exit(*a_, Exited(0, 3));
  Exit(*b_, Exited(1, 0));
  const absl::StatusOr<JobResult> result = Finish();
  EXPECT_EQ(result->processes[0].exit().code(), 3);
  EXPECT_EQ(over_.message(), "from now on this only watches: session A was taken over by uid:1");
  EXPECT_TRUE(result->survivors.empty());
  EXPECT_EQ(a_->close.calls(), 0u) << "the one that has it closes it";
  EXPECT_EQ(b_->close.calls(), 1u);
}

TEST_F(JobTest, DetachedRanksAreLeftAlone) {
  Job& job = Start();
  StartRanks();
  job.Detach();
  EXPECT_TRUE(Finish()->detached);
  for (Link* link : {a_.get(), b_.get()}) {
    EXPECT_EQ(link->update.Await(1).lifetime(), v1::LIFETIME_DETACHED);
    EXPECT_FALSE(link->close.Await(1).forget());
  }
}

TEST_F(JobTest, ADetachWaitsForTheAnswerToTheStart) {
  Job& job = Start();
  a_->spawn_batch.Await(1);
  b_->spawn_batch.Await(1);
  b_->spawn_batch.Answer(Spawned(1, 1));
  job.Detach();
  b_->update.Await(1);
  EXPECT_EQ(a_->update.calls(), 0u);
  a_->spawn_batch.Answer(Spawned(0, 1));
  EXPECT_TRUE(Finish()->detached);
  EXPECT_EQ(a_->update.calls(), 1u);
}

TEST_F(JobTest, WhatIsNoJobIsRefused) {
  const Fleet fleet = Fleet::Of({{Host::Over(a_), {}}, {Host::Over(b_), {}}});
  auto refused = [&] { return Job::Create(fleet, spec_, this).status(); };
  spec_.counts = {1};
  EXPECT_EQ(refused(), absl::InvalidArgumentError("counts for 1 hosts, but the fleet has 2"));
  spec_.counts = {0, 0};
  EXPECT_EQ(refused(),
            absl::InvalidArgumentError("counts: a job has 1 to 1048576 processes, not 0"));
  spec_.counts = {1 << 20, 1};
  EXPECT_EQ(refused(),
            absl::InvalidArgumentError("counts: a job has 1 to 1048576 processes, not 1048577"));
  spec_.counts = {2, -1};
  EXPECT_TRUE(absl::IsInvalidArgument(refused()));
  spec_.counts = {1, 1};
  spec_.process.set_lifetime(v1::LIFETIME_DETACHED);
  EXPECT_EQ(refused(),
            absl::InvalidArgumentError("lifetime: the processes of a job belong to its session"));
}

}  // namespace
}  // namespace shoal
