#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/blocking_counter.h"
#include "common/notification.h"
#include "shoal/session.h"
#include "tests/rpc/client/host_of.h"
#include "tests/support/fake_agent.h"

namespace shoal {
namespace {

using ::shoal::testing::FakeAgent;

constexpr absl::Duration kLeaseDeadline = absl::Seconds(60);

bool AwaitCalls(const FakeAgent& agent, const char* method, int calls) {
  absl::Time end = absl::Now() + kLeaseDeadline;
  while (agent.Calls(method) < calls && absl::Now() < end) absl::SleepFor(absl::Milliseconds(2));
  return agent.Calls(method) >= calls;
}

TEST(SessionLease, IsRenewedWhileItIsOpenAndNotAfter) {
  FakeAgent agent("a");
  SessionOptions options;
  options.ttl = absl::Milliseconds(60);
  auto session = Session::Open(HostOf(agent), options);
  ASSERT_TRUE(session.ok()) << session.status();
  EXPECT_TRUE(AwaitCalls(agent, "KeepAlive", 3));
  EXPECT_TRUE((*session)->status().ok());
  ASSERT_TRUE((*session)->Close().ok());
  EXPECT_EQ(agent.open_sessions(), 0);
}

TEST(SessionLease, ItsLossIsToldOnceWithTheReasonOfTheAgent) {
  FakeAgent agent("a");
  Notification lost;
  absl::Status reason;
  SessionOptions options;
  options.ttl = absl::Milliseconds(60);
  options.on_lost = [&](const absl::Status& status) {
    reason = status;
    lost.Notify();  // aborts if called twice
  };
  auto session = Session::Open(HostOf(agent), options);
  ASSERT_TRUE(session.ok()) << session.status();
  agent.ExpireSession((*session)->id());
  ASSERT_TRUE(lost.WaitForNotificationWithTimeout(kLeaseDeadline));
  EXPECT_TRUE(absl::IsNotFound(reason)) << reason;
  EXPECT_TRUE(absl::IsNotFound((*session)->status()));
}

TEST(SessionLease, AnAgentThatAnswersNothingIsToldOnceAndSoIsItsReturn) {
  FakeAgent agent("a");
  Notification silent;
  Notification heard;
  absl::Duration silence;
  SessionOptions options;
  options.ttl = absl::Milliseconds(600);
  options.on_silence = [&](absl::Duration duration) {
    if (duration == absl::ZeroDuration()) return heard.Notify();  // aborts if called twice
    silence = duration;
    silent.Notify();
  };
  auto session = Session::Open(HostOf(agent), options);
  ASSERT_TRUE(session.ok()) << session.status();
  agent.Hold("KeepAlive");
  ASSERT_TRUE(silent.WaitForNotificationWithTimeout(kLeaseDeadline));
  EXPECT_GE(silence, absl::Seconds(5));
  absl::SleepFor(absl::Seconds(1));  // further renewals without an answer
  agent.Release("KeepAlive");
  ASSERT_TRUE(heard.WaitForNotificationWithTimeout(kLeaseDeadline));
}

TEST(SessionLease, OutlivesARestartOfTheAgent) {
  FakeAgent agent("a");
  bool is_lost = false;
  SessionOptions options;
  options.ttl = absl::Milliseconds(60);
  options.on_lost = [&](const absl::Status&) { is_lost = true; };
  auto session = Session::Open(HostOf(agent), options);
  ASSERT_TRUE(session.ok()) << session.status();
  agent.Stop();
  agent.Start();
  EXPECT_TRUE(AwaitCalls(agent, "KeepAlive", agent.Calls("KeepAlive") + 2));
  EXPECT_TRUE((*session)->Close().ok());
  EXPECT_FALSE(is_lost);
}

TEST(SessionLease, SilenceLongerThanItsTimeIsToldWithItsLength) {
  FakeAgent agent("a");
  auto host = HostOf(agent);
  SessionOptions options;
  options.ttl = absl::Milliseconds(60);
  auto session = Session::Open(host, options);
  ASSERT_TRUE(session.ok()) << session.status();
  agent.Stop();
  while ((*session)->status().ok()) std::this_thread::yield();
  EXPECT_EQ((*session)->status(),
            absl::UnavailableError(
                absl::StrCat("host \"", host->name(), "\" has not renewed the session for 0")));
  (*session)->Abandon();
}

TEST(SessionLease, AnAbandonedOneIsLeftOpen) {
  FakeAgent agent("a");
  auto session = Session::Open(HostOf(agent));
  ASSERT_TRUE(session.ok()) << session.status();
  (*session)->Abandon();
  session->reset();
  EXPECT_EQ(agent.open_sessions(), 1);
  EXPECT_EQ(agent.Calls("Close"), 0);
}

TEST(SessionLease, BlockedCallbacksDoNotLetItLapse) {
  FakeAgent agent("a");
  auto host = HostOf(agent);
  SessionOptions options;
  options.ttl = absl::Milliseconds(60);
  auto session = Session::Open(host, options);
  ASSERT_TRUE(session.ok()) << session.status();
  Notification release;
  constexpr int kMoreThanThreads = 32;
  BlockingCounter answered(kMoreThanThreads);
  for (int i = 0; i < kMoreThanThreads; ++i) {
    host->GetFacts({}, [&](absl::StatusOr<v1::Host>) {
      release.WaitForNotification();
      answered.DecrementCount();
    });
  }
  EXPECT_TRUE(AwaitCalls(agent, "KeepAlive", agent.Calls("KeepAlive") + 3));
  release.Notify();
  answered.Wait();
}

TEST(SessionLease, ManyAreKeptByOneThread) {
  FakeAgent a("a"), b("b");
  std::vector<std::unique_ptr<Session>> sessions;
  SessionOptions options;
  options.ttl = absl::Milliseconds(100);
  for (int i = 0; i < 20; ++i) {
    auto session = Session::Open(HostOf(i % 2 == 0 ? a : b), options);
    ASSERT_TRUE(session.ok()) << session.status();
    sessions.push_back(*std::move(session));
  }
  EXPECT_TRUE(AwaitCalls(a, "KeepAlive", 30));
  EXPECT_TRUE(AwaitCalls(b, "KeepAlive", 30));
  for (auto& session : sessions) EXPECT_TRUE(session->status().ok()) << session->status();
}

}  // namespace
}  // namespace shoal
