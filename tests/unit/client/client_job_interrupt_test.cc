// What a user does to a job that runs: interrupts, halts, stops and goes on.
#include <csignal>

#include "shoal/duration.h"
#include "tests/unit/client/job_fixture.h"

namespace shoal {
namespace {

class JobInterruptTest : public JobFixture {
 protected:
  // Its ranks were ended by the job, and their trees are empty.
  void EndRanks(Link& link, int first, int count) {
    for (int rank = first; rank < first + count; ++rank) {
      Exit(link, Ended(rank, v1::CAUSE_TERMINATED));
    }
  }

  // Its ranks run, and the sink is in a call that lasts until may_go_on_.
  Job& StartWithABlockedSink() {
    on_output_ = [this] {
      is_blocked_.Notify();
      may_go_on_.WaitForNotification();
    };
    Job& job = Start();
    StartRanks();
    a_->AwaitOutput(1)->Tell(Frame(0, 0, "a"));
    is_blocked_.WaitForNotification();
    return job;
  }

  // As an agent answers for processes that it has signaled.
  static v1::SignalResponse Signaled(int first, int count) {
    v1::SignalResponse response;
    for (int i = 0; i < count; ++i) {
      *response.add_results()->mutable_process() = Running(first + i);
    }
    return response;
  }

