#include "agent/log/audit_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "common/notification.h"
#include "tests/support/fake_audit_sink.h"

namespace shoal::agent {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

constexpr absl::Duration kDeadline = absl::Seconds(60);

AuditEntry Entry(const std::string& method, const std::string& caller = "uid:1000") {
  AuditEntry entry;
  entry.event = "result";
  entry.caller = caller;
  entry.method = method;
  return entry;
}

int64_t CountOf(const std::string& line) {
  constexpr absl::string_view kKey = " count=\"";
  const size_t start = line.find(kKey.data());
  return start == std::string::npos ? 1 : std::atoll(line.c_str() + start + kKey.size());
}

class AuditLogTest : public ::testing::Test {
 protected:
  void Open(AuditOptions options) {
    auto sink = std::make_unique<FakeAuditSink>();
    sink_ = sink.get();
    log_ = std::make_unique<AuditLog>(options, std::move(sink),
                                      [this](const std::string& line, bool is_over) {
                                        MutexLock lock(&mu_);
                                        troubles_.push_back(line);
                                        ends_.push_back(is_over);
                                      });
  }
  std::vector<std::string> troubles() {
    MutexLock lock(&mu_);
    return troubles_;
  }
  // Until a write has failed and was told.
  void AwaitTroubles(size_t count) {
    MutexLock lock(&mu_);
    mu_.Await([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return troubles_.size() >= count; });
  }

  std::vector<bool> ends() {
    MutexLock lock(&mu_);
    return ends_;
  }

