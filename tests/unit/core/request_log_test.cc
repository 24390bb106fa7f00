// What the log keeps, for how long, and what it refuses.
#include "agent/core/request_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "agent/core/reason.h"
#include "common/ids.h"
#include "tests/support/crash_point.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_store.h"
#include "tests/support/permits.h"

namespace shoal::agent {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr char kOwner[] = "uid:1000";

class RequestLogTest : public ::testing::Test {
 protected:
  static constexpr size_t kRows = 20'000;

  std::string NewRequestId() {
    clock_.Advance(absl::Milliseconds(1));
    return NewRequestIdAt(clock_.Now());
  }
  LoggedCall Call(const std::string& request_id) const {
    return {PermitOf(kOwner), request_id, "f"};
  }
  // Whether it was carried out.
  bool Do(RequestLog& log, const LoggedCall& call, const std::string& session_id = "") {
    absl::StatusOr<const LoggedRequest*> first = log.Begin(RequestKind::kSpawn, call, session_id);
    if (!first.ok() || *first != nullptr) return false;
    log.Decide(call, {});
    return true;
  }
  void Commit(RequestLog& log) {
    log.Save();
    log.OnCommit(store_.Commit());
  }

  CrashPoint crash_;
  FakeClock clock_;
  FakeStore store_{&crash_};
  RequestLog log_{&store_, &clock_, {}};
};

TEST_F(RequestLogTest, SixtyThousandCallsOfASessionLeaveAsManyRowsAsTwentyThousand) {
  std::vector<LoggedCall> calls;
  for (size_t i = 0; i < 3 * kRows; ++i) {
    calls.push_back(Call(NewRequestId()));
    EXPECT_TRUE(Do(log_, calls.back(), "s"));
    if (i % 100 == 99) Commit(log_);
  }
  EXPECT_EQ(store_.requests().size(), kRows);
  EXPECT_THAT(store_.horizons(), SizeIs(1));
  // The same agent, and one that was started again.
  for (const LoggedCall& call : calls) EXPECT_FALSE(Do(log_, call, "s"));
  RequestLog next(&store_, &clock_, {});
  auto content = store_.Load();
  for (LoggedRequest& request : content->requests) next.Restore(std::move(request));
  for (const RequestHorizon& horizon : content->horizons) next.Restore(horizon);
  for (const LoggedCall& call : calls) EXPECT_FALSE(Do(next, call, "s"));
  EXPECT_THAT(next.Begin(RequestKind::kSpawn, calls[0], "s").status().message(),
              HasSubstr("request_id too old"));
  EXPECT_TRUE(next.Begin(RequestKind::kSpawn, calls.back(), "s").ok());
  // Calls outside the session do not suffer from it.
  EXPECT_TRUE(Do(next, Call(NewRequestIdAt(clock_.Now() - absl::Minutes(4)))));
  SessionEntry session;
  session.id = "s";
  session.owner = kOwner;
  next.ForgetSession(session);
  Commit(next);
  EXPECT_THAT(store_.requests(), SizeIs(1));
  EXPECT_THAT(store_.horizons(), ::testing::IsEmpty());
}

TEST_F(RequestLogTest, CallsOfNoSessionStayForFiveMinutesWhateverTheirNumber) {
  std::vector<LoggedCall> calls;
  for (size_t i = 0; i < kRows + 100; ++i) {
    calls.push_back(Call(NewRequestId()));
    Do(log_, calls.back());
  }
  Commit(log_);
  EXPECT_EQ(store_.requests().size(), kRows + 100);
  clock_.Advance(absl::Minutes(5));
  for (int i = 0; i < 20; ++i) Do(log_, Call(NewRequestId()));
  Commit(log_);
  EXPECT_EQ(store_.requests().size(), kRows);
  EXPECT_FALSE(Do(log_, calls[0]));
  EXPECT_FALSE(Do(log_, Call(NewRequestIdAt(absl::UnixEpoch())))) << "never seen, and too old";
}

TEST_F(RequestLogTest, ACallThatCameToManyOutcomesCountsForMany) {
  RequestLog log(&store_, &clock_, {.rows_per_owner = 100, .kept = absl::Minutes(5)});
  for (int i = 0; i < 50; ++i) {
    const LoggedCall call = Call(NewRequestId());
    ASSERT_TRUE(log.Begin(RequestKind::kSignal, call).ok());
    Decision decision;
    decision.outcomes.resize(1000);
    log.Decide(call, decision);
    Commit(log);
    clock_.Advance(absl::Minutes(5));
  }
  EXPECT_LE(store_.requests().size(), 3u) << "each is kept for the time, none for its number";
}

TEST_F(RequestLogTest, ASpawnStaysWhileAProcessOfItIsKnown) {
  RequestLog log(&store_, &clock_, {.rows_per_owner = 1, .kept = absl::Minutes(5)});
  ProcessEntry process;
  process.owner = kOwner;
  process.request_id = NewRequestId();
  const LoggedCall spawn = Call(process.request_id);
  Do(log, spawn);
  log.AddProcess(process);
  Commit(log);
  clock_.Advance(absl::Hours(100));
  for (int i = 0; i < 5; ++i) Do(log, Call(NewRequestId()));
  Commit(log);
  EXPECT_TRUE(store_.requests().contains({kOwner, process.request_id}));
  log.RemoveProcess(process, /*unstarted=*/false);
  Do(log, Call(NewRequestId()));
  Commit(log);
  EXPECT_FALSE(store_.requests().contains({kOwner, process.request_id}));
  EXPECT_FALSE(Do(log, spawn));
}

TEST_F(RequestLogTest, ARequestIdFromTheFutureIsRefusedWithItsReason) {
  const absl::Status early =
      log_.Begin(RequestKind::kSignal, Call(NewRequestIdAt(clock_.Now() + absl::Minutes(6))))
          .status();
  EXPECT_EQ(early.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(early.message(), HasSubstr("from the future"));
  EXPECT_EQ(early.GetPayload(kReasonPayload), kReasonRequestIdTime);
  EXPECT_TRUE(Do(log_, Call(NewRequestIdAt(clock_.Now() + absl::Minutes(4)))));
}

TEST_F(RequestLogTest, WhatAnOlderAgentKeptWithoutAKindIsRefused) {
  LoggedRequest kept;
  kept.owner = kOwner;
  kept.request_id = NewRequestId();
  log_.Restore(kept);
  const absl::Status repeat = log_.Begin(RequestKind::kSpawn, Call(kept.request_id)).status();
  EXPECT_EQ(repeat.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(repeat.message(), HasSubstr("request_id was served before and what it started was"));
}

TEST_F(RequestLogTest, FromBeforeThereWasALogAllAreTooOld) {
  log_.Restore(RequestHorizon{"", "", clock_.Now()});
  EXPECT_FALSE(Do(log_, Call(NewRequestIdAt(clock_.Now()))));
  EXPECT_TRUE(Do(log_, Call(NewRequestId())));
}

TEST_F(RequestLogTest, WhatAFailedCommitLostIsSavedAgainUnlessItWasNew) {
  const LoggedCall old = Call(NewRequestId());
  Do(log_, old);
  Commit(log_);
  log_.Forget(old);
  const LoggedCall fresh = Call(NewRequestId());
  Do(log_, fresh);
  store_.FailNext(absl::UnavailableError("disk"));
  Commit(log_);
  EXPECT_EQ(log_.Find(fresh), nullptr);
  EXPECT_THAT(store_.requests(), SizeIs(1));
  log_.SaveAgain();
  Commit(log_);
  EXPECT_THAT(store_.requests(), ::testing::IsEmpty());
}

}  // namespace
}  // namespace shoal::agent
