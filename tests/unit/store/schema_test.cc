// Databases of other versions: the one before, and the ones to come.
#include "agent/store/schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>

#include "absl/time/clock.h"
#include "agent/record/checksum.h"
#include "agent/store/codec.h"
#include "tests/unit/store/store_fixture.h"

namespace shoal::agent {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

// The tables of version 1 as the agent of 0.1 made them; never to be changed.
constexpr char kTablesOf01[] = R"(
  CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE specs(spec_id INTEGER PRIMARY KEY, checksum INTEGER NOT NULL, wire BLOB NOT NULL);
  CREATE TABLE processes(
    id TEXT PRIMARY KEY, boot_id TEXT NOT NULL, owner TEXT NOT NULL, request_id TEXT NOT NULL,
    request_index INTEGER NOT NULL, session_id TEXT NOT NULL, spec_id INTEGER NOT NULL,
    over INTEGER NOT NULL, end_time INTEGER NOT NULL, checksum INTEGER NOT NULL,
    blob BLOB NOT NULL);
  CREATE TABLE sessions(
    id TEXT PRIMARY KEY, checksum INTEGER NOT NULL, blob BLOB NOT NULL) WITHOUT ROWID;
  CREATE TABLE tombstones(
    owner TEXT NOT NULL, request_id TEXT NOT NULL, time INTEGER NOT NULL,
    PRIMARY KEY(owner, request_id)) WITHOUT ROWID;
  CREATE INDEX tombstones_by_time ON tombstones(time);
  INSERT INTO meta VALUES('agent_id', 'AGENTOF01AAAAAAA'), ('revision', '100000'), ('clean', '1');
  PRAGMA user_version=1;
)";

class SchemaTest : public StoreTest {
 protected:
  // Puts a process, a session and a request whose process was deleted as 0.1 did.
  void MakeDatabaseOf01() {
    Tamper(kTablesOf01);
    Tamper("INSERT INTO tombstones VALUES('uid:1000', 'request-gone', 1700000000000000000)");
    auto database = Database::Open(dir_.file());
    ASSERT_TRUE(database.ok()) << database.status();
    const std::string spec = StoredSpecOf("spec-old");
    const std::string process = EncodeProcess(EntryOf("OLDPROCESSAAAAAA"));
    SessionEntry entry;
    entry.id = "OLDSESSIONAAAAAA";
    entry.owner = "uid:1000";
    entry.ttl = absl::Seconds(15);
    const std::string session = EncodeSession(entry);
    auto put = [&](const char* sql, absl::string_view blob) {
      auto insert = Statement::Prepare(database->get(), sql);
      ASSERT_TRUE(insert.ok()) << insert.status();
      insert->BindInt(1, record::ChecksumOf(blob.data(), blob.size()));
      insert->BindBlob(2, blob);
      const absl::Status done = insert->Run();
      ASSERT_TRUE(done.ok()) << done;
    };
    put("INSERT INTO specs VALUES(1, ?1, ?2)", spec);
    put("INSERT INTO processes VALUES('OLDPROCESSAAAAAA', 'boot', 'uid:1000', 'request-old', 0, "
        "'OLDSESSIONAAAAAA', 1, 0, 0, ?1, ?2)",
        process);
    put("INSERT INTO sessions VALUES('OLDSESSIONAAAAAA', ?1, ?2)", session);
  }
  std::string Ask(const char* sql) {
    auto database = Database::Open(dir_.file());
    if (!database.ok()) return database.status().ToString();
    auto answer = (*database)->Query(sql);
    return answer.ok() ? *answer : answer.status().ToString();
  }
  absl::Status TryOpen(absl::string_view agent_version = "0.2.0",
                       absl::Duration retention = absl::Hours(24)) {
    return SqliteStore::Open(dir_.path(), agent_version, retention).status();
  }
};

