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

TEST_F(JobTest, AnInterruptEndsEveryRank) {
  Command({"wait"});
  sink_.on_started = [this] {
    if (sink_.started == 3) job_->Interrupt();
  };
  JobResult result = Run();
  EXPECT_TRUE(result.interrupted);
  EXPECT_EQ(result.ended_by_us, 3);
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

}  // namespace
}  // namespace shoal
