#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/boot_time.h"
#include "shoal/job.h"
#include "tests/support/fake_agent.h"

namespace shoal {
namespace {

using ::shoal::testing::FakeAgent;
using ::testing::ElementsAre;

class Collector : public JobSink {
 public:
  std::map<int, std::string> output;
  int started = 0, lost = 0, regained = 0;
  absl::Status not_continued;
  std::function<void()> on_started, on_output, on_not_continued;

  void OnStarted(RankId, const v1::Process&) override {
    ++started;
    if (on_started) on_started();
  }
  void OnOutput(RankId rank, v1::StreamKind, int64_t, absl::string_view data) override {
    output[rank.rank].append(data.data(), data.size());
    if (on_output) on_output();
  }
  void OnHostLost(int, const absl::Status&) override { ++lost; }
  void OnHostRegained(int) override { ++regained; }
  void OnNotContinued(int, const absl::Status& reason) override {
    not_continued = reason;
    if (on_not_continued) on_not_continued();
  }
};

class JobTest : public ::testing::Test {
 protected:
  JobTest() : a_("a"), b_("b") {
    auto fleet = Fleet::Connect(absl::StrCat(a_.hosts(), ",", b_.hosts()));
    EXPECT_TRUE(fleet.ok()) << fleet.status();
    fleet_ = std::make_unique<Fleet>(*std::move(fleet));
    spec_.counts = {2, 1};
  }

  void Command(std::vector<std::string> argv) {
    for (std::string& word : argv) spec_.process.add_argv(std::move(word));
  }

  JobResult Run() {
    auto job = Job::Create(*fleet_, spec_, &sink_);
    EXPECT_TRUE(job.ok()) << job.status();
    job_ = *std::move(job);
    auto result = job_->Run();
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? *std::move(result) : JobResult();
  }

  // Until the ranks on the first host were told to go on.
  void AwaitContinue() {
    const BootTime deadline = BootTime::Now() + absl::Seconds(60);
    while (a_.last_signal().signal() != SIGCONT && BootTime::Now() < deadline) {
      std::this_thread::yield();
    }
  }

