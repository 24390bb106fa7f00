// A job on two hosts whose agents are played by the test: see FakeLink.
#ifndef SHOAL_TESTS_UNIT_CLIENT_JOB_FIXTURE_H_
#define SHOAL_TESTS_UNIT_CLIENT_JOB_FIXTURE_H_

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/statusor.h"
#include "common/notification.h"
#include "shoal/job.h"
#include "tests/support/fake_link.h"
#include "tests/unit/client/told_processes.h"

namespace shoal {

class JobFixture : public ::testing::Test, protected JobSink {
 protected:
  using Link = ::shoal::testing::FakeLink;

  JobFixture() {
    spec_.counts = {1, 1};
    spec_.halt = HaltRule::Never();
    spec_.process.add_argv("worker");
  }
  // Calls that were held end with the test: each holds its link.
  ~JobFixture() override {
    EXPECT_FALSE(thread_.joinable()) << "Finish() was not called";
    job_.reset();
    for (const std::shared_ptr<Link>* link : {&a_, &b_}) {
      (*link)->CancelAllAndWait();
      // A Host that ends inside a callback waits for its calls on a thread of its own.
      while (link->use_count() > 1) std::this_thread::yield();
    }
  }

  // Runs it on a thread of its own.
  Job& Start() {
    auto job = Job::Create(Fleet::Of({{Host::Over(a_), {}}, {Host::Over(b_), {}}}), spec_, this);
    EXPECT_TRUE(job.ok()) << job.status();
    job_ = *std::move(job);
    thread_ = std::thread([this] { result_ = job_->Run(); });
    return *job_;
  }
  // Waits for its end.
  absl::StatusOr<JobResult> Finish() {
    thread_.join();
    return std::move(result_);
  }
  // Both hosts start their ranks, which run.
  void StartRanks() {
    a_->spawn_batch.Await(1);
    a_->spawn_batch.Answer(Spawned(0, spec_.counts[0]));
    b_->spawn_batch.Await(1);
    b_->spawn_batch.Answer(Spawned(spec_.counts[0], spec_.counts[1]));
  }
  // The rank has ended, and so has its output.
  static void Exit(Link& link, const v1::Process& process) {
    link.AwaitWatch(1)->Tell(Upsert(process));
    for (v1::StreamKind stream : {v1::STREAM_KIND_STDOUT, v1::STREAM_KIND_STDERR}) {
      v1::ReadOutputResponse end;
      end.set_id(process.id());
      end.set_stream(stream);
      end.set_offset(OffsetOf(process, stream));
      end.mutable_end();
      link.AwaitOutput(1)->Tell(end);
    }
  }

  void OnStarted(RankId, const v1::Process&) override { ++started_; }
  void OnOutput(RankId rank, v1::StreamKind, int64_t, absl::string_view data) override {
    output_[rank.rank].append(data.data(), data.size());
    if (on_output_) on_output_();
  }
  void OnHostLost(int, const absl::Status&) override { ++lost_; }
  void OnHostRegained(int) override { ++regained_; }
  void OnHostOver(int, const absl::Status& reason) override { over_ = reason; }
  void OnNotContinued(int, const absl::Status& reason) override { not_continued_ = reason; }

  const std::shared_ptr<Link> a_ = std::make_shared<Link>("a");
  const std::shared_ptr<Link> b_ = std::make_shared<Link>("b");
  JobSpec spec_;
  std::unique_ptr<Job> job_;

  // What the sink has heard.
  int started_ = 0, lost_ = 0, regained_ = 0;
  std::map<int, std::string> output_;
  absl::Status not_continued_, over_;
  std::function<void()> on_output_;

 private:
  static int64_t OffsetOf(const v1::Process& process, v1::StreamKind stream) {
    for (const v1::StreamPosition& position : process.output()) {
      if (position.stream() == stream) return position.end_offset();
    }
    return 0;
  }

  std::thread thread_;
  absl::StatusOr<JobResult> result_ = absl::UnknownError("it has not run");
};

}  // namespace shoal

#endif  // SHOAL_TESTS_UNIT_CLIENT_JOB_FIXTURE_H_
