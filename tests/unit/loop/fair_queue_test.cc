#include "agent/loop/fair_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"

namespace shoal::agent {
namespace {

using ::testing::ElementsAre;

class FairQueueTest : public ::testing::Test {
 protected:
  FairQueueTest() : loop_(*EventLoop::Create()) {
    queue_ = std::make_unique<FairQueue>(loop_.get(), [this] { return cpu_; });
  }
  // Posts a closure that takes so long and leaves its name.
  void Post(const std::string& identity, const std::string& connection, const std::string& name,
            absl::Duration cost) {
    queue_->Post(identity, connection, [this, name, cost] {
      cpu_ += cost;
      ran_.push_back(name);
    });
  }
  // Runs turns of the loop until so many closures have run.
  void RunUntil(size_t count) {
    while (ran_.size() < count) {
      loop_->Post([this] { loop_->Stop(); });
      loop_->Run();
    }
  }
  size_t PlaceOf(const std::string& name) {
    return static_cast<size_t>(std::find(ran_.begin(), ran_.end(), name) - ran_.begin());
  }

  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<FairQueue> queue_;
  absl::Duration cpu_;
  std::vector<std::string> ran_;
};

TEST_F(FairQueueTest, ClosuresOfOneConnectionRunInTheirOrder) {
  for (const char* name : {"a", "b", "c"}) Post("x", "1", name, absl::Milliseconds(3));
  RunUntil(3);
  EXPECT_THAT(ran_, ElementsAre("a", "b", "c"));
}

TEST_F(FairQueueTest, OneThatPostsAThousandDoesNotKeepAnotherWaiting) {
  for (int i = 0; i < 1'000; ++i) Post("flood", "1", "f", absl::Milliseconds(1));
  Post("other", "2", "o", absl::Microseconds(10));
  RunUntil(1'001);
  EXPECT_LE(PlaceOf("o"), 2u);
}

TEST_F(FairQueueTest, OneWhoseClosuresTakeLongHasFewerOfThem) {
  for (int i = 0; i < 50; ++i) {
    Post("slow", "1", "s", absl::Milliseconds(20));
    Post("quick", "2", "q", absl::Milliseconds(1));
  }
  RunUntil(60);
  EXPECT_GE(std::count(ran_.begin(), ran_.begin() + 40, "q"), 35);
}

TEST_F(FairQueueTest, ConnectionsOfOneIdentityTakeTurns) {
  for (int i = 0; i < 100; ++i) Post("x", "1", "first", absl::Milliseconds(1));
  Post("x", "2", "second", absl::Milliseconds(1));
  RunUntil(101);
  EXPECT_LE(PlaceOf("second"), 2u);
}

TEST_F(FairQueueTest, WhatTheTurnEndCostsIsChargedToThoseThatRan) {
  Post("batch", "1", "b", absl::Microseconds(10));
  RunUntil(1);
  queue_->ChargeTurnEnd(absl::Milliseconds(100));
  for (int i = 0; i < 10; ++i) {
    Post("batch", "1", "b", absl::Milliseconds(1));
    Post("other", "2", "o", absl::Milliseconds(1));
  }
  RunUntil(21);
  EXPECT_THAT(std::vector<std::string>(ran_.begin() + 1, ran_.begin() + 11), ::testing::Each("o"));
}

TEST_F(FairQueueTest, ATurnOfTheLoopTakesAFewMillisecondsOfItOnly) {
  for (int i = 0; i < 100; ++i) Post("x", "1", "c", absl::Milliseconds(1));
  loop_->Post([this] { loop_->Stop(); });
  loop_->Run();
  EXPECT_LE(ran_.size(), 8u) << "timers, descriptors and answers have their turn";
  RunUntil(100);
}

TEST_F(FairQueueTest, WhereIdentitiesComeByTurnsATurnOfTheLoopIsShorter) {
  for (int i = 0; i < 100; ++i) Post("x", "1", "x", absl::Microseconds(500));
  Post("y", "2", "y", absl::Microseconds(500));
  loop_->Post([this] { loop_->Stop(); });
  loop_->Run();
  EXPECT_LE(ran_.size(), 5u);
  RunUntil(101);
}

// Of two the first to come is the first to run.
TEST_F(FairQueueTest, WhoComesAlongAndOwesNothingIsNext) {
  for (int i = 0; i < 20; ++i) Post("x", "1", "x", absl::Milliseconds(2));
  RunUntil(1);
  const size_t ran = ran_.size();
  ASSERT_LT(ran, 15u);
  Post("y", "2", "y", absl::Milliseconds(2));
  Post("z", "3", "z", absl::Microseconds(10));
  RunUntil(22);
  EXPECT_EQ(PlaceOf("y"), ran);
  EXPECT_EQ(PlaceOf("z"), ran + 1);
}

TEST_F(FairQueueTest, AnyThreadPosts) {
  FairQueue queue(loop_.get());
  int ran = 0;  // on this thread
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int j = 0; j < 100; ++j) queue.Post(absl::StrCat(i), "", [&ran] { ++ran; });
    });
  }
  while (ran < 400) {
    loop_->Post([this] { loop_->Stop(); });
    loop_->Run();
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(ran, 400);
}

}  // namespace
}  // namespace shoal::agent
