#include "agent/loop/event_loop.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace shoal::agent {
namespace {

using ::testing::ElementsAre;

struct Pipe {
  Pipe() {
    std::array<int, 2> fds{};
    EXPECT_EQ(pipe2(fds.data(), O_CLOEXEC | O_NONBLOCK), 0);
    in = UniqueFd(fds[0]);
    out = UniqueFd(fds[1]);
  }
  void Fill() { EXPECT_EQ(write(out.get(), "x", 1), 1); }
  void Drain() {
    char byte = 0;
    EXPECT_EQ(read(in.get(), &byte, 1), 1);
  }
  UniqueFd in, out;
};

absl::Duration BootTime() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return absl::DurationFromTimespec(now);
}

class EventLoopTest : public ::testing::Test {
 protected:
  EventLoopTest() {
    auto created = EventLoop::Create();
    EXPECT_TRUE(created.ok()) << created.status();
    loop_ = *std::move(created);
  }
  EventLoop::Closure Note(std::string text) {
    return [this, text = std::move(text)] { notes_.push_back(text); };
  }

  std::unique_ptr<EventLoop> loop_;
  std::vector<std::string> notes_;
};

TEST_F(EventLoopTest, ClosuresRunInTheOrderTheyWerePosted) {
  loop_->Post(Note("a"));
  loop_->Post(Note("b"));
  loop_->Post(Note("c"));
  loop_->Stop();
  loop_->Run();
  EXPECT_THAT(notes_, ElementsAre("a", "b", "c"));
}

TEST_F(EventLoopTest, WhatATurnPostsRunsInTheNextTurn) {
  loop_->Post([this] {
    notes_.push_back("a");
    loop_->Post([this] {
      notes_.push_back("c");
      loop_->Stop();
    });
  });
  loop_->Post(Note("b"));
  loop_->Run([this] { notes_.push_back("|"); });
  EXPECT_THAT(notes_, ElementsAre("a", "b", "|", "c", "|"));
}

TEST_F(EventLoopTest, WhatTheTurnEndPostsRuns) {
  bool first = true;
  loop_->Post(Note("a"));
  loop_->Run([&] {
    if (!std::exchange(first, false)) return;
    loop_->Post([this] {
      notes_.push_back("after");
      loop_->Stop();
    });
  });
  EXPECT_THAT(notes_, ElementsAre("a", "after"));
}

TEST_F(EventLoopTest, TheTurnEndRunsOnceForAllOfATurn) {
  Pipe pipe;
  pipe.Fill();
  ASSERT_TRUE(loop_
                  ->Watch(pipe.in.get(), EPOLLIN,
                          [&](uint32_t) {
                            pipe.Drain();
                            notes_.push_back("fd");
                          })
                  .ok());
  loop_->Post(Note("posted"));
  loop_->Stop();
  loop_->Run([this] { notes_.push_back("|"); });
  EXPECT_THAT(notes_, ElementsAre("fd", "posted", "|"));
}

TEST_F(EventLoopTest, TheTurnEndDoesNotRunWhenNothingRan) {
  loop_->Stop();
  loop_->Run([this] { notes_.push_back("|"); });
  EXPECT_THAT(notes_, ElementsAre());
}

TEST_F(EventLoopTest, ClosuresPostedAfterStopWaitForTheNextRun) {
  loop_->Post([this] { loop_->Stop(); });
  loop_->Post([this] { loop_->Post(Note("later")); });
  loop_->Run();
  EXPECT_THAT(notes_, ElementsAre("later"));  // Stop was seen at the start of the second turn
  loop_->Post(Note("again"));
  loop_->Stop();
  loop_->Run();
  EXPECT_THAT(notes_, ElementsAre("later", "again"));
}

TEST_F(EventLoopTest, AClosureIsDestroyedAsSoonAsItHasRun) {
  auto held = std::make_shared<int>(1);
  std::weak_ptr<int> seen = held;
  loop_->Post([held = std::move(held)] {});
  loop_->Post([this, seen] { notes_.push_back(seen.expired() ? "gone" : "held"); });
  loop_->Stop();
  loop_->Run();
  EXPECT_THAT(notes_, ElementsAre("gone"));
}

