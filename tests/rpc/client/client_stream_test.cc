#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/mutex.h"
#include "common/notification.h"
#include "shoal/host.h"
#include "tests/support/fake_agent.h"

namespace shoal {
namespace {

using ::shoal::testing::FakeAgent;

constexpr absl::Duration kStreamDeadline = absl::Seconds(60);

class StreamTest : public ::testing::Test {
 protected:
  StreamTest() : agent_("a"), host_(*Host::Create(UnixAddress(agent_.socket_path()))) {
    EXPECT_TRUE(host_->GetFacts().ok());
  }

  v1::Process Spawn(std::vector<std::string> argv) {
    v1::SpawnRequest request;
    for (std::string& word : argv) request.mutable_spec()->add_argv(std::move(word));
    auto response = host_->Spawn(std::move(request));
    EXPECT_TRUE(response.ok()) << response.status();
    return response.ok() ? response->process() : v1::Process();
  }

  static v1::ReadOutputRequest OutputOf(const v1::Process& process, bool follow) {
    v1::ReadOutputRequest request;
    request.mutable_selector()->add_terms(process.id());
    request.set_follow(follow);
    return request;
  }

  FakeAgent agent_;
  std::shared_ptr<Host> host_;
};

TEST_F(StreamTest, ABrokenReaderGoesOnAtItsOffsetByteForByte) {
  std::string text;
  for (int i = 0; i < 5000; ++i) absl::StrAppend(&text, i, "\n");
  v1::Process process = Spawn({"out:" + text, "err:oops", "exit:0"});
  agent_.SetFrameBytes(101);
  agent_.BreakAfter("ReadOutput", 7, 25);
  std::map<int, std::string> got;
  int broken = 0;
  Notification over;
  absl::Status end;
  OutputObserver observer;
  observer.on_frame = [&](const v1::ReadOutputResponse& frame) {
    EXPECT_EQ(frame.offset(), static_cast<int64_t>(got[frame.stream()].size()));
    got[frame.stream()] += frame.data();
    return Flow::kGoOn;
  };
  observer.on_connection = [&](const absl::Status& status) { broken += status.ok() ? 0 : 1; };
  observer.on_end = [&](const absl::Status& status) {
    end = status;
    over.Notify();
  };
  auto reader = host_->ReadOutput(OutputOf(process, true), std::move(observer));
  ASSERT_TRUE(over.WaitForNotificationWithTimeout(kStreamDeadline));
  EXPECT_TRUE(end.ok()) << end;
  EXPECT_EQ(got[v1::STREAM_KIND_STDOUT], text);
  EXPECT_EQ(got[v1::STREAM_KIND_STDERR], "oops");
  EXPECT_EQ(broken, 25);
}

TEST_F(StreamTest, AWriterThatIsResumedWhileItIsTriedAgainSendsEachByteOnce) {
  constexpr int kBreaks = 100;
  v1::SpawnRequest spawn;
  spawn.mutable_spec()->add_argv("wait");
  spawn.mutable_spec()->mutable_input()->mutable_stream();
  const auto spawned = host_->Spawn(std::move(spawn));
  ASSERT_TRUE(spawned.ok()) << spawned.status();
  agent_.BreakAfter("StreamInput", 1, kBreaks);

  std::atomic<int64_t> sent = 0, kept = 0;
  Notification over;
  InputObserver observer;
  observer.on_begin = [&] { sent = kept.load(); };
  observer.next = [&](v1::StreamInputRequest* request) {
    if (sent > 2 * kBreaks) return Supply::kNothing;
    request->set_selector(spawned->process().id());
    request->set_offset(sent);
    request->set_data(std::string(1, static_cast<char>('a' + sent++ % 26)));
    return Supply::kMessage;
  };
  observer.on_position = [&](const v1::InputPosition& position) { kept = position.kept_offset(); };
  observer.on_end = [&](const absl::Status& status) {
    EXPECT_TRUE(absl::IsCancelled(status)) << status;
    over.Notify();
  };
  const std::shared_ptr<Subscription> writer =
      host_->StreamInput(std::move(observer), absl::InfiniteDuration());
  std::atomic<bool> is_done = false;
  std::thread other([&] {
    while (!is_done) writer->Resume();
  });
  const absl::Time end = absl::Now() + kStreamDeadline;
  while (kept <= 2 * kBreaks && absl::Now() < end) absl::SleepFor(absl::Milliseconds(1));
  is_done = true;
  other.join();
  std::string expected;
  for (int i = 0; i <= 2 * kBreaks; ++i) expected += static_cast<char>('a' + i % 26);
  EXPECT_EQ(agent_.InputOf(spawned->process().id()), expected);
  writer->Cancel();
  EXPECT_TRUE(over.WaitForNotificationWithTimeout(kStreamDeadline));
}

TEST_F(StreamTest, APausedReaderWaitsUntilItIsResumed) {
  v1::Process process = Spawn({"out:abcdef", "exit:0"});
  agent_.SetFrameBytes(1);
  Mutex mu;
  std::string got;
  Notification over;
  OutputObserver observer;
  observer.on_frame = [&](const v1::ReadOutputResponse& frame) {
    MutexLock lock(&mu);
    got += frame.data();
    return Flow::kPause;
  };
  observer.on_end = [&](const absl::Status&) { over.Notify(); };
  auto reader = host_->ReadOutput(OutputOf(process, false), std::move(observer));
  for (size_t i = 1; i <= 6; ++i) {
    {
      MutexLock lock(&mu);
      auto has_come = [&] { return got.size() == i; };
      ASSERT_TRUE(mu.AwaitWithTimeout(has_come, kStreamDeadline)) << i;
    }
    reader->Resume();
  }
  // What is left are the two ends.
  while (!over.WaitForNotificationWithTimeout(absl::Milliseconds(1))) reader->Resume();
  EXPECT_EQ(got, "abcdef");
}

TEST_F(StreamTest, APausedReaderCanBeDropped) {
  v1::Process process = Spawn({"out:abcdef", "wait"});
  Notification came;
  OutputObserver observer;
  observer.on_frame = [&](const v1::ReadOutputResponse&) {
    came.Notify();
    return Flow::kPause;
  };
  auto reader = host_->ReadOutput(OutputOf(process, true), std::move(observer));
  ASSERT_TRUE(came.WaitForNotificationWithTimeout(kStreamDeadline));
  reader = nullptr;
}

TEST_F(StreamTest, EveryFourMebibytesAreAcknowledgedWhenAsked) {
  v1::Process process = Spawn({"fill:5000000", "exit:0"});
  Notification over;
  OutputObserver observer;
  observer.on_end = [&](const absl::Status&) { over.Notify(); };
  ReadOutputOptions options;
  options.acknowledge_bytes = int64_t{4} << 20;
  auto reader = host_->ReadOutput(OutputOf(process, false), std::move(observer), options);
  ASSERT_TRUE(over.WaitForNotificationWithTimeout(kStreamDeadline));
  host_ = nullptr;  // waits for the acknowledgement, or cancels it
  EXPECT_LE(agent_.Calls("AcknowledgeOutput"), 1);
}

TEST_F(StreamTest, AReaderGivesUpWhenItsPatienceIsOver) {
  v1::Process process = Spawn({"wait"});
  Notification began, over;
  absl::Status end;
  agent_.Write(process.id(), v1::STREAM_KIND_STDOUT, "x");
  OutputObserver observer;
  observer.on_frame = [&](const v1::ReadOutputResponse&) {
    began.Notify();
    return Flow::kGoOn;
  };
  observer.on_end = [&](const absl::Status& status) {
    end = status;
    over.Notify();
  };
  ReadOutputOptions options;
  options.patience = absl::Milliseconds(50);
  auto reader = host_->ReadOutput(OutputOf(process, true), std::move(observer), options);
  ASSERT_TRUE(began.WaitForNotificationWithTimeout(kStreamDeadline));
  agent_.Stop();
  ASSERT_TRUE(over.WaitForNotificationWithTimeout(kStreamDeadline));
  EXPECT_TRUE(absl::IsUnavailable(end)) << end;
}

// What a watch has told so far.
struct Watched {
  Mutex mu;
  std::map<std::string, v1::State> states ABSL_GUARDED_BY(mu);
  int resets ABSL_GUARDED_BY(mu) = 0;
  int synced ABSL_GUARDED_BY(mu) = 0;
  int upserts ABSL_GUARDED_BY(mu) = 0;
  std::vector<bool> connections ABSL_GUARDED_BY(mu);

