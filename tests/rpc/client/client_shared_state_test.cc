// The state of many processes by one stream: sentinels and joins.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <cstdlib>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "shoal/host.h"
#include "shoal/host/host_rep.h"
#include "shoal/host/shared_state.h"
#include "shoal/process/child_process.h"
#include "shoal/process/program.h"
#include "tests/support/fake_agent.h"

namespace shoal {
namespace {

using ::shoal::testing::FakeAgent;

constexpr int kDeadlineMilliseconds = 60'000;

bool IsReadable(int fd) {
  pollfd sentinel = {fd, POLLIN, 0};
  return poll(&sentinel, 1, 0) == 1;
}

bool BecomesReadable(int fd) {
  pollfd sentinel = {fd, POLLIN, 0};
  return poll(&sentinel, 1, kDeadlineMilliseconds) == 1;
}

// Never destroyed: the sessions of this program on it are closed when the program ends, and then its
// files go.
FakeAgent& LastingAgent() {
  static FakeAgent* const kAgent = [] {
    std::atexit([] { LastingAgent().RemoveFiles(); });
    return new FakeAgent("a");
  }();
  return *kAgent;
}

// Each test has a host, and with that a session, of its own.
class SharedStateTest : public ::testing::Test {
 protected:
  SharedStateTest()
      : agent_(LastingAgent()),
        watches_(agent_.Calls("Watch")),
        waits_(agent_.Calls("Wait")),
        host_(*Host::Create(UnixAddress(agent_.socket_path()))) {}
  ~SharedStateTest() override {
    for (const std::string& session : sessions_) host_->rep()->shared_state->Forget(session);
    for (const auto& child : children_) {
      child->End(/*kill=*/true).IgnoreError();
      Program::Get().Remove(child.get());
    }
  }

  internal::ChildProcess& Start(std::vector<std::string> command, bool detached = false) {
    ProcessOptions options;
    options.command = std::move(command);
    options.host = host_;
    options.detached = detached;
    children_.push_back(std::make_shared<internal::ChildProcess>(std::move(options), 1));
    EXPECT_TRUE(children_.back()->Start({}, "").ok());
    sessions_.insert(children_.back()->Info().session_id());
    return *children_.back();
  }
  static std::string IdOf(const internal::ChildProcess& child) { return child.Info().id(); }
  bool IsOpen(const internal::ChildProcess& child) const {
    return host_->rep()->shared_state->IsOpen(child.Info().session_id());
  }

  int Watches() const { return agent_.Calls("Watch") - watches_; }
  int Waits() const { return agent_.Calls("Wait") - waits_; }
  void AwaitWatch() const { agent_.AwaitCalls("Watch", watches_ + 1); }

