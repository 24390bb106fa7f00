// Forks as the system layer sees them, asked of a parent that is played from here: no shim is ever
// executed, so that what counts is the lock of the slot and the parent's word.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/os/system_shims.h"
#include "common/ids.h"
#include "shoal/v1/fork_protocol.h"
#include "tests/unit/os/fork_peer.h"
#include "tests/unit/os/scratch.h"

namespace shoal::agent {
namespace {

using ::testing::ElementsAre;

class ForkStartTest : public ::testing::Test, public ShimEvents, public ForkOfferEvents {
 protected:
  void SetUp() override {
    loop_ = *EventLoop::Create();
    OpenShims();
    peer_ = std::make_unique<Peer>(shims_->fork_socket_path());
    Offer();
  }
  void TearDown() override {
    peer_.reset();
    const std::string base = shims_->has_cgroup() ? shims_->cgroups()->path() : "";
    shims_.reset();
    EXPECT_FALSE(std::filesystem::exists(base)) << base;
  }

  void OpenShims() {
    auto shims = SystemShims::Open(loop_.get(), {.run_dir = scratch_.path(),
                                                 .shim_path = SHOAL_SHIM,
                                                 .boot_id = kBootId,
                                                 .output_directory = output_.get(),
                                                 .cgroup_base = "",
                                                 .unique = absl::StrCat("forks", getpid()),
                                                 .base_path = "/bin"});
    ASSERT_TRUE(shims.ok()) << shims.status();
    shims_ = *std::move(shims);
    shims_->SetShimEvents(this);
    shims_->SetOfferEvents(this);
  }
  void OnReport(int /*slot*/) override {}
  void OnOverflow() override {}
  void OnDeath(int slot, const std::string& id) override {
    const ShimView view = shims_->Look(slot, id);
    deaths_.push_back(id);
    reasons_.push_back(view.refused ? view.refused->text : "");
  }
  void OnOffer(const ForkParent& parent) override { shims_->AnswerOffer(parent, absl::OkStatus()); }
  void OnWithdrawn(const ForkParent& /*parent*/) override {}
  void Offer() {
    peer_->Say("offer 1");
    ASSERT_TRUE(Run([&] {
      pollfd readable{peer_->fd(), POLLIN, 0};
      return poll(&readable, 1, 0) == 1;
    }));
    EXPECT_EQ(ReceiveFrom(peer_->fd()).text, "welcome");
  }
  bool Run(std::function<bool()> is_so) { return RunUntil(loop_.get(), std::move(is_so)); }

  // Asks for a process; what the parent was sent is with it.
  struct Asked {
    std::string id;
    int slot = 0;
    Packet packet;
  };
  Asked Ask() {
    ShimStart start;
    start.id = NewId();
    start.argv = {"program"};
    start.cwd = "/";
    start.fork_from = peer_->self();
    const absl::StatusOr<int> slot = shims_->Start(start);
    EXPECT_TRUE(slot.ok()) << slot.status();
    if (!slot.ok()) return {start.id, 0, {}};
    return {start.id, *slot, ReceiveFrom(peer_->fd())};
  }

  ScratchDirectory scratch_;
  const UniqueFd output_{open(scratch_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<SystemShims> shims_;
  std::unique_ptr<Peer> peer_;
  std::vector<std::string> deaths_, reasons_;
};

TEST_F(ForkStartTest, AnAnswerThatComesLateIsNotForTheNextProcessOfTheSlot) {
  Asked first = Ask();
  first.packet.fds.clear();
  ASSERT_TRUE(Run([&] { return !deaths_.empty(); })) << "the lock went, and no answer came";
  shims_->Free(first.slot, first.id);
  Asked second = Ask();
  ASSERT_EQ(second.slot, first.slot);
  peer_->Say("failed 1 fork 12 the answer of the first");
  peer_->Say("failed 2 threads 0 it has 2 threads");
  ASSERT_TRUE(Run([&] { return deaths_.size() > 1; }));
  EXPECT_THAT(deaths_, ElementsAre(first.id, second.id));
  EXPECT_THAT(reasons_, ElementsAre("", "it has 2 threads"));
  shims_->Free(second.slot, second.id);
}

TEST_F(ForkStartTest, TheReasonIsWaitedForAfterTheLockHasGone) {
  Asked asked = Ask();
  asked.packet.fds.clear();
  // After the first poll, at 100 ms, and before the second.
  loop_->After(absl::Milliseconds(101), [&] { peer_->Say("failed 1 threads 0 it has 2 threads"); });
  ASSERT_TRUE(Run([&] { return !deaths_.empty(); }));
  EXPECT_THAT(reasons_, ElementsAre("it has 2 threads"));
  shims_->Free(asked.slot, asked.id);
}

// What a process started before its shim could write its half.
class Orphan {
 public:
  explicit Orphan(int cgroup) {
    int closed[2] = {-1, -1};
    EXPECT_EQ(pipe2(closed, O_CLOEXEC), 0);
    pid_ = fork();
    if (pid_ == 0) {
      close_range(3, ~0u, 0);  // locks are among them
      pause();
      _exit(0);
    }
    close(closed[1]);
    char byte = 0;
    EXPECT_EQ(read(closed[0], &byte, 1), 0);
    close(closed[0]);
    const std::string text = absl::StrCat(pid_);
    const UniqueFd procs(openat(cgroup, "cgroup.procs", O_WRONLY | O_CLOEXEC));
    EXPECT_EQ(write(procs.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  ~Orphan() {
    if (pid_ <= 1) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  bool HasEnded() {
    int status = 0;
    if (pid_ > 1 && waitpid(pid_, &status, WNOHANG) == pid_) pid_ = 0;
    return pid_ == 0;
  }

 private:
  pid_t pid_ = 0;
};

TEST_F(ForkStartTest, WhatAForkWithoutAShimStartedIsEnded) {
  if (!shims_->has_cgroup()) GTEST_SKIP() << shims_->cgroup_status();
  Asked asked = Ask();
  Orphan orphan(asked.packet.fds[fork_protocol::kSentCgroup].get());
  peer_->Say("forked 1 4711");
  ASSERT_TRUE(Run([&] { return shims_->Look(asked.slot, asked.id).forked; }));
  asked.packet.fds.clear();  // as the shim that is killed
  ASSERT_TRUE(Run([&] { return !deaths_.empty(); }));
  EXPECT_THAT(reasons_, ElementsAre(""));
  EXPECT_TRUE(shims_->Look(asked.slot, asked.id).forked);
  EXPECT_TRUE(Run([&] { return orphan.HasEnded(); }));
  shims_->Free(asked.slot, asked.id);
}

TEST_F(ForkStartTest, WhatAForkWithoutAShimStartedIsEndedAfterARestartToo) {
  if (!shims_->has_cgroup()) GTEST_SKIP() << shims_->cgroup_status();
  Asked asked = Ask();
  Orphan orphan(asked.packet.fds[fork_protocol::kSentCgroup].get());
  shims_.reset();
  asked.packet.fds.clear();
  OpenShims();
  ASSERT_EQ(shims_->Recover().size(), 1u);
  ASSERT_FALSE(shims_->Look(asked.slot, asked.id).locked);
  shims_->Free(asked.slot, asked.id);
  EXPECT_TRUE(Run([&] { return orphan.HasEnded(); }));
}

}  // namespace
}  // namespace shoal::agent
