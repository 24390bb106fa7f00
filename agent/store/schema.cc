#include "agent/store/schema.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/ids.h"
#include "common/status.h"

namespace shoal::agent {
namespace {

// A spec has a row of its own: it is large, never changes, and the ranks of a batch share it, while
// a process's row is written anew at each stage of its life. Columns are what a person or a repair
// needs to see; the rest is in `blob` (stored.proto), guarded by `checksum`.
constexpr char kCreate[] = R"(
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
)";

absl::StatusOr<int> VersionOf(Database* database) {
  SHOAL_ASSIGN_OR_RETURN(std::string text, database->Query("PRAGMA user_version"));
  int version = 0;
  if (!absl::SimpleAtoi(text, &version)) return database->Damaged("it has no schema version");
  return version;
}

absl::Status CreateTables(Database* database) {
  SHOAL_RETURN_IF_ERROR(database->Execute("BEGIN IMMEDIATE"));
  SHOAL_RETURN_IF_ERROR(database->Execute(kCreate));
  const std::string meta = absl::StrCat("INSERT INTO meta VALUES('agent_id', '", NewId(),
                                        "'), ('revision', '0'), ('clean', '1')");
  SHOAL_RETURN_IF_ERROR(database->Execute(meta.c_str()));
  SHOAL_RETURN_IF_ERROR(
      database->Execute(absl::StrCat("PRAGMA user_version=", kSchemaVersion).c_str()));
  return database->Execute("COMMIT");
}

absl::Status CheckIntact(Database* database) {
  SHOAL_ASSIGN_OR_RETURN(std::string clean,
                         database->Query("SELECT value FROM meta WHERE key='clean'"));
  if (clean == "1") return absl::OkStatus();
  SHOAL_ASSIGN_OR_RETURN(std::string verdict, database->Query("PRAGMA quick_check(1)"));
  return verdict == "ok" ? absl::OkStatus() : database->Damaged(verdict);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Database>> OpenDatabase(const std::string& path) {
  SHOAL_ASSIGN_OR_RETURN(std::unique_ptr<Database> database, Database::Open(path));
  SHOAL_ASSIGN_OR_RETURN(std::string mode, database->Query("PRAGMA journal_mode=WAL"));
  if (mode != "wal") {
    return absl::FailedPreconditionError(absl::StrCat(
        "database ", path, " cannot have a write-ahead log: its file system has no shared memory ",
        "mapping; choose another --state-dir"));
  }
  // Checkpoints are the Checkpointer's; see the header for what NORMAL means.
  SHOAL_RETURN_IF_ERROR(database->Execute(
      "PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=0; PRAGMA cell_size_check=ON"));
  SHOAL_ASSIGN_OR_RETURN(int version, VersionOf(database.get()));
  if (version > kSchemaVersion) {
    return absl::FailedPreconditionError(
        absl::StrCat("database ", path, " was written by a newer agent (schema ", version,
                     ", this one knows ", kSchemaVersion, "): install that version again"));
  }
  if (version == 0) SHOAL_RETURN_IF_ERROR(CreateTables(database.get()));
  SHOAL_RETURN_IF_ERROR(CheckIntact(database.get()));
  return database;
}

absl::Status MarkClean(Database* database, bool clean) {
  return database->Execute(clean ? "UPDATE meta SET value='1' WHERE key='clean'"
                                 : "UPDATE meta SET value='0' WHERE key='clean'");
}

}  // namespace shoal::agent