  FakeAgent& agent_;
  const int watches_;
  const int waits_;
  const std::shared_ptr<Host> host_;
  std::vector<std::shared_ptr<internal::ChildProcess>> children_;
  std::set<std::string> sessions_;
};

TEST_F(SharedStateTest, TwoHundredSentinelsAreOneStream) {
  std::vector<int> sentinels;
  for (int i = 0; i < 200; ++i) {
    auto& child = Start({"wait"});
    sentinels.push_back(*child.Sentinel());
    EXPECT_FALSE(IsReadable(sentinels.back()));
  }
  for (int i = 0; i < 100; ++i) agent_.Exit(IdOf(*children_[static_cast<size_t>(i)]), i);
  for (size_t i = 0; i < 100; ++i) ASSERT_TRUE(BecomesReadable(sentinels[i])) << i;
  EXPECT_EQ(Watches(), 1);
  agent_.Stop();
  agent_.Start();
  for (int i = 100; i < 200; ++i) {
    EXPECT_FALSE(IsReadable(sentinels[static_cast<size_t>(i)]));
    agent_.Exit(IdOf(*children_[static_cast<size_t>(i)]), i);
  }
  for (size_t i = 100; i < 200; ++i) ASSERT_TRUE(BecomesReadable(sentinels[i])) << i;
  for (size_t i = 0; i < 200; ++i) {
    EXPECT_EQ(children_[i]->Info().exit().code(), static_cast<int>(i));
    EXPECT_EQ(*children_[i]->Join(absl::ZeroDuration()), true);
  }
  EXPECT_EQ(Watches(), 2);
  EXPECT_LE(Waits(), 8);  // for what changed again before the stream had told of its start
}

TEST_F(SharedStateTest, WhatEndsWhileTheAgentIsAwayAndIsNotInTheEventsIsInTheSnapshot) {
  auto& child = Start({"wait"});
  int sentinel = *child.Sentinel();
  AwaitWatch();
  agent_.Stop();
  agent_.Exit(IdOf(child), 7);
  agent_.Compact();
  agent_.Start();
  ASSERT_TRUE(BecomesReadable(sentinel));
  EXPECT_EQ(*child.Join(absl::InfiniteDuration()), true);
  EXPECT_EQ(child.Info().exit().code(), 7);
}

TEST_F(SharedStateTest, WhatEndedBeforeItIsFollowedIsReadableAtOnce) {
  auto& first = Start({"wait"});
  int sentinel = *first.Sentinel();
  AwaitWatch();
  auto& ended = Start({"wait"});
  agent_.Exit(IdOf(ended), 3);
  EXPECT_TRUE(BecomesReadable(*ended.Sentinel()));
  EXPECT_FALSE(IsReadable(sentinel));
  EXPECT_EQ(Watches(), 1);
}

TEST_F(SharedStateTest, ADeletedProcessHasEnded) {
  auto& child = Start({"wait"});
  int sentinel = *child.Sentinel();
  AwaitWatch();
  agent_.Delete(IdOf(child));
  EXPECT_TRUE(BecomesReadable(sentinel));
}

TEST_F(SharedStateTest, WhatWasDeletedWhileTheAgentWasAwayIsReadable) {
  auto& child = Start({"wait"});
  auto& other = Start({"wait"});
  int sentinel = *child.Sentinel();
  int left = *other.Sentinel();
  AwaitWatch();
  agent_.Stop();
  agent_.Delete(IdOf(child));
  agent_.Compact();
  agent_.Start();
  EXPECT_TRUE(BecomesReadable(sentinel));
  EXPECT_FALSE(IsReadable(left));
}

TEST_F(SharedStateTest, WhatWasDeletedBeforeItIsFollowedIsReadable) {
  auto& first = Start({"wait"});
  ASSERT_TRUE(first.Sentinel().ok());
  auto& child = Start({"wait"});
  agent_.Delete(IdOf(child));
  EXPECT_TRUE(BecomesReadable(*child.Sentinel()));
}

TEST_F(SharedStateTest, AHostThatIsGivenUpMakesSentinelsReadable) {
  auto& child = Start({"wait"});
  int sentinel = *child.Sentinel();
  AwaitWatch();  // so that the failure is for the second one, which nothing cuts off
  agent_.FailNext("Watch", absl::PermissionDeniedError("no"), 1);
  agent_.Stop();
  agent_.Start();
  EXPECT_TRUE(BecomesReadable(sentinel));
  agent_.Exit(IdOf(child), 2);
  EXPECT_EQ(*child.Join(absl::InfiniteDuration()), true);
  EXPECT_EQ(child.Info().exit().code(), 2);
}

TEST_F(SharedStateTest, ProcessesWithoutASessionShareAWatchThatNamesThem) {
  auto& child = Start({"wait"}, /*detached=*/true);
  int sentinel = *child.Sentinel();
  EXPECT_FALSE(IsReadable(sentinel));
  agent_.Exit(IdOf(child), 1);
  EXPECT_TRUE(BecomesReadable(sentinel));
  EXPECT_EQ(Watches(), 1);
}

TEST_F(SharedStateTest, AProcessThatLeavesItsSessionIsStillFollowed) {
  auto& child = Start({"wait"});
  int sentinel = *child.Sentinel();
  AwaitWatch();
  v1::UpdateRequest request;
  request.mutable_selector()->add_terms(IdOf(child));
  request.set_lifetime(v1::LIFETIME_DETACHED);
  ASSERT_TRUE(host_->Update(std::move(request)).ok());
  agent_.Exit(IdOf(child), 1);
  EXPECT_TRUE(BecomesReadable(sentinel));
}

TEST_F(SharedStateTest, OneJoinIsOneCallAndManyShareAStream) {
  auto& one = Start({"exit:0"});
  ASSERT_EQ(*one.Join(absl::InfiniteDuration()), true);
  EXPECT_FALSE(IsOpen(one));
  std::vector<std::thread> joins;
  for (int i = 0; i < 50; ++i) {
    auto& child = Start({"wait"});
    joins.emplace_back([&child] { EXPECT_EQ(*child.Join(absl::InfiniteDuration()), true); });
  }
  for (size_t i = 1; i < children_.size(); ++i) {
    EXPECT_EQ(*children_[i]->Join(absl::Milliseconds(1)), false);
  }
  for (size_t i = 1; i < children_.size(); ++i) agent_.Exit(IdOf(*children_[i]), 0);
  for (std::thread& join : joins) join.join();
  EXPECT_EQ(Watches(), 1);
  EXPECT_EQ(*children_.back()->Join(absl::ZeroDuration()), true);
}

TEST_F(SharedStateTest, TheStreamEndsWithTheSession) {
  auto& child = Start({"wait"});
  ASSERT_TRUE(child.Sentinel().ok());
  const std::string session = child.Info().session_id();
  EXPECT_TRUE(IsOpen(child));
  host_->rep()->shared_state->Forget(session);
  EXPECT_TRUE(BecomesReadable(*child.Sentinel()));
  EXPECT_FALSE(IsOpen(child));
}

}  // namespace
}  // namespace shoal
