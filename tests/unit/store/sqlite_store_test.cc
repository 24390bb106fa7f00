#include "agent/store/sqlite_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <map>
#include <string>

#include "agent/store/codec.h"
#include "tests/unit/store/store_fixture.h"

namespace shoal::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

absl::Time At(int64_t nanos) { return absl::FromUnixNanos(1'700'000'000'000'000'000 + nanos); }

ProcessEntry FullEntry() {
  ProcessEntry p = EntryOf("AAAAAAAAAAAAAAAA");
  p.rank = 7;
  p.request_index = 3;
  p.fingerprint = std::string("\xff\x00\x01", 3);
  p.create_time = At(1);
  p.session_id = "SSSSSSSSSSSSSSSS";
  p.lifetime = Lifetime::kDetached;
  p.labels = {{"a", "1"}, {"b", "\xff"}};
  p.state = State::kExited;
  p.pid = 4711;
  p.start_ticks = 0xffffffffffffffffULL;
  p.slot = 12;
  p.start_time = At(2);
  p.exit_time = At(3);
  p.empty_time = At(4);
  p.forget_time = At(99);
  p.exit = Exit{.code = 0,
                .signal = 9,
                .core_dumped = true,
                .cause = Cause::kShimLost,
                .requested_by = "uid:0",
                .unknown_detail = "detail",
                .usage = {1, 2, 3, 4, 5, 6, 7},
                .stderr_tail = std::string("tail\0\xfe", 6)};
  p.start_failure = StartFailure{"execve", 2, "No such file"};
  p.termination = Termination{.requested_by = "uid:2",
                              .cause = Cause::kSessionExpired,
                              .request_time = At(5),
                              .signal = 15,
                              .grace = absl::Seconds(5) + absl::Nanoseconds(1),
                              .kill_time = At(6)};
  p.descendants = Descendants{.members = {{13, "\xfe", ""}, {14, "c", ""}},
                              .count = 20,
                              .signal = 15,
                              .signal_time = At(10),
                              .kill_time = At(11)};
  p.tree_empty = true;
  p.output_complete = true;
  p.streams = {{{1, 2}, {3, 4}, {5, 6}}};
  p.segment_bytes = 12345;
  p.flags = kFlagEscalated | kFlagNoCgroup;
  p.survivors = {{11, "\xff", "nfs_wait"}, {12, "b", ""}};
  p.signals = {{1, "uid:3", At(7)}, {2, "uid:4", At(8)}};
  p.revision = 99;
  p.forked_from = "PPPPPPPPPPPPPPPP";
  p.template_facts = TemplateFacts{.key = "/bin/sim\xff",
                                   .version = "1:2",
                                   .idle_timeout = absl::Seconds(9),
                                   .forks = 12,
                                   .last_use = At(9)};
  return p;
}

void ExpectSameIdentity(const ProcessEntry& a, const ProcessEntry& b) {
  EXPECT_EQ(a.id, b.id);
  EXPECT_EQ(a.name, b.name);
  EXPECT_EQ(a.spec->wire, b.spec->wire);
  EXPECT_EQ(a.spec->env, b.spec->env);
  EXPECT_EQ(a.rank, b.rank);
  EXPECT_EQ(a.owner, b.owner);
  EXPECT_EQ(a.request_id, b.request_id);
  EXPECT_EQ(a.request_index, b.request_index);
  EXPECT_EQ(a.fingerprint, b.fingerprint);
  EXPECT_EQ(a.boot_id, b.boot_id);
  EXPECT_EQ(a.create_time, b.create_time);
  EXPECT_EQ(a.session_id, b.session_id);
  EXPECT_EQ(a.lifetime, b.lifetime);
  EXPECT_EQ(a.labels, b.labels);
}

void ExpectSameExit(const Exit& a, const Exit& b) {
  EXPECT_EQ(a.code, b.code);
  EXPECT_EQ(a.signal, b.signal);
  EXPECT_EQ(a.core_dumped, b.core_dumped);
  EXPECT_EQ(a.cause, b.cause);
  EXPECT_EQ(a.requested_by, b.requested_by);
  EXPECT_EQ(a.unknown_detail, b.unknown_detail);
  EXPECT_EQ(memcmp(&a.usage, &b.usage, sizeof(a.usage)), 0);
  EXPECT_EQ(a.stderr_tail, b.stderr_tail);
}