TEST_F(EventLoopTest, TimersRunInTheOrderOfTheirTimesNotBeforeThem) {
  const absl::Duration start = BootTime();
  absl::Duration elapsed;
  // So far apart that this thread may be held up in between.
  loop_->After(absl::Milliseconds(600), [&] {
    notes_.push_back("last");
    elapsed = BootTime() - start;
    loop_->Stop();
  });
  loop_->After(absl::Milliseconds(300), Note("later"));
  loop_->After(absl::ZeroDuration(), Note("0"));
  loop_->After(-absl::Seconds(1), Note("past"));
  loop_->Run();
  EXPECT_THAT(notes_, ElementsAre("0", "past", "later", "last"));
  EXPECT_GE(elapsed, absl::Milliseconds(600));
}

TEST_F(EventLoopTest, ANearerTimerRearms) {
  loop_->After(absl::Hours(1), Note("never"));
  loop_->Post([this] { loop_->After(absl::Milliseconds(1), [this] { loop_->Stop(); }); });
  loop_->Run();
  EXPECT_THAT(notes_, ElementsAre());
}

TEST_F(EventLoopTest, AnInfiniteTimerNeverRuns) {
  EventLoop::TimerId timer = loop_->After(absl::InfiniteDuration(), Note("never"));
  loop_->After(absl::Milliseconds(1), [this] { loop_->Stop(); });
  loop_->Run();
  loop_->Cancel(timer);
  EXPECT_THAT(notes_, ElementsAre());
}

TEST_F(EventLoopTest, ATimerMayCancelOneThatIsDueInTheSameTurn) {
  EventLoop::TimerId second = 0;
  loop_->After(absl::ZeroDuration(), [&] {
    notes_.push_back("first");
    loop_->Cancel(second);
    loop_->Stop();
  });
  second = loop_->After(absl::ZeroDuration(), Note("second"));
  loop_->Run();
  EXPECT_THAT(notes_, ElementsAre("first"));
}

TEST_F(EventLoopTest, CancellingATimerThatHasRunDoesNothing) {
  EventLoop::TimerId timer = loop_->After(absl::ZeroDuration(), Note("ran"));
  loop_->After(absl::Milliseconds(1), [&] {
    loop_->Cancel(timer);
    loop_->Cancel(987654);
    loop_->Stop();
  });
  loop_->Run();
  EXPECT_THAT(notes_, ElementsAre("ran"));
}

TEST_F(EventLoopTest, ATimerMayStartTheNextForEver) {
  int runs = 0;
  std::function<void()> again = [&] {
    if (++runs == 100) return loop_->Stop();
    loop_->After(absl::ZeroDuration(), [&] { again(); });
  };
  loop_->After(absl::ZeroDuration(), [&] { again(); });
  loop_->Run();
  EXPECT_EQ(runs, 100);
}

TEST_F(EventLoopTest, AHandlerRunsWhileItsDescriptorIsReady) {
  Pipe pipe;
  pipe.Fill();
  pipe.Fill();
  ASSERT_TRUE(loop_
                  ->Watch(pipe.in.get(), EPOLLIN,
                          [&](uint32_t events) {
                            EXPECT_EQ(events, static_cast<uint32_t>(EPOLLIN));
                            pipe.Drain();
                            notes_.push_back("byte");
                            if (notes_.size() == 2) loop_->Stop();
                          })
                  .ok());
  loop_->Run();
  EXPECT_THAT(notes_, ElementsAre("byte", "byte"));
}

TEST_F(EventLoopTest, ADescriptorMayBeWatchedForOtherEventsFromThenOn) {
  Pipe pipe;
  ASSERT_TRUE(loop_
                  ->Watch(pipe.out.get(), 0,
                          [&](uint32_t events) {
                            EXPECT_EQ(events, static_cast<uint32_t>(EPOLLOUT));
                            notes_.push_back("room");
                            loop_->Rewatch(pipe.out.get(), 0);
                          })
                  .ok());
  loop_->After(absl::Milliseconds(1), [&] { loop_->Rewatch(pipe.out.get(), EPOLLOUT); });
  loop_->After(absl::Milliseconds(20), [&] { loop_->Stop(); });
  loop_->Run();
  EXPECT_THAT(notes_, ElementsAre("room"));
}