  Mutex mu_;
  std::vector<std::string> troubles_ ABSL_GUARDED_BY(mu_);
  std::vector<bool> ends_ ABSL_GUARDED_BY(mu_);  // whether each told of the end of the trouble
  FakeAuditSink* sink_ = nullptr;
  std::unique_ptr<AuditLog> log_;
};

TEST_F(AuditLogTest, LinesAreWrittenInTheirOrder) {
  Open({});
  for (int i = 0; i < 100; ++i) log_->Write(Entry("M" + std::to_string(i)));
  ASSERT_TRUE(log_->Flush(kDeadline));
  const std::vector<std::string> lines = sink_->lines();
  ASSERT_THAT(lines, SizeIs(100));
  EXPECT_THAT(lines[0], HasSubstr("\"M0\""));
  EXPECT_THAT(lines[99], HasSubstr("\"M99\""));
}

TEST_F(AuditLogTest, WhatIsMergedIsOneLineWithACountForEachCallerAndMethod) {
  Open({});
  for (int i = 0; i < 1000; ++i) {
    log_->Merge(Entry("List"));
    log_->Merge(Entry("List", "uid:7"));
    log_->Merge(Entry("Get"));
  }
  ASSERT_TRUE(log_->Flush(kDeadline));
  const std::vector<std::string> lines = sink_->lines();
  EXPECT_THAT(lines, SizeIs(6));  // each once at once, and 999 times
  EXPECT_THAT(lines, Contains(AllOf(HasSubstr("uid:7"), HasSubstr("count=\"999\""))));
}

TEST_F(AuditLogTest, AFloodOfCallersIsBounded) {
  AuditOptions options;
  options.max_merged = 10;
  Open(options);
  for (int i = 0; i < 1000; ++i) log_->Merge(Entry("List", "uid:" + std::to_string(i)));
  ASSERT_TRUE(log_->Flush(kDeadline));
  EXPECT_THAT(sink_->lines(), SizeIs(12));
  EXPECT_THAT(sink_->lines(), Contains(AllOf(HasSubstr("(others)"), HasSubstr("count=\"989\""))));
}

TEST_F(AuditLogTest, AWriteThatHangsBlocksNobodyAndWhatHasNoRoomIsCounted) {
  AuditOptions options;
  options.queue_bytes = 16'000;
  Open(options);
  sink_->Hold(true);
  for (int i = 0; i < 1000; ++i) log_->Write(Entry("Terminate"));
  EXPECT_THAT(std::string(log_->status().message()), HasSubstr("its queue is full"));
  sink_->Hold(false);
  ASSERT_TRUE(log_->Flush(kDeadline));
  const std::vector<std::string> lines = sink_->lines();
  int64_t told = 0;
  for (const std::string& line : lines) {
    const bool is_count = absl::StrContains(line, "event=\"unwritten\" method=\"Terminate\"");
    told += is_count ? CountOf(line) : 1;
  }
  EXPECT_EQ(told, 1000);
  EXPECT_LT(lines.size(), 1000u);
  EXPECT_TRUE(log_->status().ok()) << log_->status();
}

TEST_F(AuditLogTest, WhatCouldNotBeWrittenIsWrittenLaterAndBothIsSaid) {
  Open({});
  sink_->Fail(absl::ResourceExhaustedError("write /test/audit.log: No space left on device"));
  log_->Write(Entry("Close"));
  AwaitTroubles(1);
  EXPECT_EQ(log_->status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(log_->status().message()), HasSubstr("No space left on device"));
  sink_->Fail(absl::OkStatus());
  ASSERT_TRUE(log_->Flush(kDeadline));
  AwaitTroubles(2);
  EXPECT_THAT(sink_->lines(), ElementsAre(HasSubstr("Close")));
  EXPECT_THAT(troubles(),
              ElementsAre(HasSubstr("cannot be written: write /test/audit.log: No space"),
                          HasSubstr("is written again")));
  EXPECT_THAT(ends(), ElementsAre(false, true));
}

TEST_F(AuditLogTest, WhoWaitsForALineIsToldWhenItStandsThere) {
  Open({});
  Notification told;
  log_->WriteThen(Entry("Spawn"), [&](absl::Status status) {
    EXPECT_TRUE(status.ok()) << status;
    EXPECT_THAT(sink_->lines(), SizeIs(1));
    told.Notify();
  });
  told.WaitForNotification();
}

TEST_F(AuditLogTest, WhoWaitsForALineThatCannotBeWrittenIsToldAndTheLineIsNot) {
  AuditOptions options;
  options.required = true;
  Open(options);
  sink_->Fail(absl::ResourceExhaustedError("full"));
  Notification told;
  log_->WriteThen(Entry("Spawn"), [&](absl::Status status) {
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
    told.Notify();
  });
  told.WaitForNotification();
  AwaitTroubles(1);
  EXPECT_THAT(troubles(), Contains(HasSubstr("--audit-required")));
  sink_->Fail(absl::OkStatus());
  // It tries by itself, with a line that says what was.
  AwaitTroubles(2);
  EXPECT_THAT(sink_->lines(),
              ElementsAre(AllOf(HasSubstr("event=\"resumed\""), HasSubstr("full"))));
  EXPECT_TRUE(log_->status().ok());
}

TEST_F(AuditLogTest, EndedConnectionsHaveTheirAddressAndAreMerged) {
  Open({});
  for (int i = 0; i < 50; ++i) log_->ConnectionsEnded("192.0.2.7", "no certificate", 2);
  ASSERT_TRUE(log_->Flush(kDeadline));
  EXPECT_THAT(sink_->lines(), ElementsAre(AllOf(HasSubstr("event=\"connection\""),
                                                HasSubstr("address=\"192.0.2.7\""),
                                                HasSubstr("reason=\"no certificate\"")),
                                          HasSubstr("count=\"98\"")));
}

TEST_F(AuditLogTest, ManyThreadsLoseNothing) {
  Open({});
  std::vector<std::thread> writers;
  writers.reserve(4);
  for (int i = 0; i < 4; ++i) {
    writers.emplace_back([this] {
      for (int j = 0; j < 500; ++j) {
        log_->Write(Entry("Spawn"));
        log_->Merge(Entry("Get"));
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  ASSERT_TRUE(log_->Flush(kDeadline));
  const std::vector<std::string> lines = sink_->lines();
  EXPECT_EQ(std::count_if(lines.begin(), lines.end(),
                          [](const std::string& line) { return absl::StrContains(line, "Spawn"); }),
            2000);
  EXPECT_THAT(lines, Not(Contains(HasSubstr("unwritten"))));
}

}  // namespace
}  // namespace shoal::agent