void ExpectSameEvents(const ProcessEntry& a, const ProcessEntry& b) {
  EXPECT_EQ(a.state, b.state);
  EXPECT_EQ(a.pid, b.pid);
  EXPECT_EQ(a.start_ticks, b.start_ticks);
  EXPECT_EQ(a.slot, b.slot);
  EXPECT_EQ(a.start_time, b.start_time);
  EXPECT_EQ(a.exit_time, b.exit_time);
  EXPECT_EQ(a.empty_time, b.empty_time);
  EXPECT_EQ(a.forget_time, b.forget_time);
  ASSERT_EQ(a.exit.has_value(), b.exit.has_value());
  if (a.exit) ExpectSameExit(*a.exit, *b.exit);
  ASSERT_EQ(a.start_failure.has_value(), b.start_failure.has_value());
  if (a.start_failure) {
    EXPECT_EQ(a.start_failure->stage, b.start_failure->stage);
    EXPECT_EQ(a.start_failure->error_number, b.start_failure->error_number);
    EXPECT_EQ(a.start_failure->message, b.start_failure->message);
  }
  ASSERT_EQ(a.termination.has_value(), b.termination.has_value());
  if (a.termination) {
    EXPECT_EQ(a.termination->requested_by, b.termination->requested_by);
    EXPECT_EQ(a.termination->cause, b.termination->cause);
    EXPECT_EQ(a.termination->request_time, b.termination->request_time);
    EXPECT_EQ(a.termination->signal, b.termination->signal);
    EXPECT_EQ(a.termination->grace, b.termination->grace);
    EXPECT_EQ(a.termination->kill_time, b.termination->kill_time);
  }
}

void ExpectSameRest(const ProcessEntry& a, const ProcessEntry& b) {
  EXPECT_EQ(a.descendants, b.descendants);
  EXPECT_EQ(a.tree_empty, b.tree_empty);
  EXPECT_EQ(a.output_complete, b.output_complete);
  EXPECT_EQ(memcmp(&a.streams, &b.streams, sizeof(a.streams)), 0);
  EXPECT_EQ(a.segment_bytes, b.segment_bytes);
  EXPECT_EQ(a.flags, b.flags);
  EXPECT_EQ(a.revision, b.revision);
  EXPECT_EQ(a.forked_from, b.forked_from);
  ASSERT_EQ(a.template_facts.has_value(), b.template_facts.has_value());
  if (a.template_facts) {
    EXPECT_EQ(a.template_facts->key, b.template_facts->key);
    EXPECT_EQ(a.template_facts->version, b.template_facts->version);
    EXPECT_EQ(a.template_facts->idle_timeout, b.template_facts->idle_timeout);
    EXPECT_EQ(a.template_facts->forks, b.template_facts->forks);
    EXPECT_EQ(a.template_facts->last_use, b.template_facts->last_use);
  }
  ASSERT_EQ(a.survivors.size(), b.survivors.size());
  for (size_t i = 0; i < a.survivors.size(); ++i) {
    EXPECT_EQ(a.survivors[i].pid, b.survivors[i].pid);
    EXPECT_EQ(a.survivors[i].command, b.survivors[i].command);
    EXPECT_EQ(a.survivors[i].wait_channel, b.survivors[i].wait_channel);
  }
  ASSERT_EQ(a.signals.size(), b.signals.size());
  for (size_t i = 0; i < a.signals.size(); ++i) {
    EXPECT_EQ(a.signals[i].signal, b.signals[i].signal);
    EXPECT_EQ(a.signals[i].requested_by, b.signals[i].requested_by);
    EXPECT_EQ(a.signals[i].time, b.signals[i].time);
  }
}

void ExpectSame(const ProcessEntry& a, const ProcessEntry& b) {
  ExpectSameIdentity(a, b);
  ExpectSameEvents(a, b);
  ExpectSameRest(a, b);
}

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
                       .over = true};
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
  EXPECT_THAT(store_->damaged(), ElementsAre(testing::HasSubstr("request r cannot be read from")));
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
  Reopen();
  const auto content = store_->Load();
  ASSERT_TRUE(content.ok()) << content.status();
  ASSERT_EQ(content->processes.size(), 2u);
  for (const ProcessEntry& process : content->processes) {
    EXPECT_EQ(process.spec->env, std::vector<std::string>{"TOKEN"});
  }
}

}  // namespace
}  // namespace shoal::agent