  WatchObserver Observer() {
    WatchObserver observer;
    observer.on_event = [this](const v1::WatchResponse& event) {
      MutexLock lock(&mu);
      if (event.has_synced()) ++synced;
      if (event.has_upsert()) {
        ++upserts;
        states[event.upsert().id()] = event.upsert().state();
      }
      return Flow::kGoOn;
    };
    observer.on_reset = [this] {
      MutexLock lock(&mu);
      ++resets;
      states.clear();
    };
    observer.on_connection = [this](const absl::Status& status) {
      MutexLock lock(&mu);
      connections.push_back(status.ok());
    };
    return observer;
  }

  bool AwaitSynced(int times) {
    MutexLock lock(&mu);
    return mu.AwaitWithTimeout([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) { return synced == times; },
                               kStreamDeadline);
  }
  bool AwaitConnections(size_t count) {
    MutexLock lock(&mu);
    return mu.AwaitWithTimeout(
        [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) { return connections.size() == count; },
        kStreamDeadline);
  }
  bool AwaitState(const std::string& id, v1::State state) {
    MutexLock lock(&mu);
    return mu.AwaitWithTimeout(
        [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) { return states[id] == state; }, kStreamDeadline);
  }
};

TEST_F(StreamTest, AWatchGoesOnAfterARestartWithoutRepetition) {
  Watched watched;
  v1::Process process = Spawn({"wait"});
  auto watch = host_->Watch({}, watched.Observer());
  ASSERT_TRUE(watched.AwaitSynced(1));
  agent_.Stop();
  ASSERT_TRUE(watched.AwaitConnections(1));
  agent_.Exit(process.id(), 0);
  agent_.Start();
  ASSERT_TRUE(watched.AwaitState(process.id(), v1::STATE_EXITED));
  MutexLock lock(&watched.mu);
  EXPECT_EQ(watched.resets, 0);
  EXPECT_EQ(watched.upserts, 2);
  EXPECT_THAT(watched.connections, ::testing::ElementsAre(false, true));
}

TEST_F(StreamTest, AWatchWhoseRevisionIsGoneBeginsAfresh) {
  Watched watched;
  v1::Process process = Spawn({"wait"});
  auto watch = host_->Watch({}, watched.Observer());
  ASSERT_TRUE(watched.AwaitSynced(1));
  agent_.Stop();
  agent_.Compact();
  agent_.Start();
  ASSERT_TRUE(watched.AwaitSynced(2));
  MutexLock lock(&watched.mu);
  EXPECT_EQ(watched.resets, 1);
  EXPECT_EQ(watched.states.size(), 1u);
}

TEST_F(StreamTest, ASnapshotThatBreaksInTheMiddleIsTakenAgain) {
  Watched watched;
  for (int i = 0; i < 5; ++i) Spawn({"wait"});
  agent_.BreakAfter("Watch", 3, 1);
  auto watch = host_->Watch({}, watched.Observer());
  ASSERT_TRUE(watched.AwaitSynced(1));
  MutexLock lock(&watched.mu);
  EXPECT_EQ(watched.states.size(), 5u);
  EXPECT_EQ(watched.resets, 1);
}

TEST_F(StreamTest, ACancelledWatchEndsOnce) {
  int ends = 0;
  absl::Status end;
  WatchObserver observer;
  observer.on_end = [&](const absl::Status& status) {
    ++ends;
    end = status;
  };
  auto watch = host_->Watch({}, std::move(observer));
  watch->Cancel();
  watch->Cancel();
  watch = nullptr;
  EXPECT_EQ(ends, 1);
  EXPECT_TRUE(absl::IsCancelled(end));
}

TEST_F(StreamTest, RandomCancelsLeaveNothingBehind) {
  v1::Process process = Spawn({"out:" + std::string(100000, 'x'), "wait"});
  agent_.SetFrameBytes(100);
  for (int i = 0; i < 100; ++i) {
    Notification came;
    OutputObserver observer;
    observer.on_frame = [&, left = i % 7](const v1::ReadOutputResponse&) mutable {
      if (left-- == 0) came.Notify();
      return i % 2 == 0 ? Flow::kGoOn : Flow::kPause;
    };
    auto reader = host_->ReadOutput(OutputOf(process, true), std::move(observer));
    bool comes = i % 2 == 0 || i % 7 == 0;  // a paused reader gets one frame
    ASSERT_TRUE(!comes || came.WaitForNotificationWithTimeout(kStreamDeadline));
    if (i % 5 == 0) reader->Resume();
  }
}

TEST_F(StreamTest, AStreamOfAHostThatIsGoneEnds) {
  Notification over;
  WatchObserver observer;
  observer.on_end = [&](const absl::Status&) { over.Notify(); };
  auto watch = host_->Watch({}, std::move(observer));
  host_ = nullptr;
  EXPECT_TRUE(over.HasBeenNotified());
}

}  // namespace
}  // namespace shoal