TEST_F(SchemaTest, ADatabaseOf01IsMigratedWithEverythingInIt) {
  MakeDatabaseOf01();
  const Store::Content content = Reload();
  EXPECT_EQ(content.agent_id, "AGENTOF01AAAAAAA");
  EXPECT_EQ(content.revision, 100000);
  ASSERT_THAT(content.processes, SizeIs(1));
  EXPECT_EQ(content.processes[0].id, "OLDPROCESSAAAAAA");
  EXPECT_EQ(content.processes[0].request_id, "request-old");
  EXPECT_EQ(content.processes[0].spec->argv[0], "spec-old");
  EXPECT_THAT(content.processes[0].spec->env, ElementsAre("KEY=value"));
  ASSERT_THAT(content.sessions, SizeIs(1));
  EXPECT_EQ(content.sessions[0].id, "OLDSESSIONAAAAAA");
  ASSERT_THAT(content.requests, SizeIs(1));
  EXPECT_EQ(content.requests[0].owner, "uid:1000");
  EXPECT_EQ(content.requests[0].request_id, "request-gone");
  EXPECT_EQ(content.requests[0].kind, RequestKind::kUnknown);
  EXPECT_EQ(content.requests[0].log_time, absl::FromUnixNanos(1'700'000'000'000'000'000));
  ASSERT_THAT(content.horizons, SizeIs(1));
  EXPECT_EQ(content.horizons[0].owner, "");
  EXPECT_LE(content.horizons[0].time, absl::Now() - absl::Hours(24));
  EXPECT_GT(content.horizons[0].time, absl::Now() - absl::Hours(25));
  EXPECT_THAT(store_->damaged(), SizeIs(0));
  store_.reset();
  EXPECT_EQ(Ask("PRAGMA user_version"), absl::StrCat(kSchemaVersion));
  EXPECT_EQ(Ask("SELECT value FROM meta WHERE key='oldest_reader'"),
            absl::StrCat(kOldestSchemaReader));
}

TEST_F(SchemaTest, WhatAnAgentOf01ForgotEarlierIsTooOldForGood) {
  MakeDatabaseOf01();
  ASSERT_TRUE(TryOpen("0.2.0", absl::Hours(1)).ok());
  const Store::Content content = Reload();
  ASSERT_THAT(content.horizons, SizeIs(1));
  EXPECT_GT(content.horizons[0].time, absl::Now() - absl::Hours(2));
}

TEST_F(SchemaTest, OwnersWithoutAKindAreGivenOne) {
  MakeDatabaseOf01();
  Tamper(
      "INSERT INTO tombstones VALUES('spiffe://test/a', '1', 1), ('CI.example.org', '2', 1),"
      "('Jane Doe', '3', 1), ('loopback', '4', 1), ('uid:0x', '5', 1);"
      "UPDATE processes SET owner='Jane Doe'");
  SessionEntry entry;
  entry.id = "OLDSESSIONAAAAAA";
  entry.owner = "Jane Doe";
  entry.token = "token";
  const std::string blob = EncodeSession(entry);
  {
    auto database = Database::Open(dir_.file());
    ASSERT_TRUE(database.ok());
    auto update = Statement::Prepare(database->get(), "UPDATE sessions SET checksum=?1, blob=?2");
    ASSERT_TRUE(update.ok());
    update->BindInt(1, record::ChecksumOf(blob.data(), blob.size()));
    update->BindBlob(2, blob);
    ASSERT_TRUE(update->Run().ok());
  }
  const Store::Content content = Reload();
  std::map<std::string, std::string> owners;  // by request_id
  for (const LoggedRequest& request : content.requests) owners[request.request_id] = request.owner;
  EXPECT_EQ(owners["request-gone"], "uid:1000");
  EXPECT_EQ(owners["1"], "spiffe://test/a");
  EXPECT_EQ(owners["2"], "dns:ci.example.org");
  EXPECT_EQ(owners["3"], "cn:Jane Doe");
  EXPECT_EQ(owners["4"], "loopback");
  EXPECT_EQ(owners["5"], "cn:uid:0x");
  EXPECT_EQ(content.processes.at(0).owner, "cn:Jane Doe");
  EXPECT_EQ(content.sessions.at(0).owner, "cn:Jane Doe");
  EXPECT_EQ(content.sessions.at(0).token, "token");
  EXPECT_THAT(store_->damaged(), SizeIs(0));
}

