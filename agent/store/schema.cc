#include "agent/store/schema.h"

#include <iterator>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "agent/store/owner_names.h"
#include "common/ids.h"
#include "common/status.h"

namespace shoal::agent {
namespace {

// A spec has a row of its own: it is large, never changes, and the ranks of a batch share it, while
// a process's row is written anew at each stage of its life. Columns are what a person or a repair
// needs to see; the rest is in `blob` (stored.proto), guarded by `checksum`.
constexpr char kVersion1[] = R"(
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
  INSERT INTO meta VALUES('revision', '0'), ('clean', '1');
)";

// Version 2: the file says which versions may read it, and which agent wrote it last; requests are
// logged. Of those that were kept without their kind the blob is empty; what was made more than a
// day before there was a log is too old, as it was then.
constexpr char kVersion2[] = R"(
  INSERT INTO meta VALUES('oldest_reader', ''), ('newest_agent', '');
  CREATE TABLE request_log(
    owner TEXT NOT NULL, request_id TEXT NOT NULL, session_id TEXT NOT NULL,
    log_time INTEGER NOT NULL, checksum INTEGER NOT NULL, blob BLOB NOT NULL,
    PRIMARY KEY(owner, request_id)) WITHOUT ROWID;
  CREATE TABLE request_horizons(
    owner TEXT NOT NULL, session_id TEXT NOT NULL, time INTEGER NOT NULL,
    PRIMARY KEY(owner, session_id)) WITHOUT ROWID;
  INSERT INTO request_log SELECT owner, request_id, '', time, 0, x'' FROM tombstones;
  DROP TABLE tombstones;
  INSERT INTO request_horizons
    VALUES('', '', (CAST(strftime('%s', 'now') AS INTEGER) - 86400) * 1000000000);
)";

// Version 3: owners have a kind (GiveOwnersKinds). An older agent would give new ones none.
constexpr char kVersion3[] = "";

// Version 4: records are in several files. An older agent would not find the processes of all.
constexpr char kVersion4[] = "";

// Version 5: no index of ids, which are random: each process that came or went wrote a page of it anew. The store
// knows the rows by heart. An older agent needs the index.
constexpr char kVersion5[] = R"(
  CREATE TABLE processes_by_row(
    row INTEGER PRIMARY KEY, id TEXT NOT NULL, boot_id TEXT NOT NULL, owner TEXT NOT NULL,
    request_id TEXT NOT NULL, request_index INTEGER NOT NULL, session_id TEXT NOT NULL,
    spec_id INTEGER NOT NULL, over INTEGER NOT NULL, end_time INTEGER NOT NULL,
    checksum INTEGER NOT NULL, blob BLOB NOT NULL);
  INSERT INTO processes_by_row
    SELECT rowid, id, boot_id, owner, request_id, request_index, session_id, spec_id, over,
      end_time, checksum, blob FROM processes;
  DROP TABLE processes;
  ALTER TABLE processes_by_row RENAME TO processes;
)";

// kSteps[i] makes version i + 1 of version i; version 0 is an empty file. A step that has been
// released never changes.
constexpr const char* kSteps[] = {kVersion1, kVersion2, kVersion3, kVersion4, kVersion5};
static_assert(std::size(kSteps) == kSchemaVersion);

absl::StatusOr<int> VersionOf(Database* database) {
  SHOAL_ASSIGN_OR_RETURN(std::string text, database->Query("PRAGMA user_version"));
  int version = 0;
  if (!absl::SimpleAtoi(text, &version)) return database->Damaged("it has no schema version");
  return version;
}

absl::Status RunSteps(Database* database, int version, absl::Duration retention) {
  SHOAL_RETURN_IF_ERROR(database->Execute("BEGIN IMMEDIATE"));
  for (int step = version; step < kSchemaVersion; ++step) {
    SHOAL_RETURN_IF_ERROR(database->Execute(kSteps[step]));
  }
  if (version == 1 && retention < absl::Hours(24)) {
    SHOAL_RETURN_IF_ERROR(database->Execute(
        absl::StrCat("UPDATE request_horizons SET time = time + ",
                     absl::ToInt64Nanoseconds(absl::Hours(24) - retention), " WHERE owner = ''")
            .c_str()));
  }
  if (version < 3) SHOAL_RETURN_IF_ERROR(GiveOwnersKinds(database));
  if (version == 0) {
    SHOAL_RETURN_IF_ERROR(database->Execute(
        absl::StrCat("INSERT INTO meta VALUES('agent_id', '", NewId(), "')").c_str()));
  }
  SHOAL_RETURN_IF_ERROR(database->Execute(
      absl::StrCat("UPDATE meta SET value='", kOldestSchemaReader, "' WHERE key='oldest_reader'")
          .c_str()));
  SHOAL_RETURN_IF_ERROR(
      database->Execute(absl::StrCat("PRAGMA user_version=", kSchemaVersion).c_str()));
  return database->Execute("COMMIT");
}