  FakeAgent a_, b_;
  std::unique_ptr<Fleet> fleet_;
  JobSpec spec_;
  Collector sink_;
  std::unique_ptr<Job> job_;
};

TEST_F(JobTest, EveryRankRunsAndItsOutputComes) {
  Command({"out:hello", "exit:0"});
  JobResult result = Run();
  EXPECT_EQ(result.succeeded, 3);
  EXPECT_EQ(sink_.started, 3);
  EXPECT_THAT(sink_.output, ElementsAre(std::pair<int, std::string>(0, "hello"),
                                        std::pair<int, std::string>(1, "hello"),
                                        std::pair<int, std::string>(2, "hello")));
  EXPECT_EQ(a_.open_sessions() + b_.open_sessions(), 0);
  EXPECT_TRUE(result.survivors.empty());
}

TEST_F(JobTest, RanksAreContiguousInTheOrderOfHosts) {
  Command({"exit:0"});
  Run();
  v1::Ranks second = b_.last_batch().ranks();
  EXPECT_EQ(second.first_rank(), 2);
  EXPECT_EQ(second.count(), 1);
  EXPECT_EQ(second.world_size(), 3);
  EXPECT_EQ(second.host_rank(), 1);
  EXPECT_EQ(second.hosts_size(), 2);
}

TEST_F(JobTest, AHostWithoutRanksIsLeftAlone) {
  Command({"exit:0"});
  spec_.counts = {0, 2};
  JobResult result = Run();
  EXPECT_EQ(result.succeeded, 2);
  EXPECT_EQ(a_.Calls("Open"), 0);
  EXPECT_EQ(b_.last_batch().ranks().host_rank(), 0);
}

TEST_F(JobTest, TheFirstFailureEndsTheOthersAndIsKept) {
  Command({"err:it broke", "wait"});
  sink_.on_started = [this] {
    if (sink_.started == 3) b_.Exit(b_.processes()[0].id(), 9);
  };
  JobResult result = Run();
  EXPECT_TRUE(result.halted);
  EXPECT_EQ(result.failed, 1);
  EXPECT_EQ(result.ended_by_us, 2);
  ASSERT_TRUE(result.first_failure.has_value());
  EXPECT_EQ(result.first_failure->rank.rank, 2);
  EXPECT_EQ(result.first_failure->process.exit().code(), 9);
  EXPECT_EQ(result.first_failure->process.exit().stderr_tail(), "it broke");
}

TEST_F(JobTest, WhatIsSuspendedIsStoppedWithItsTreesAndGoesOnAgain) {
  Command({"wait"});
  JobSuspension suspension;
  sink_.on_started = [&] {
    if (sink_.started < 3) return;
    suspension = job_->Suspend(absl::Seconds(60));
    EXPECT_EQ(a_.last_signal().signal(), SIGSTOP);
    EXPECT_EQ(a_.last_signal().scope(), v1::SignalRequest::SCOPE_TREE);
    EXPECT_EQ(job_->Leases().size(), 2u);
    b_.Exit(b_.processes()[0].id(), 0);
    job_->Resume();
    AwaitContinue();
    for (const v1::Process& process : a_.processes()) a_.Exit(process.id(), 0);
  };
  EXPECT_EQ(Run().succeeded, 3);
  EXPECT_EQ(suspension.signaled, 3);
  EXPECT_TRUE(suspension.doubtful.empty());
  EXPECT_EQ(a_.last_signal().signal(), SIGCONT);
  EXPECT_EQ(a_.last_signal().selector().terms_size(), 2) << "those that were stopped, no others";
}

TEST_F(JobTest, AHostThatDoesNotSayThatItStoppedIsNamedAndContinuedAllTheSame) {
  Command({"wait"});
  a_.FailNext("Signal", absl::UnavailableError("gone"), std::numeric_limits<int>::max());
  JobSuspension suspension;
  sink_.on_started = [&] {
    if (sink_.started < 3) return;
    suspension = job_->Suspend(absl::Milliseconds(20));
    a_.FailNext("Signal", absl::OkStatus(), 0);
    job_->Resume();
    AwaitContinue();
    for (FakeAgent* agent : {&a_, &b_}) {
      for (const v1::Process& process : agent->processes()) agent->Exit(process.id(), 0);
    }
  };
  EXPECT_EQ(Run().succeeded, 3);
  ASSERT_FALSE(suspension.doubtful.empty());
  EXPECT_EQ(suspension.doubtful[0].host, 0);
}

TEST_F(JobTest, WhatCannotBeContinuedIsTold) {
  Command({"wait"});
  spec_.counts = {1, 0};
  sink_.on_started = [&] {
    job_->Suspend(absl::Seconds(60));
    a_.FailNext("Signal", absl::ResourceExhaustedError("the disk is full"));
    job_->Resume();
  };
  sink_.on_not_continued = [&] { a_.Exit(a_.processes()[0].id(), 0); };
  EXPECT_EQ(Run().succeeded, 1);
  EXPECT_EQ(sink_.not_continued.message(), "the disk is full");
}

TEST_F(JobTest, AnAgentThatIsAwayForLongIsToldToContinueWhenItIsBack) {
  Command({"wait"});
  spec_.counts = {1, 0};
  sink_.on_started = [&] {
    job_->Suspend(absl::Seconds(60));
    a_.FailNext("Signal", absl::UnavailableError("gone"), 4);
    job_->Resume();
    AwaitContinue();
    a_.Exit(a_.processes()[0].id(), 0);
  };
  EXPECT_EQ(Run().succeeded, 1);
  EXPECT_EQ(a_.last_signal().signal(), SIGCONT);
}

TEST_F(JobTest, AFailedStartIsTheFailure) {
  Command({"refuse:exec: No such file or directory"});
  JobResult result = Run();
  EXPECT_EQ(result.failed_to_start, 3);
  EXPECT_EQ(result.first_failure->process.start_failure().message(),
            "exec: No such file or directory");
}

TEST_F(JobTest, AnInterruptEndsEveryRank) {
  Command({"wait"});
  sink_.on_started = [this] {
    if (sink_.started == 3) job_->Interrupt();
  };
  JobResult result = Run();
  EXPECT_TRUE(result.interrupted);
  EXPECT_EQ(result.ended_by_us, 3);
}

TEST_F(JobTest, ASecondInterruptKills) {
  Command({"ignore-term", "wait"});
  sink_.on_started = [this] {
    if (sink_.started != 3) return;
    job_->Interrupt();
    job_->Interrupt();
  };
  JobResult result = Run();
  EXPECT_EQ(result.ended_by_us, 3);
  EXPECT_EQ(result.processes[0].exit().signal(), 9);
}

TEST_F(JobTest, OutputOfALostConnectionIsWhole) {
  std::string text;
  for (int i = 0; i < 20000; ++i) absl::StrAppend(&text, i, " ");
  Command({"out:" + text, "exit:0"});
  for (FakeAgent* agent : {&a_, &b_}) {
    agent->SetFrameBytes(1000);
    agent->BreakAfter("ReadOutput", 13, 4);
    agent->BreakAfter("Watch", 2, 2);
  }
  Run();
  for (int rank = 0; rank < 3; ++rank) EXPECT_EQ(sink_.output[rank], text) << rank;
}

TEST_F(JobTest, AnAgentThatIsRestartedCostsNothing) {
  Command({"wait"});
  sink_.on_started = [this] {
    if (sink_.started != 3) return;
    a_.Stop();
    for (FakeAgent* agent : {&a_, &b_}) {
      for (const v1::Process& process : agent->processes()) agent->Exit(process.id(), 0);
    }
    a_.Start();
  };
  JobResult result = Run();
  EXPECT_EQ(result.succeeded, 3);
}

TEST_F(JobTest, AHostThatStaysAwayIsGivenUpAndSaidSo) {
  Command({"wait"});
  spec_.host_patience = absl::Milliseconds(100);
  spec_.halt = HaltRule::Never();
  sink_.on_started = [this] {
    if (sink_.started != 3) return;
    b_.Stop();
    for (const v1::Process& process : a_.processes()) a_.Exit(process.id(), 0);
  };
  JobResult result = Run();
  EXPECT_EQ(result.succeeded, 2);
  EXPECT_EQ(result.unknown, 1);
  EXPECT_GE(sink_.lost, 1);
  ASSERT_EQ(result.survivors.size(), 1u);
  EXPECT_TRUE(absl::IsUnavailable(result.survivors[0].status));
  EXPECT_EQ(result.first_failure->rank.rank, 2);
}

TEST_F(JobTest, ASessionThatLapsedKeepsTheTrueExits) {
  Command({"wait"});
  spec_.session_ttl = absl::Milliseconds(60);
  spec_.halt = HaltRule::Never();
  sink_.on_started = [this] {
    if (sink_.started != 3) return;
    for (FakeAgent* agent : {&a_, &b_}) agent->ExpireSession(agent->last_batch().session_id());
  };
  JobResult result = Run();
  EXPECT_EQ(result.failed, 3);
  EXPECT_EQ(result.unknown, 0);
  EXPECT_EQ(result.processes[0].exit().cause(), v1::CAUSE_SESSION_EXPIRED);
}

TEST_F(JobTest, ASessionThatCannotBeOpenedStartsNothing) {
  Command({"wait"});
  b_.FailNext("Open", absl::ResourceExhaustedError("too many sessions"));
  auto job = Job::Create(*fleet_, spec_, &sink_);
  auto result = (*job)->Run();
  EXPECT_TRUE(absl::IsResourceExhausted(result.status()));
  EXPECT_EQ(a_.Calls("SpawnBatch"), 0);
  EXPECT_EQ(a_.open_sessions(), 0);
}

TEST_F(JobTest, DetachedRanksAreLeftAlone) {
  Command({"wait"});
  sink_.on_started = [this] {
    if (sink_.started == 1) job_->Detach();
  };
  JobResult result = Run();
  EXPECT_TRUE(result.detached);
  for (const v1::Process& process : a_.processes()) {
    EXPECT_EQ(process.state(), v1::STATE_RUNNING);
    EXPECT_EQ(process.session_id(), "");
  }
}

TEST_F(JobTest, ASlowSinkBoundsWhatWaitsAndLosesNothing) {
  Command({"fill:20000000", "exit:0"});
  spec_.counts = {1, 0};
  Run();
  EXPECT_EQ(sink_.output[0].size(), 20000000u);
}

TEST_F(JobTest, AnAgentThatEndsTheWatchIsLost) {
  Command({"wait"});
  spec_.halt = HaltRule::Never();
  spec_.counts = {1, 0};
  a_.BreakAfter("Watch", 1, 1, absl::OkStatus());
  JobResult result = Run();
  ASSERT_TRUE(result.first_failure.has_value());
  EXPECT_EQ(result.first_failure->host_status,
            absl::UnavailableError("the agent ended the watch of the session"));
}

TEST_F(JobTest, WhatIsNoJobIsRefused) {
  auto refused = [this] { return Job::Create(*fleet_, spec_, &sink_).status(); };
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

TEST_F(JobTest, InterruptedBeforeItsStartItStartsNothing) {
  Command({"wait"});
  auto job = Job::Create(*fleet_, spec_, &sink_);
  ASSERT_TRUE(job.ok());
  (*job)->Interrupt();
  EXPECT_EQ((*job)->Run().status(),
            absl::CancelledError("interrupted before anything was started"));
  EXPECT_EQ(a_.Calls("SpawnBatch"), 0);
}

TEST_F(JobTest, AnInterruptGoesOutWhileTheSinkBlocks) {
  Command({"out:a", "ignore-term", "wait"});
  sink_.on_output = [this] {
    if (sink_.started < 3 || a_.Calls("Terminate") > 0) return;
    job_->Interrupt();
    a_.AwaitCalls("Terminate", 1);
    b_.AwaitCalls("Terminate", 1);
    job_->Interrupt();
    a_.AwaitCalls("Terminate", 2);
  };
  JobResult result = Run();
  EXPECT_EQ(result.processes[0].exit().signal(), 9);
  EXPECT_TRUE(result.interrupted);
  EXPECT_EQ(result.ended_by_us, 3);
}

TEST_F(JobTest, ADetachGoesOutWhileTheSinkBlocks) {
  Command({"out:a", "wait"});
  sink_.on_output = [this] {
    if (sink_.started < 3 || a_.Calls("Update") > 0) return;
    job_->Detach();
    a_.AwaitCalls("Update", 1);
    b_.AwaitCalls("Update", 1);
    for (bool all = false; !all;) {
      all = true;
      for (const HostLeft& left : job_->Left()) all = all && left.is_detached;
    }
  };
  EXPECT_TRUE(Run().detached);
}

TEST_F(JobTest, WhatIsStartedAfterTheInterruptIsEnded) {
  Command({"wait"});
  b_.Hold("SpawnBatch");
  sink_.on_started = [this] {
    if (sink_.started != 2) return;
    b_.AwaitCalls("SpawnBatch", 1);
    job_->Interrupt();
    b_.AwaitCalls("Terminate", 1);
    b_.Release("SpawnBatch");
  };
  JobResult result = Run();
  EXPECT_EQ(result.ended_by_us, 3);
  EXPECT_EQ(b_.Calls("Terminate"), 2);
}

TEST_F(JobTest, AHaltReachesWhatIsStartedAfterIt) {
  Command({"wait"});
  b_.Hold("SpawnBatch");
  sink_.on_started = [this] {
    if (sink_.started != 2) return;
    b_.AwaitCalls("SpawnBatch", 1);
    a_.Exit(a_.processes()[0].id(), 9);
  };
  std::thread releaser([this] {
    b_.AwaitCalls("Terminate", 1);
    b_.Release("SpawnBatch");
  });
  JobResult result = Run();
  releaser.join();
  EXPECT_EQ(result.failed, 1);
  EXPECT_EQ(result.ended_by_us, 2);
}

TEST_F(JobTest, AnInterruptDoesNotWaitForAHostThatHasNoSessionYet) {
  Command({"wait"});
  b_.Hold("Open");
  auto job = Job::Create(*fleet_, spec_, &sink_);
  std::thread interrupter([&] {
    b_.AwaitCalls("Open", 1);
    (*job)->Interrupt();
    EXPECT_TRUE((*job)->Left().empty());
  });
  EXPECT_TRUE(absl::IsCancelled((*job)->Run().status()));
  interrupter.join();
  EXPECT_EQ(a_.Calls("SpawnBatch"), 0);
  b_.Release("Open");
}

TEST_F(JobTest, AHostThatIsSilentToAnInterruptIsGivenUp) {
  Command({"wait"});
  *spec_.process.mutable_grace() = ToProto(absl::ZeroDuration());
  sink_.on_started = [this] {
    if (sink_.started != 3) return;
    b_.Freeze();
    job_->Interrupt();
  };
  JobResult result = Run();
  EXPECT_EQ(result.ended_by_us, 2);
  EXPECT_EQ(result.unknown, 1);
  ASSERT_EQ(result.survivors.size(), 1u);
  EXPECT_TRUE(absl::IsDeadlineExceeded(result.survivors[0].status)) << result.survivors[0].status;
  b_.Thaw();
}

TEST_F(JobTest, WhatMayBeLeftIsToldByHost) {
  Command({"wait"});
  spec_.counts = {2, 3};
  spec_.halt = HaltRule::Never();
  b_.Hold("SpawnBatch");
  sink_.on_started = [this] {
    if (sink_.started != 2) return;
    std::vector<HostLeft> left = job_->Left();
    ASSERT_EQ(left.size(), 2u);
    // The watch may tell of them before the answer does.
    while (!left[0].is_certain) left = job_->Left();
    EXPECT_EQ(left[0].processes, 2);
    EXPECT_EQ(left[1].host, 1);
    EXPECT_EQ(left[1].processes, 3);
    EXPECT_FALSE(left[1].is_certain);
    b_.Release("SpawnBatch");
    job_->Interrupt();
  };
  Run();
  EXPECT_TRUE(job_->Left().empty());
}

}  // namespace
}  // namespace shoal
