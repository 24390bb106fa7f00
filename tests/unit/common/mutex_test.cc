// Mutex, Notification and BlockingCounter; under the thread sanitizer, that it sees their order.
#include "common/mutex.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "common/blocking_counter.h"
#include "common/notification.h"

namespace shoal {
namespace {

constexpr absl::Duration kDeadline = absl::Seconds(60);

// What two threads hand to each other.
struct Ball {
  Mutex mu;
  int hits ABSL_GUARDED_BY(mu) = 0;

  // Waits for `number` hits, then adds one.
  bool HitAfter(int number) {
    MutexLock lock(&mu);
    auto is_mine = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) { return hits == number; };
    if (!mu.AwaitWithTimeout(is_mine, kDeadline)) return false;
    ++hits;
    return true;
  }
};

TEST(MutexTest, AwaitSeesEachChangeOfAnotherThread) {
  constexpr int kHits = 2000;
  Ball ball;
  std::thread other([&] {
    for (int i = 1; i < kHits; i += 2) EXPECT_TRUE(ball.HitAfter(i));
  });
  for (int i = 0; i < kHits; i += 2) EXPECT_TRUE(ball.HitAfter(i));
  other.join();
  MutexLock lock(&ball.mu);
  EXPECT_EQ(ball.hits, kHits);
}

TEST(MutexTest, AChangeRightBeforeAwaitIsSeen) {
  Mutex mu;
  bool is_waiting = false, is_asked = false, is_answered = false;
  std::thread other([&] {
    MutexLock lock(&mu);
    is_waiting = true;
    if (mu.AwaitWithTimeout([&] { return is_asked; }, kDeadline)) is_answered = true;
  });
  {
    MutexLock lock(&mu);
    EXPECT_TRUE(mu.AwaitWithTimeout([&] { return is_waiting; }, kDeadline));
    is_asked = true;
    EXPECT_TRUE(mu.AwaitWithTimeout([&] { return is_answered; }, kDeadline));
  }
  other.join();
}

TEST(MutexTest, EveryWaitingThreadIsToldOfOneChange) {
  Mutex mu;
  bool is_open = false;
  std::vector<std::thread> threads;
  threads.reserve(8);
  BlockingCounter passed(8);
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      MutexLock lock(&mu);
      mu.Await([&] { return is_open; });
      passed.DecrementCount();
    });
  }
  {
    MutexLock lock(&mu);
    is_open = true;
  }
  passed.Wait();
  for (std::thread& thread : threads) thread.join();
}

TEST(MutexTest, AwaitWithTimeoutTellsWhetherTheConditionHolds) {
  Mutex mu;
  MutexLock lock(&mu);
  for (absl::Duration timeout : {-absl::InfiniteDuration(), -absl::Seconds(1), absl::ZeroDuration(),
                                 absl::Nanoseconds(1), absl::Milliseconds(2)}) {
    EXPECT_FALSE(mu.AwaitWithTimeout([] { return false; }, timeout)) << timeout;
    EXPECT_TRUE(mu.AwaitWithTimeout([] { return true; }, timeout)) << timeout;
  }
}

TEST(MutexTest, AWaitWithoutEndOutlastsEveryClock) {
  for (absl::Duration timeout :
       {absl::InfiniteDuration(), absl::Hours(24 * 365) * 290, absl::Hours(24 * 365) * 1000}) {
    Mutex mu;
    bool is_set = false;
    std::thread other([&] {
      MutexLock lock(&mu);
      is_set = true;
    });
    {
      MutexLock lock(&mu);
      EXPECT_TRUE(mu.AwaitWithTimeout([&] { return is_set; }, timeout)) << timeout;
    }
    other.join();
  }
}

TEST(NotificationTest, MayBeDestroyedAsSoonAsTheWaitReturns) {
  for (int i = 0; i < 500; ++i) {
    auto notification = std::make_unique<Notification>();
    std::thread other([told = notification.get()] { told->Notify(); });
    notification->WaitForNotification();
    EXPECT_TRUE(notification->HasBeenNotified());
    notification.reset();
    other.join();
  }
}

TEST(NotificationTest, TheTimeoutPassesWithoutIt) {
  Notification notification;
  EXPECT_FALSE(notification.HasBeenNotified());
  EXPECT_FALSE(notification.WaitForNotificationWithTimeout(absl::Milliseconds(1)));
  notification.Notify();
  EXPECT_TRUE(notification.WaitForNotificationWithTimeout(absl::ZeroDuration()));
}

TEST(BlockingCounterTest, WaitsForTheLastOne) {
  constexpr int kThreads = 4;
  BlockingCounter pending(kThreads);
  int answers[kThreads] = {};
  std::vector<std::thread> threads;
  for (int& answer : answers) {
    threads.emplace_back([&answer, &pending] {
      answer = 1;
      pending.DecrementCount();
    });
  }
  pending.Wait();
  for (int answer : answers) EXPECT_EQ(answer, 1);
  for (std::thread& thread : threads) thread.join();
  BlockingCounter none(0);
  none.Wait();
}

}  // namespace
}  // namespace shoal