// All of it or nothing: the file stays as it was when a step fails.
absl::Status Migrate(Database* database, int version, absl::Duration retention) {
  absl::Status migrated = RunSteps(database, version, retention);
  if (!migrated.ok() && database->InTransaction()) database->Execute("ROLLBACK").IgnoreError();
  return migrated;
}

// A newer file may be read if it says so.
absl::Status CheckReadable(Database* database, int version) {
  absl::StatusOr<std::string> text =
      database->Query("SELECT value FROM meta WHERE key='oldest_reader'");
  int oldest = 0;
  if (text.ok() && absl::SimpleAtoi(*text, &oldest) && oldest <= kSchemaVersion) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(absl::StrCat(
      "database ", database->path(), " was written by a newer agent (schema ", version,
      ", this one knows ", kSchemaVersion, "): install that version again. Until then detached ",
      "processes go on; those of sessions end at their dead-man time, 10 min (unless it was set ",
      "otherwise) after their session would have lapsed"));
}

// "0.10.1" as numbers; a part that is none counts as 0.
std::vector<int> NumbersOf(absl::string_view version) {
  std::vector<int> numbers;
  for (absl::string_view part : absl::StrSplit(version, '.')) {
    int number = 0;
    numbers.push_back(absl::SimpleAtoi(part, &number) ? number : 0);
  }
  return numbers;
}

// For people only, so that a full disk does not keep the agent from starting.
absl::Status NoteAgent(Database* database, absl::string_view version) {
  SHOAL_ASSIGN_OR_RETURN(std::string newest, NewestAgent(database));
  if (NumbersOf(newest) >= NumbersOf(version)) return absl::OkStatus();
  SHOAL_ASSIGN_OR_RETURN(
      Statement note,
      Statement::Prepare(database, "UPDATE meta SET value=?1 WHERE key='newest_agent'"));
  note.BindText(1, version);
  return note.Run();
}

absl::Status CheckIntact(Database* database) {
  SHOAL_ASSIGN_OR_RETURN(std::string clean,
                         database->Query("SELECT value FROM meta WHERE key='clean'"));
  if (clean == "1") return absl::OkStatus();
  SHOAL_ASSIGN_OR_RETURN(std::string verdict, database->Query("PRAGMA quick_check(1)"));
  return verdict == "ok" ? absl::OkStatus() : database->Damaged(verdict);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Database>> OpenDatabase(const std::string& path,
                                                       absl::string_view agent_version,
                                                       absl::Duration retention) {
  SHOAL_ASSIGN_OR_RETURN(std::unique_ptr<Database> database, Database::Open(path));
  SHOAL_ASSIGN_OR_RETURN(std::string mode, database->Query("PRAGMA journal_mode=WAL"));
  if (mode != "wal") {
    return absl::FailedPreconditionError(absl::StrCat(
        "database ", path, " cannot have a write-ahead log: its file system has no shared memory ",
        "mapping; choose another --state-dir"));
  }
  // Checkpoints are the Checkpointer's; see the header for what NORMAL means. What is deleted, such
  // as an environment, is overwritten.
  SHOAL_RETURN_IF_ERROR(
      database->Execute("PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=0; "
                        "PRAGMA cell_size_check=ON; PRAGMA secure_delete=ON"));
  SHOAL_ASSIGN_OR_RETURN(int version, VersionOf(database.get()));
  if (version > kSchemaVersion) SHOAL_RETURN_IF_ERROR(CheckReadable(database.get(), version));
  if (version > 0) SHOAL_RETURN_IF_ERROR(CheckIntact(database.get()));
  if (version < kSchemaVersion) SHOAL_RETURN_IF_ERROR(Migrate(database.get(), version, retention));
  NoteAgent(database.get(), agent_version).IgnoreError();
  return database;
}

absl::StatusOr<std::string> NewestAgent(Database* database) {
  return database->Query("SELECT value FROM meta WHERE key='newest_agent'");
}

absl::Status MarkClean(Database* database, bool clean) {
  return database->Execute(clean ? "UPDATE meta SET value='1' WHERE key='clean'"
                                 : "UPDATE meta SET value='0' WHERE key='clean'");
}

}  // namespace shoal::agent
