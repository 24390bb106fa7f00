// A JobState of one rank on host 0 and two on host 1, with a sink that writes down what it hears.
#ifndef SHOAL_TESTS_UNIT_CLIENT_JOB_STATE_FIXTURE_H_
#define SHOAL_TESTS_UNIT_CLIENT_JOB_STATE_FIXTURE_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "shoal/job/job_state.h"
#include "tests/unit/client/told_processes.h"

namespace shoal {

// Writes down what it hears.
class Recorder : public JobSink {
 public:
  std::vector<std::string> heard;

  void OnStarted(RankId rank, const v1::Process& process) override {
    heard.push_back(absl::StrCat("started ", rank.rank, " on ", rank.host, " pid ", process.pid()));
  }
  void OnOutput(RankId rank, v1::StreamKind, int64_t offset, absl::string_view data) override {
    heard.push_back(absl::StrCat("output ", rank.rank, " at ", offset, " ", data));
  }
  void OnGap(RankId rank, v1::StreamKind, const v1::Gap& gap) override {
    heard.push_back(absl::StrCat("gap ", rank.rank, " to ", gap.to()));
  }
  void OnDescendants(RankId rank, const v1::Process& process) override {
    heard.push_back(absl::StrCat("descendants ", rank.rank, " ", process.descendants().count()));
  }
  void OnOutputStalled(RankId rank, const v1::Process& process) override {
    heard.push_back(absl::StrCat("stalled ", rank.rank, " errno ", process.output_error_number()));
  }
  void OnShimStalled(RankId rank, const v1::Process&) override {
    heard.push_back(absl::StrCat("shim stalled ", rank.rank));
  }
  void OnExited(RankId rank, const v1::Process& process) override {
    heard.push_back(absl::StrCat("exited ", rank.rank, " ", process.exit().code()));
  }
  void OnComplete(RankId rank, const v1::Process& process) override {
    const int error = process.output_error_number();
    heard.push_back(
        absl::StrCat("complete ", rank.rank, error == 0 ? "" : absl::StrCat(" errno ", error)));
  }
  void OnFailedToStart(RankId rank, const v1::RequestError& error) override {
    heard.push_back(absl::StrCat("failed ", rank.rank, " ", error.message()));
  }
  void OnHostLost(int host, const absl::Status&) override {
    heard.push_back(absl::StrCat("lost host ", host));
  }
  void OnHostRegained(int host) override { heard.push_back(absl::StrCat("regained host ", host)); }
  void OnHostSilent(int host, absl::Duration silence) override {
    heard.push_back(absl::StrCat("host ", host, " silent for ", absl::ToInt64Seconds(silence)));
  }
  void OnHostOver(int host, const absl::Status& reason) override {
    heard.push_back(absl::StrCat("host ", host, " ", reason.message()));
  }
  void OnHalt(bool now) override { heard.push_back(now ? "halt now" : "halt soon"); }
};

class JobStateTest : public ::testing::Test {
 protected:
  JobStateTest() {
    spec_.counts = {1, 2};
    spec_.halt = HaltRule::Never();
    sink_.heard.clear();
  }

  JobState& state() {
    if (state_ == nullptr) {
      std::vector<std::string> names = {"a", "b"};
      state_ = std::make_unique<JobState>(names, spec_, &sink_);
    }
    return *state_;
  }

  std::vector<std::string> Heard() { return std::exchange(sink_.heard, {}); }

  std::string Actions() {
    return absl::StrJoin(state().TakeActions(), " ", [](std::string* out, const JobAction& action) {
      absl::StrAppend(out, action.kind == JobAction::Kind::kTerminate ? "terminate" : "acknowledge",
                      ":", action.host);
    });
  }

  JobSpec spec_;
  Recorder sink_;
  std::unique_ptr<JobState> state_;
};

}  // namespace shoal

#endif  // SHOAL_TESTS_UNIT_CLIENT_JOB_STATE_FIXTURE_H_