TEST_F(EventLoopTest, AHandlerMayUnwatchItself) {
  Pipe pipe;
  pipe.Fill();
  auto held = std::make_shared<std::string>("alive");
  ASSERT_TRUE(loop_
                  ->Watch(pipe.in.get(), EPOLLIN,
                          [&, held](uint32_t) {
                            loop_->Unwatch(pipe.in.get());
                            notes_.push_back(*held);  // still there while it runs
                            loop_->Stop();
                          })
                  .ok());
  loop_->Run();
  EXPECT_THAT(notes_, ElementsAre("alive"));
  EXPECT_EQ(held.use_count(), 1);
}

TEST_F(EventLoopTest, AHandlerMayUnwatchAnotherThatIsReadyInTheSameTurn) {
  Pipe a, b;
  a.Fill();
  b.Fill();
  for (Pipe* pipe : {&a, &b}) {
    Pipe* other = pipe == &a ? &b : &a;
    ASSERT_TRUE(loop_
                    ->Watch(pipe->in.get(), EPOLLIN,
                            [&, pipe, other](uint32_t) {
                              pipe->Drain();
                              notes_.push_back("one");
                              loop_->Unwatch(other->in.get());
                              loop_->Stop();
                            })
                    .ok());
  }
  loop_->Run();
  EXPECT_THAT(notes_, ElementsAre("one"));
}

TEST_F(EventLoopTest, AnEventOfAnEarlierWatchDoesNotReachALaterOneOfTheSameNumber) {
  Pipe a, b, quiet;
  a.Fill();
  b.Fill();
  // Whichever runs first replaces the other's descriptor by one that is not ready.
  for (Pipe* pipe : {&a, &b}) {
    Pipe* other = pipe == &a ? &b : &a;
    ASSERT_TRUE(loop_
                    ->Watch(pipe->in.get(), EPOLLIN,
                            [&, pipe, other](uint32_t) {
                              notes_.push_back("one");
                              pipe->Drain();
                              const int number = other->in.get();
                              loop_->Unwatch(number);
                              ASSERT_EQ(dup3(quiet.in.get(), number, O_CLOEXEC), number);
                              ASSERT_TRUE(loop_
                                              ->Watch(number, EPOLLIN,
                                                      [&](uint32_t) { notes_.push_back("stale"); })
                                              .ok());
                              loop_->Stop();
                            })
                    .ok());
  }
  loop_->Run();
  EXPECT_THAT(notes_, ElementsAre("one"));
}

TEST_F(EventLoopTest, WatchSaysWhyItFails) {
  Pipe pipe;
  ASSERT_TRUE(loop_->Watch(pipe.in.get(), EPOLLIN, [](uint32_t) {}).ok());
  EXPECT_EQ(loop_->Watch(pipe.in.get(), EPOLLIN, [](uint32_t) {}).code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_FALSE(loop_->Watch(-1, EPOLLIN, [](uint32_t) {}).ok());
  loop_->Unwatch(12345);  // unknown: nothing happens
}

TEST_F(EventLoopTest, EveryThreadsClosuresRunOnceAndInItsOrder) {
  constexpr int kThreads = 8, kEach = 5000;
  std::array<int, kThreads> next{};  // loop thread only
  int done = 0;
  std::vector<std::thread> threads;
  for (size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        loop_->Post([&, t, i] {
          EXPECT_EQ(next[t], i);
          next[t] = i + 1;
          if (i + 1 == kEach && ++done == kThreads) loop_->Stop();
        });
      }
    });
  }
  loop_->Run();
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(next, ::testing::Each(kEach));
}

TEST_F(EventLoopTest, StopFromAnotherThreadEndsALoopAtRest) {
  std::thread stopper([this] { loop_->Stop(); });
  loop_->Run();
  stopper.join();
}

}  // namespace
}  // namespace shoal::agent