  Notification is_blocked_, may_go_on_;
};

TEST_F(JobInterruptTest, WhatIsStartedAfterTheInterruptIsEnded) {
  Job& job = Start();
  a_->spawn_batch.Await(1);
  a_->spawn_batch.Answer(Spawned(0, 1));
  a_->Settle();
  b_->spawn_batch.Await(1);
  job.Interrupt();
  EXPECT_EQ(b_->terminate.Await(1).selector().session_id(), "s-b");
  EXPECT_EQ(b_->terminate.calls(), 1u);
  b_->spawn_batch.Answer(Spawned(1, 1));
  b_->terminate.Await(2);
  EndRanks(*a_, 0, 1);
  EndRanks(*b_, 1, 1);
  const absl::StatusOr<JobResult> result = Finish();
  EXPECT_TRUE(result->interrupted);
  EXPECT_EQ(result->ended_by_us, 2);
  EXPECT_EQ(a_->terminate.calls(), 1u);
}

TEST_F(JobInterruptTest, ASecondInterruptKills) {
  Job& job = Start();
  StartRanks();
  a_->Settle();
  job.Interrupt(SIGINT);
  job.Interrupt(SIGINT);
  EXPECT_EQ(a_->terminate.Await(1).signal(), SIGINT);
  EXPECT_FALSE(a_->terminate.Await(1).has_grace());
  const v1::TerminateRequest kill = a_->terminate.Await(2);
  EXPECT_EQ(kill.signal(), SIGKILL);
  EXPECT_EQ(FromProto(kill.grace()), absl::ZeroDuration());
  EndRanks(*a_, 0, 1);
  EndRanks(*b_, 1, 1);
  EXPECT_EQ(Finish()->ended_by_us, 2);
}

TEST_F(JobInterruptTest, AHostThatIsSilentToAnInterruptIsGivenUp) {
  *spec_.process.mutable_grace() = ToProto(absl::Seconds(2));
  b_->terminate.Hold();
  Job& job = Start();
  StartRanks();
  b_->Settle();
  job.Interrupt();
  b_->terminate.Await(1);
  EXPECT_EQ(b_->terminate.options(1).timeout, absl::Seconds(7)) << "the grace, and 5 s";
  b_->terminate.Answer(absl::DeadlineExceededError("no answer"));
  EndRanks(*a_, 0, 1);
  const absl::StatusOr<JobResult> result = Finish();
  EXPECT_EQ(result->ended_by_us, 1);
  EXPECT_EQ(result->unknown, 1);
  ASSERT_EQ(result->survivors.size(), 1u);
  EXPECT_TRUE(absl::IsDeadlineExceeded(result->survivors[0].status));
}

TEST_F(JobInterruptTest, InterruptedBeforeItsStartItStartsNothing) {
  a_->open.Hold();
  Job& job = Start();
  a_->open.Await(1);
  b_->Settle();
  job.Interrupt();
  EXPECT_TRUE(job.Left().empty());
  EXPECT_EQ(Finish().status(), absl::CancelledError("interrupted before anything was started"));
  EXPECT_EQ(b_->spawn_batch.calls(), 0u);
}

TEST_F(JobInterruptTest, ASessionThatIsOpenedAfterTheJobHasEndedIsClosed) {
  a_->open.Hold();
  Job& job = Start();
  a_->open.Await(1);
  job.Interrupt();
  EXPECT_TRUE(absl::IsCancelled(Finish().status()));
  v1::OpenResponse response;
  response.mutable_session()->set_id("s-late");
  response.set_token("t-late");
  a_->open.Answer(response);
  EXPECT_EQ(a_->close.Await(1).session_id(), "s-late");
  EXPECT_EQ(a_->close.Await(1).token(), "t-late");
}

TEST_F(JobInterruptTest, AHaltReachesWhatIsStartedAfterIt) {
  spec_.halt = HaltRule::NowOnFirstFailure();
  Start();
  a_->spawn_batch.Await(1);
  a_->spawn_batch.Answer(Spawned(0, 1));
  b_->spawn_batch.Await(1);
  Exit(*a_, Exited(0, 9));
  b_->terminate.Await(1);
  b_->spawn_batch.Answer(Spawned(1, 1));
  b_->terminate.Await(2);
  EndRanks(*b_, 1, 1);
  const absl::StatusOr<JobResult> result = Finish();
  EXPECT_TRUE(result->halted);
  EXPECT_EQ(result->failed, 1);
  EXPECT_EQ(result->ended_by_us, 1);
}

TEST_F(JobInterruptTest, AnInterruptGoesOutWhileTheSinkBlocks) {
  Job& job = StartWithABlockedSink();
  job.Interrupt();
  a_->terminate.Await(1);
  b_->terminate.Await(1);
  may_go_on_.Notify();
  EndRanks(*a_, 0, 1);
  EndRanks(*b_, 1, 1);
  EXPECT_EQ(Finish()->ended_by_us, 2);
}

TEST_F(JobInterruptTest, ADetachGoesOutWhileTheSinkBlocks) {
  Job& job = StartWithABlockedSink();
  job.Detach();
  a_->update.Await(1);
  b_->update.Await(1);
  a_->Settle();
  b_->Settle();
  for (const HostLeft& left : job.Left()) EXPECT_TRUE(left.is_detached);
  may_go_on_.Notify();
  EXPECT_TRUE(Finish()->detached);
}

TEST_F(JobInterruptTest, WhatMayBeLeftIsToldByHost) {
  spec_.counts = {2, 3};
  Job& job = Start();
  a_->spawn_batch.Await(1);
  a_->spawn_batch.Answer(Spawned(0, 2));
  b_->spawn_batch.Await(1);
  a_->Settle();
  const std::vector<HostLeft> left = job.Left();
  ASSERT_EQ(left.size(), 2u);
  EXPECT_EQ(left[0].processes, 2);
  EXPECT_TRUE(left[0].is_certain);
  EXPECT_EQ(left[1].host, 1);
  EXPECT_EQ(left[1].processes, 3);
  EXPECT_FALSE(left[1].is_certain);
  b_->spawn_batch.Answer(Spawned(2, 3));
  job.Interrupt();
  EndRanks(*a_, 0, 2);
  EndRanks(*b_, 2, 3);
  EXPECT_TRUE(Finish().ok());
  EXPECT_TRUE(job.Left().empty());
}

TEST_F(JobInterruptTest, WhatIsSuspendedIsStoppedWithItsTreesAndGoesOnAgain) {
  spec_.counts = {2, 1};
  for (Link* link : {a_.get(), b_.get()}) {
    link->list.AnswerAll([](const v1::ListRequest&) { return v1::ListResponse(); });
  }
  a_->signal.AnswerAll([](const v1::SignalRequest&) { return Signaled(0, 2); });
  b_->signal.AnswerAll([](const v1::SignalRequest&) { return Signaled(2, 1); });
  Job& job = Start();
  StartRanks();
  a_->Settle();
  b_->Settle();
  const JobSuspension suspension = job.Suspend(absl::Seconds(60));
  EXPECT_EQ(suspension.signaled, 3);
  EXPECT_TRUE(suspension.doubtful.empty());
  EXPECT_EQ(a_->signal.Await(1).signal(), SIGSTOP);
  EXPECT_EQ(a_->signal.Await(1).scope(), v1::SignalRequest::SCOPE_TREE);
  job.Resume();
  EXPECT_EQ(a_->signal.Await(2).signal(), SIGCONT);
  EXPECT_EQ(a_->signal.Await(2).selector().terms_size(), 2) << "those that were stopped, no others";
  EXPECT_EQ(a_->signal.options(2).patience, absl::InfiniteDuration());
  for (int rank : {0, 1}) Exit(*a_, Exited(rank, 0));
  Exit(*b_, Exited(2, 0));
  EXPECT_EQ(Finish()->succeeded, 3);
}

TEST_F(JobInterruptTest, AHostThatDoesNotSayThatItStoppedIsNamedAndContinuedAllTheSame) {
  for (Link* link : {a_.get(), b_.get()}) {
    link->list.AnswerAll([](const v1::ListRequest&) { return v1::ListResponse(); });
  }
  a_->signal.Hold();
  b_->signal.AnswerAll([](const v1::SignalRequest&) { return Signaled(1, 1); });
  Job& job = Start();
  StartRanks();
  a_->Settle();
  b_->Settle();
  const JobSuspension suspension = job.Suspend(absl::Milliseconds(1));
  ASSERT_FALSE(suspension.doubtful.empty());
  EXPECT_EQ(suspension.doubtful[0].host, 0);
  EXPECT_TRUE(absl::IsDeadlineExceeded(suspension.doubtful[0].reason));
  a_->signal.Await(1);
  job.Resume();
  const v1::SignalRequest resume = a_->signal.Await(2);
  EXPECT_EQ(resume.signal(), SIGCONT);
  EXPECT_EQ(resume.selector().session_id(), "s-a") << "any of them may be stopped";
  Exit(*a_, Exited(0, 0));
  Exit(*b_, Exited(1, 0));
  EXPECT_EQ(Finish()->succeeded, 2);
}

TEST_F(JobInterruptTest, WhatCannotBeContinuedIsTold) {
  for (Link* link : {a_.get(), b_.get()}) {
    link->list.AnswerAll([](const v1::ListRequest&) { return v1::ListResponse(); });
  }
  a_->signal.AnswerAll([](const v1::SignalRequest& request) -> absl::StatusOr<v1::SignalResponse> {
    if (request.signal() == SIGCONT) return absl::ResourceExhaustedError("the disk is full");
    return Signaled(0, 1);
  });
  Job& job = Start();
  StartRanks();
  a_->Settle();
  b_->Settle();
  job.Suspend(absl::Seconds(60));
  job.Resume();
  a_->signal.Await(2);
  a_->Settle();
  Exit(*a_, Exited(0, 0));
  Exit(*b_, Exited(1, 0));
  EXPECT_EQ(Finish()->succeeded, 2);
  EXPECT_EQ(not_continued_, absl::ResourceExhaustedError("the disk is full"));
}

}  // namespace
}  // namespace shoal
