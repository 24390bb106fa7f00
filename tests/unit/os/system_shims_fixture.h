// The real shim under the real system layer: the test is the agent.
#ifndef SHOAL_TESTS_UNIT_OS_SYSTEM_SHIMS_FIXTURE_H_
#define SHOAL_TESTS_UNIT_OS_SYSTEM_SHIMS_FIXTURE_H_

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/os/descriptor.h"
#include "agent/os/procfs.h"
#include "agent/os/system_shims.h"
#include "agent/record/orders.h"
#include "common/ids.h"
#include "tests/unit/os/scratch.h"

namespace shoal::agent {

using record::ShimFlags;

inline constexpr rlim_t kSoftLimit = 777;

struct Death {
  int slot;
  std::string id;
};

class SystemShimsTest : public ::testing::Test, public ShimEvents {
 protected:
  void SetUp() override {
    loop_ = *EventLoop::Create();
    std::filesystem::create_directory(scratch_ / "output");
    output_ = *OpenAt(AT_FDCWD, scratch_ / "output", O_RDONLY | O_DIRECTORY);
    OpenShims();
  }
  void TearDown() override {
    const std::map<int, std::string> left = running_;
    for (const auto& [slot, id] : left) End(slot, id);
    const std::string base = shims_->has_cgroup() ? shims_->cgroups()->path() : "";
    shims_.reset();
    EXPECT_FALSE(std::filesystem::exists(base)) << base;
    // Shims of an agent that is gone are children of this test, as it is of systemd.
    while (waitpid(-1, nullptr, WNOHANG) > 0) {
    }
  }

  void OpenShims() {
    auto shims = SystemShims::Open(loop_.get(), {.run_dir = scratch_.path(),
                                                 .shim_path = SHOAL_SHIM,
                                                 .boot_id = *ReadBootId(),
                                                 .output_directory = output_.get(),
                                                 .cgroup_base = cgroup_base_,
                                                 .unique = absl::StrCat("ostest", getpid()),
                                                 .nofile_soft = kSoftLimit,
                                                 .base_path = "/bin",
                                                 .idle_shims = idle_shims_});
    ASSERT_TRUE(shims.ok()) << shims.status();
    shims_ = *std::move(shims);
    shims_->SetShimEvents(this);
  }
  void OnReport(int slot) override {
    reports_.insert(slot);
    if (on_report_) on_report_(slot);
  }
  void OnOverflow() override {}
  void OnDeath(int slot, const std::string& id) override { deaths_.push_back({slot, id}); }
  // As kill -9 of the agent and a new start, but for the process staying the parent.
  void RestartAgent() {
    shims_.reset();
    OpenShims();
  }

  ShimStart Plan(std::vector<std::string> verbs) {
    ShimStart start;
    start.id = NewId();
    start.argv = {SHOAL_TEST_CHILD};
    start.argv.insert(start.argv.end(), verbs.begin(), verbs.end());
    start.env = {"PATH=/usr/bin:/bin", "A=b"};
    start.cwd = "/";
    start.desired.grace_ns = 5'000'000'000;
    start.desired.cap_bytes = record::kDefaultCapBytes;
    start.desired.segment_bytes = record::kDefaultSegmentBytes;
    return start;
  }
  int Start(const ShimStart& start) {
    absl::StatusOr<int> slot = shims_->Start(start);
    EXPECT_TRUE(slot.ok()) << slot.status();
    if (!slot.ok()) return 0;
    running_[*slot] = start.id;
    return *slot;
  }
  bool WaitFor(int slot, const std::string& id, ShimFlags flag) {
    return RunUntil(loop_.get(), [&] {
      const ShimView view = shims_->Look(slot, id);
      return view.shim && (view.shim->flags & flag) != 0;
    });
  }
  bool WaitForDeath(int slot) {
    return RunUntil(loop_.get(), [&] {
      return std::any_of(deaths_.begin(), deaths_.end(),
                         [slot](const Death& death) { return death.slot == slot; });
    });
  }
  void Terminate(int slot, const std::string& id) {
    shims_->Tell(
        slot, id,
        [](record::AgentHalf& half) {
          ++half.terminate_serial;
          half.terminate_cause = record::EndCause::kRequested;
          half.terminate_signal = SIGKILL;
        },
        /*wake=*/true);
  }
  void End(int slot, const std::string& id) {
    if (shims_->Look(slot, id).locked) {
      Terminate(slot, id);
      EXPECT_TRUE(RunUntil(loop_.get(), [&] {
        const ShimView view = shims_->Look(slot, id);
        return !view.locked || (view.shim && (view.shim->flags & record::kStays) != 0);
      }));
    }
    // Its process dies with a killed shim, but in its own time: the cgroup goes when it is empty.
    if (const ShimView view = shims_->Look(slot, id); !view.shim || !IsFinal(*view.shim)) {
      EndLostTree(id).IgnoreError();
    }
    shims_->Free(slot, id);
    running_.erase(slot);
  }
  static bool IsFinal(const record::ShimHalf& shim) { return (shim.flags & record::kFinal) != 0; }
  absl::Status EndLostTree(const std::string& id) {
    absl::Status ended = absl::UnknownError("not yet");
    shims_->EndLostTree(id, [&](absl::Status status) { ended = status; });
    EXPECT_EQ(ended.code(), absl::StatusCode::kUnknown);  // never from within
    EXPECT_TRUE(RunUntil(loop_.get(), [&] { return !absl::IsUnknown(ended); }));
    return ended;
  }
  std::string OutputOf(int slot, const std::string& id) {
    const ShimView view = shims_->Look(slot, id);
    if (!view.shim) return {};
    // All of it is in the first segment.
    return ReadFile(scratch_ / absl::StrCat("output/", id, ".0.0000000000000000"))
        .substr(0, static_cast<size_t>(view.shim->streams[record::kStdout].end));
  }
  ProcessEntry EntryOf(int slot, const std::string& id) {
    const ShimView view = shims_->Look(slot, id);
    ProcessEntry entry;
    entry.id = id;
    entry.slot = slot;
    entry.pid = view.shim->pid;
    entry.start_ticks = view.shim->start_ticks;
    return entry;
  }
  bool CgroupExists(const std::string& id) { return shims_->cgroups()->Open(id).ok(); }

  // Of the next OpenShims.
  size_t idle_shims_ = 0;
  std::string cgroup_base_;
  ScratchDirectory scratch_;
  UniqueFd output_;
  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<SystemShims> shims_;
  std::set<int> reports_;
  std::function<void(int slot)> on_report_;  // may be empty
  std::vector<Death> deaths_;
  std::map<int, std::string> running_;
};

}  // namespace shoal::agent

#endif  // SHOAL_TESTS_UNIT_OS_SYSTEM_SHIMS_FIXTURE_H_
