#include "agent/store/sqlite_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "agent/store/codec.h"
#include "tests/unit/store/full_entry.h"
#include "tests/unit/store/store_fixture.h"

namespace shoal::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST_F(StoreTest, AFreshStoreHasAnAgentIdThatStays) {
  std::string id = Reload().agent_id;
  EXPECT_THAT(id, SizeIs(16));
  EXPECT_EQ(Reload().agent_id, id);
}

TEST_F(StoreTest, TheFileIsForItsOwnerOnly) {
  Open();
  struct stat status {};
  ASSERT_EQ(stat(dir_.file().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  ASSERT_EQ(stat((dir_.file() + "-wal").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(StoreTest, EveryFieldOfAProcessComesBack) {
  Reload();
  const ProcessEntry full = FullEntry();
  const ProcessEntry empty = EntryOf("BBBBBBBBBBBBBBBB");
  store_->PutProcess(full);
  store_->PutProcess(empty);
  EXPECT_TRUE(store_->IsDirty());
  ASSERT_TRUE(store_->Commit().ok());
  EXPECT_FALSE(store_->IsDirty());
  std::map<std::string, ProcessEntry> loaded;
  for (ProcessEntry& process : Reload().processes) loaded[process.id] = std::move(process);
  ASSERT_THAT(loaded, SizeIs(2));
  ExpectSame(loaded[full.id], full);
  ExpectSame(loaded[empty.id], empty);
}

TEST(Codec, ARowOfTwoStreamsHasAnEmptyThird) {
  const std::string stream_of_3 = "\x9a\x01\x02\x10\x03";  // streams { end: 3 }
  ProcessEntry process;
  process.streams[2] = {};
  ASSERT_TRUE(DecodeProcess(stream_of_3 + stream_of_3, &process).ok());
  EXPECT_EQ(process.streams[1].end, 3);
  EXPECT_EQ(process.streams[2].end, 0);
}

TEST_F(StoreTest, APutOfAKnownProcessReplacesIt) {
  Reload();
  ProcessEntry process = EntryOf("AAAA");
  store_->PutProcess(process);
  ASSERT_TRUE(store_->Commit().ok());
  std::shared_ptr<const Spec> spec = process.spec;
  process = FullEntry();
  process.id = "AAAA";
  process.spec = spec;
  process.boot_id = "boot";
  process.request_id = "request-AAAA";
  process.request_index = 0;
  store_->PutProcess(process);
  ASSERT_TRUE(store_->Commit().ok());
  auto content = Reload();
  ASSERT_THAT(content.processes, SizeIs(1));
  ExpectSame(content.processes[0], process);
}

TEST_F(StoreTest, TheLogStaysSmallWhileThereIsNoRestAndGoesAtRest) {
  constexpr int kProcesses = 400;
  constexpr int kRounds = 50;  // each writes 1.6 MB or more
  Reload();
  std::atomic<bool> rests = false;
  store_.reset();
  store_ = *SqliteStore::Open(dir_.path(), "0.2.0", absl::Hours(24), [&rests] { rests = true; });
  const std::string log = dir_.file() + "-wal";
  ProcessEntry process = EntryOf("AAAA");
  process.exit.emplace();
  process.exit->stderr_tail = std::string(3000, 'x');
  uintmax_t largest = 0;
  for (int round = 0; round < kRounds; ++round) {
    for (int i = 0; i < kProcesses; ++i) {
      process.id = absl::StrCat("PROCESS", i);
      process.exit->unknown_detail = absl::StrCat(round);
      store_->PutProcess(process);
      if (i % 40 != 0) continue;
      ASSERT_TRUE(store_->Commit().ok());
      largest = std::max(largest, std::filesystem::file_size(log));
    }
  }
  ASSERT_TRUE(store_->Commit().ok());
  EXPECT_LE(largest, 16u << 20);
  EXPECT_GE(largest, 2u << 20) << "too little was written for a test";
  const absl::Time deadline = absl::Now() + absl::Seconds(60);
  while (!rests && absl::Now() < deadline) poll(nullptr, 0, 10);
  EXPECT_TRUE(rests);
  EXPECT_EQ(std::filesystem::file_size(log), 0u);
  EXPECT_EQ(Reload().processes.size(), static_cast<size_t>(kProcesses));
}

TEST_F(StoreTest, RanksOfABatchShareOneSpecAlsoAfterwards) {
  Reload();
  auto shared = SpecOf("shared");
  for (const char* id : {"A", "B", "C"}) {
    ProcessEntry process = EntryOf(id);
    process.spec = std::string(id) == "C" ? SpecOf("other") : shared;
    store_->PutProcess(process);
  }
  ASSERT_TRUE(store_->Commit().ok());
  std::map<std::string, std::shared_ptr<const Spec>> specs;
  for (ProcessEntry& process : Reload().processes) specs[process.id] = process.spec;
  EXPECT_EQ(specs["A"], specs["B"]);
  EXPECT_NE(specs["A"], specs["C"]);
  EXPECT_EQ(specs["A"]->argv[0], "shared");
}

TEST_F(StoreTest, RanksThatAreStoredInSeveralCommitsShareTheirSpecToo) {
  Reload();
  auto shared = SpecOf("shared");
  for (const char* id : {"A", "B", "C"}) {
    ProcessEntry process = EntryOf(id);
    process.spec = shared;
    store_->PutProcess(process);
    ASSERT_TRUE(store_->Commit().ok());
  }
  Reload();
  store_.reset();
  EXPECT_EQ(*(*Database::Open(dir_.file()))->Query("SELECT count(*) FROM specs"), "1");
}

TEST_F(StoreTest, RanksThatAreStoredByTurnsWithThoseOfOthersShareTheirSpecToo) {
  Reload();
  auto shared = SpecOf("shared");
  for (const char* id : {"A", "B", "C"}) {
    ProcessEntry rank = EntryOf(id);
    rank.spec = shared;
    store_->PutProcess(rank);
    ProcessEntry other = EntryOf(std::string("other-") + id);
    other.spec = SpecOf("other");
    store_->PutProcess(other);
    ASSERT_TRUE(store_->Commit().ok());
  }
  Reload();
  store_.reset();
  EXPECT_EQ(*(*Database::Open(dir_.file()))->Query("SELECT count(*) FROM specs"), "4");
}

TEST_F(StoreTest, ASpecGoesWithItsLastProcess) {
  Reload();
  auto shared = SpecOf("shared");
  for (const char* id : {"A", "B"}) {
    ProcessEntry process = EntryOf(id);
    process.spec = shared;
    store_->PutProcess(process);
  }
  ASSERT_TRUE(store_->Commit().ok());
  store_->DeleteProcess("A");
  ASSERT_TRUE(store_->Commit().ok());
  auto content = Reload();
  ASSERT_THAT(content.processes, SizeIs(1));
  EXPECT_EQ(content.processes[0].spec->argv[0], "shared");
  store_->DeleteProcess("B");
  ASSERT_TRUE(store_->Commit().ok());
  Reload();
  store_.reset();
  EXPECT_EQ(*(*Database::Open(dir_.file()))->Query("SELECT count(*) FROM specs"), "0");
}

// Nothing but the end of its last process takes it away, and nothing looks through all of them for that.
TEST_F(StoreTest, ASpecGoesAtOnceHoweverOftenItsProcessWasStored) {
  Reload();
  auto shared = SpecOf("shared");
  ProcessEntry process = EntryOf("A");
  process.spec = shared;
  process.state = State::kPending;
  store_->PutProcess(process);
  store_->PutProcess(process);
  ASSERT_TRUE(store_->Commit().ok());
  store_->DeleteProcess("A");
  process.id = "B";
  store_->PutProcess(process);
  ASSERT_TRUE(store_->Commit().ok());
  const auto count = [this] {
    return *(*Database::Open(dir_.file()))->Query("SELECT count(*) FROM specs");
  };
  EXPECT_EQ(count(), "1");
  EXPECT_EQ(Reload().processes.at(0).spec->argv[0], "shared");
  store_->DeleteProcess("B");
  ASSERT_TRUE(store_->Commit().ok());
  EXPECT_EQ(count(), "0");
}

TEST_F(StoreTest, SessionsAndRevisionComeBack) {
  Reload();
  SessionEntry session{.id = "S",
                       .name = "run",
                       .owner = "uid:1",
                       .token = "token",
                       .request_id = "r",
                       .opener = Opener{7, 4711, "boot", "PARENT"},
                       .ttl = absl::Seconds(15),
                       .create_time = At(1),
                       .renew_time = At(2),
                       .expires_boottime = absl::Seconds(99),
                       .over = true,
                       .expired = false,
                       .takeover = std::nullopt,
                       .fenced_tokens = {"first", "second"}};
  store_->PutSession(session);
  session.id = "T";
  session.over = false;
  store_->PutSession(session);
  store_->PutRevision(100'000);
  ASSERT_TRUE(store_->Commit().ok());
  auto content = Reload();
  ASSERT_THAT(content.sessions, SizeIs(2));
  const SessionEntry& loaded = content.sessions[0];
  EXPECT_EQ(loaded.id, "S");
  EXPECT_EQ(loaded.name, "run");
  EXPECT_EQ(loaded.owner, "uid:1");
  EXPECT_EQ(loaded.token, "token");
  EXPECT_EQ(loaded.request_id, "r");
  ASSERT_TRUE(loaded.opener.has_value());
  EXPECT_EQ(loaded.opener->pid, 7);
  EXPECT_EQ(loaded.opener->start_ticks, 4711u);
  EXPECT_EQ(loaded.opener->boot_id, "boot");
  EXPECT_EQ(loaded.opener->process_id, "PARENT");
  EXPECT_EQ(loaded.ttl, absl::Seconds(15));
  EXPECT_EQ(loaded.create_time, At(1));
  EXPECT_EQ(loaded.renew_time, At(2));
  EXPECT_TRUE(loaded.over);
  EXPECT_FALSE(loaded.takeover.has_value());
  EXPECT_EQ(loaded.fenced_tokens, session.fenced_tokens);
  EXPECT_EQ(content.revision, 100'000);
  store_->DeleteSession("S");
  ASSERT_TRUE(store_->Commit().ok());
  content = Reload();
  ASSERT_THAT(content.sessions, SizeIs(1));
  EXPECT_EQ(content.sessions[0].id, "T");
}

LoggedRequest RequestOf(const std::string& request_id) {
  LoggedRequest request;
  request.owner = "uid:1";
  request.request_id = request_id;
  request.kind = RequestKind::kSignal;
  request.fingerprint = std::string("\xff\x00", 2);
  request.session_id = "S";
  request.log_time = At(7);
  request.is_decided = true;
  request.decision = {
      .status = absl::NotFoundError("no process"),
      .made_id = "M",
      .outcomes = {{"A", absl::OkStatus()}, {"B", absl::FailedPreconditionError("it has ended")}}};
  request.unstarted = {0, 7};
  return request;
}

TEST_F(StoreTest, EveryCauseComesBack) {
  Open();
  for (int cause = 0; cause <= static_cast<int>(Cause::kLast); ++cause) {
    ProcessEntry process = EntryOf(absl::StrCat("P", cause));
    process.exit.emplace();
    process.exit->cause = static_cast<Cause>(cause);
    store_->PutProcess(process);
  }
  ASSERT_TRUE(store_->Commit().ok());
  const Store::Content content = Reload();
  EXPECT_THAT(store_->damaged(), IsEmpty());
  EXPECT_THAT(content.processes, SizeIs(static_cast<int>(Cause::kLast) + 1));
}

TEST_F(StoreTest, LoggedRequestsAndHorizonsComeBack) {
  Reload();
  const LoggedRequest put = RequestOf("r");
  store_->PutRequest(RequestOf("gone"));
  store_->PutRequest(put);
  store_->PutHorizon({"uid:1", "S", At(1)});
  store_->PutHorizon({"uid:1", "", At(2)});
  ASSERT_TRUE(store_->Commit().ok());
  store_->DeleteRequest("uid:1", "gone");
  store_->DeleteHorizon("uid:1", "S");
  store_->PutHorizon({"uid:1", "", At(3)});
  ASSERT_TRUE(store_->Commit().ok());
  const Store::Content content = Reload();
  ASSERT_THAT(content.requests, SizeIs(1));
  const LoggedRequest& got = content.requests[0];
  EXPECT_EQ(got.owner, put.owner);
  EXPECT_EQ(got.request_id, put.request_id);
  EXPECT_EQ(got.kind, put.kind);
  EXPECT_EQ(got.fingerprint, put.fingerprint);
  EXPECT_EQ(got.session_id, put.session_id);
  EXPECT_EQ(got.log_time, put.log_time);
  EXPECT_EQ(got.is_decided, put.is_decided);
  EXPECT_EQ(got.decision.status, put.decision.status);
  EXPECT_EQ(got.decision.made_id, put.decision.made_id);
  ASSERT_THAT(got.decision.outcomes, SizeIs(2));
  EXPECT_EQ(got.decision.outcomes[1].process_id, "B");
  EXPECT_EQ(got.decision.outcomes[1].status, put.decision.outcomes[1].status);
  EXPECT_THAT(got.unstarted, ElementsAre(0, 7));
  ASSERT_THAT(content.horizons, SizeIs(2));
  EXPECT_EQ(content.horizons[0].owner, "") << "from before there was a log";
  EXPECT_EQ(content.horizons[1].time, At(3));
}

TEST_F(StoreTest, ARequestThatCannotBeReadIsOfUnknownKind) {
  Reload();
  store_->PutRequest(RequestOf("r"));
  ASSERT_TRUE(store_->Commit().ok());
  Tamper("UPDATE request_log SET blob = x'01'");
  const Store::Content content = Reload();
  ASSERT_THAT(content.requests, SizeIs(1));
  EXPECT_EQ(content.requests[0].kind, RequestKind::kUnknown);
  EXPECT_EQ(content.requests[0].request_id, "r");
  EXPECT_EQ(content.requests[0].session_id, "S");
  EXPECT_THAT(store_->damaged(),
              ElementsAre(::testing::HasSubstr("request r cannot be read from")));
}

TEST_F(StoreTest, WhatWasNotCommittedIsGone) {
  Reload();
  store_->PutProcess(EntryOf("A"));
  EXPECT_THAT(Reload().processes, IsEmpty());
}

TEST_F(StoreTest, ManyCommitsAreCheckpointedBesideTheLoop) {
  Reload();
  ProcessEntry process = EntryOf("A");
  process.exit = Exit{};
  process.exit->stderr_tail.assign(4096, 'x');
  for (int i = 0; i < 5000; ++i) {
    process.revision = i;
    store_->PutProcess(process);
    ASSERT_TRUE(store_->Commit().ok());
  }
  auto content = Reload();
  ASSERT_THAT(content.processes, SizeIs(1));
  EXPECT_EQ(content.processes[0].revision, 4999);
}

TEST_F(StoreTest, RowsThatCannotBeReadCostOnlyTheirProcess) {
  Reload();
  for (const char* id : {"A", "B", "C", "D"}) store_->PutProcess(EntryOf(id));
  ProcessEntry bad = EntryOf("E");
  auto damaged = std::make_shared<Spec>();
  damaged->wire = "\x0a\xff";
  bad.spec = damaged;
  store_->PutProcess(bad);
  ASSERT_TRUE(store_->Commit().ok());
  Tamper(
      "UPDATE processes SET blob = x'00' WHERE id = 'A';"
      "UPDATE specs SET wire = 'flip' WHERE instr(wire, CAST('spec-B' AS BLOB));"
      "DELETE FROM specs WHERE instr(wire, CAST('spec-C' AS BLOB));");
  auto content = Reload();
  ASSERT_THAT(content.processes, SizeIs(1));
  EXPECT_EQ(content.processes[0].id, "D");
  EXPECT_THAT(store_->damaged(), SizeIs(4));
  EXPECT_THAT(store_->damaged()[0], ::testing::HasSubstr("process A cannot be read from /tmp/"));
  // A retry of what cannot be read must not start it a second time.
  ASSERT_THAT(content.requests, SizeIs(4));
  EXPECT_EQ(content.requests[0].owner, "uid:1000");
  EXPECT_EQ(content.requests[0].request_id, "request-A");
  EXPECT_EQ(content.requests[0].kind, RequestKind::kUnknown);
}

TEST_F(StoreTest, ASpecThatIsPutAnewIsThatOfAllThatShareIt) {
  Open();
  const auto secret = std::make_shared<Spec>(*SpecOf("serve"));
  secret->env = {"TOKEN=hunter2hunter2"};
  ProcessEntry one = EntryOf("AAAA");
  ProcessEntry two = EntryOf("BBBB");
  one.spec = two.spec = secret;
  store_->PutProcess(one);
  store_->PutProcess(two);
  ASSERT_TRUE(store_->Commit().ok());
  one.spec = WithoutEnvValues(*secret);
  store_->PutSpec(one);
  ASSERT_TRUE(store_->Commit().ok());
  const Store::Content content = Reload();
  ASSERT_EQ(content.processes.size(), 2u);
  for (const ProcessEntry& process : content.processes) {
    EXPECT_EQ(process.spec->env, std::vector<std::string>{"TOKEN"});
  }
}

}  // namespace
}  // namespace shoal::agent