// Version 5 keeps the rows of version 4, which had an index of ids.
TEST_F(SchemaTest, ProcessesOf4AreThereAndMayChangeAndGo) {
  Open();
  for (const char* id : {"A", "B", "C"}) store_->PutProcess(EntryOf(id));
  ASSERT_TRUE(store_->Commit().ok());
  store_.reset();
  Tamper(
      "CREATE TABLE before(id TEXT PRIMARY KEY, boot_id TEXT NOT NULL, owner TEXT NOT NULL,"
      " request_id TEXT NOT NULL, request_index INTEGER NOT NULL, session_id TEXT NOT NULL,"
      " spec_id INTEGER NOT NULL, over INTEGER NOT NULL, end_time INTEGER NOT NULL,"
      " checksum INTEGER NOT NULL, blob BLOB NOT NULL);"
      "INSERT INTO before SELECT id, boot_id, owner, request_id, request_index, session_id,"
      " spec_id, over, end_time, checksum, blob FROM processes;"
      "DROP TABLE processes; ALTER TABLE before RENAME TO processes;"
      "UPDATE meta SET value='4' WHERE key='oldest_reader'; PRAGMA user_version=4");
  EXPECT_THAT(Reload().processes, SizeIs(3));
  ProcessEntry changed = EntryOf("B");
  changed.pid = 4711;
  store_->PutProcess(changed);
  store_->DeleteProcess("A");
  ASSERT_TRUE(store_->Commit().ok());
  const Store::Content content = Reload();
  ASSERT_THAT(content.processes, SizeIs(2));
  EXPECT_EQ(content.processes[0].pid, 4711);
  EXPECT_THAT(store_->damaged(), SizeIs(0));
}

TEST_F(SchemaTest, AMigrationThatFailsLeavesTheFileAsItWas) {
  MakeDatabaseOf01();
  Tamper("INSERT INTO meta VALUES('oldest_reader', 'in the way')");
  EXPECT_FALSE(TryOpen().ok());
  EXPECT_EQ(Ask("PRAGMA user_version"), "1");
  EXPECT_EQ(Ask("SELECT count(*) FROM processes"), "1");
  Tamper("DELETE FROM meta WHERE key='oldest_reader'");
  EXPECT_TRUE(TryOpen().ok());
}

TEST_F(SchemaTest, ANewerDatabaseThatAllowsItIsReadAndKeepsItsVersion) {
  Open();
  store_->PutProcess(EntryOf("A"));
  ASSERT_TRUE(store_->Commit().ok());
  // What a version to come may add: a column with a default, a table, a later version number.
  Tamper(
      "ALTER TABLE processes ADD COLUMN colour TEXT NOT NULL DEFAULT 'red';"
      "ALTER TABLE sessions ADD COLUMN colour TEXT NOT NULL DEFAULT 'red';"
      "CREATE TABLE later(x INTEGER); PRAGMA user_version=6");
  const Store::Content content = Reload();
  EXPECT_THAT(content.processes, SizeIs(1));
  store_->PutProcess(EntryOf("B"));
  SessionEntry session;
  session.id = "S";
  store_->PutSession(session);
  EXPECT_TRUE(store_->Commit().ok());
  EXPECT_THAT(Reload().processes, SizeIs(2));
  store_.reset();
  EXPECT_EQ(Ask("PRAGMA user_version"), "6");
}

TEST_F(SchemaTest, ANewerDatabaseThatDoesNotAllowItIsRefusedAndSaysWhatGoesOn) {
  Open();
  Tamper("UPDATE meta SET value='7' WHERE key='oldest_reader'; PRAGMA user_version=7");
  const absl::Status refused = TryOpen();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(
      refused.message(),
      AllOf(HasSubstr(absl::StrCat("newer agent (schema 7, this one knows ", kSchemaVersion, ")")),
            HasSubstr("detached processes go on"), HasSubstr("dead-man time")));
  EXPECT_EQ(Ask("PRAGMA user_version"), "7");
}

TEST_F(SchemaTest, ANewerDatabaseWithoutThatMarkIsRefused) {
  Open();
  Tamper("DELETE FROM meta WHERE key='oldest_reader'; PRAGMA user_version=6");
  EXPECT_EQ(TryOpen().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(SchemaTest, TheNewestAgentIsRemembered) {
  ASSERT_TRUE(TryOpen("0.9.3").ok());
  ASSERT_TRUE(TryOpen("0.10.1").ok());
  ASSERT_TRUE(TryOpen("0.2.0").ok());
  EXPECT_EQ(Reload().newest_agent, "0.10.1");
}

}  // namespace
}  // namespace shoal::agent
