#include "agent/store/sqlite_store.h"

#include <sqlite3.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/spec/stored_spec.h"
#include "agent/store/codec.h"
#include "agent/store/content_reader.h"
#include "agent/store/schema.h"
#include "common/status.h"

namespace shoal::agent {
namespace {

constexpr size_t kSpecsRemembered = 16;

int64_t EndTimeOf(const ProcessEntry& process) {
  return process.exit_time ? absl::ToUnixNanos(*process.exit_time) : 0;
}

}  // namespace

struct SqliteStore::Statements {
  Statement begin, commit, rollback;
  Statement update_process, insert_process, delete_process;
  Statement insert_spec, update_spec, delete_spec;
  Statement put_session, delete_session;
  Statement put_request, delete_request;
  Statement put_horizon, delete_horizon;
  Statement put_meta;
};

absl::StatusOr<std::unique_ptr<SqliteStore>> SqliteStore::Open(const std::string& state_dir,
                                                               absl::string_view agent_version,
                                                               absl::Duration retention,
                                                               std::function<void()> on_rest) {
  const std::string path = absl::StrCat(state_dir, "/shoal.db");
  SHOAL_ASSIGN_OR_RETURN(std::unique_ptr<Database> database,
                         OpenDatabase(path, agent_version, retention));
  SHOAL_ASSIGN_OR_RETURN(std::unique_ptr<Checkpointer> checkpointer,
                         Checkpointer::Start(path, std::move(on_rest)));
  auto store =
      std::unique_ptr<SqliteStore>(new SqliteStore(std::move(database), std::move(checkpointer)));
  SHOAL_RETURN_IF_ERROR(store->Prepare());
  return store;
}

SqliteStore::SqliteStore(std::unique_ptr<Database> database,
                         std::unique_ptr<Checkpointer> checkpointer)
    : database_(std::move(database)), checkpointer_(std::move(checkpointer)) {
  sqlite3_wal_hook(
      database_->handle(),
      +[](void* checkpoints, sqlite3*, const char*, int pages) {
        static_cast<Checkpointer*>(checkpoints)->OnCommitted(pages);
        return SQLITE_OK;
      },
      checkpointer_.get());
}

SqliteStore::~SqliteStore() {
  if (dirty_) Rollback();
  // Not after a disk error: the next start shall look at the whole file.
  if (marked_unclean_ && checkpointer_->Health().ok()) {
    MarkClean(database_.get(), true).IgnoreError();
  }
  statements_.reset();
}

absl::Status SqliteStore::Prepare() {
  auto prepare = [this](const char* sql) { return Statement::Prepare(database_.get(), sql); };
  SHOAL_ASSIGN_OR_RETURN(Statement begin, prepare("BEGIN IMMEDIATE"));
  SHOAL_ASSIGN_OR_RETURN(Statement commit, prepare("COMMIT"));
  SHOAL_ASSIGN_OR_RETURN(Statement rollback, prepare("ROLLBACK"));
  SHOAL_ASSIGN_OR_RETURN(Statement update_process,
                         prepare("UPDATE processes SET session_id=?2, over=?3, end_time=?4, "
                                 "checksum=?5, blob=?6 WHERE row=?1"));
  SHOAL_ASSIGN_OR_RETURN(
      Statement insert_process,
      prepare(
          "INSERT INTO processes(id, session_id, over, end_time, checksum, blob, boot_id, owner,"
          " request_id, request_index, spec_id) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11)"));
  SHOAL_ASSIGN_OR_RETURN(Statement delete_process, prepare("DELETE FROM processes WHERE row=?1"));
  SHOAL_ASSIGN_OR_RETURN(Statement insert_spec,
                         prepare("INSERT INTO specs(checksum, wire) VALUES(?1, ?2)"));
  SHOAL_ASSIGN_OR_RETURN(Statement update_spec,
                         prepare("UPDATE specs SET checksum=?2, wire=?3 WHERE spec_id=?1"));
  SHOAL_ASSIGN_OR_RETURN(Statement delete_spec, prepare("DELETE FROM specs WHERE spec_id=?1"));
  SHOAL_ASSIGN_OR_RETURN(
      Statement put_session,
      prepare("INSERT OR REPLACE INTO sessions(id, checksum, blob) VALUES(?1, ?2, ?3)"));
  SHOAL_ASSIGN_OR_RETURN(Statement delete_session, prepare("DELETE FROM sessions WHERE id=?1"));
  SHOAL_ASSIGN_OR_RETURN(
      Statement put_request,
      prepare("INSERT OR REPLACE INTO request_log(owner, request_id, session_id, log_time, "
              "checksum, blob) VALUES(?1, ?2, ?3, ?4, ?5, ?6)"));
  SHOAL_ASSIGN_OR_RETURN(Statement delete_request,
                         prepare("DELETE FROM request_log WHERE owner=?1 AND request_id=?2"));
  SHOAL_ASSIGN_OR_RETURN(Statement put_horizon,
                         prepare("INSERT OR REPLACE INTO request_horizons(owner, session_id, time) "
                                 "VALUES(?1, ?2, ?3)"));
  SHOAL_ASSIGN_OR_RETURN(Statement delete_horizon,
                         prepare("DELETE FROM request_horizons WHERE owner=?1 AND session_id=?2"));
  SHOAL_ASSIGN_OR_RETURN(Statement put_meta,
                         prepare("INSERT OR REPLACE INTO meta(key, value) VALUES(?1, ?2)"));
  statements_ = std::make_unique<Statements>(Statements{
      std::move(begin), std::move(commit), std::move(rollback), std::move(update_process),
      std::move(insert_process), std::move(delete_process), std::move(insert_spec),
      std::move(update_spec), std::move(delete_spec), std::move(put_session),
      std::move(delete_session), std::move(put_request), std::move(delete_request),
      std::move(put_horizon), std::move(delete_horizon), std::move(put_meta)});
  return absl::OkStatus();
}

absl::StatusOr<Store::Content> SqliteStore::Load() {
  ForgetUnusedSpecs().IgnoreError();  // on a full disk they stay
  return ContentReader(database_.get(), &damaged_).Read();
}

bool SqliteStore::Begin() {
  if (!dirty_) {
    dirty_ = true;
    checkpointer_->AwaitRoom();
    failure_ = checkpointer_->Health();
    if (failure_.ok()) Note(statements_->begin.Run());
    if (failure_.ok() && !are_rows_known_) Note(LearnRows());
    if (failure_.ok() && !marked_unclean_) Note(MarkClean(database_.get(), false));
  }
  return failure_.ok();
}

void SqliteStore::Note(const absl::Status& status) {
  if (failure_.ok()) failure_ = status;
}

void SqliteStore::PutProcess(const ProcessEntry& process) {
  if (!Begin()) return;
  const std::string blob = EncodeProcess(process);
  const auto known = rows_.find(process.id);
  if (known == rows_.end()) return Note(Insert(process, blob));
  Statement& update = statements_->update_process;
  update.BindInt(1, known->second.row);
  update.BindText(2, process.session_id);
  update.BindInt(3, process.IsOver() ? 1 : 0);
  update.BindInt(4, EndTimeOf(process));
  update.BindInt(5, StoredChecksumOf(blob));
  update.BindBlob(6, blob);
  Note(update.Run());
}

absl::Status SqliteStore::Insert(const ProcessEntry& process, absl::string_view blob) {
  SHOAL_ASSIGN_OR_RETURN(const int64_t spec_id, SpecIdFor(process.spec));
  Statement& insert = statements_->insert_process;
  insert.BindText(1, process.id);
  insert.BindText(2, process.session_id);
  insert.BindInt(3, process.IsOver() ? 1 : 0);
  insert.BindInt(4, EndTimeOf(process));
  insert.BindInt(5, StoredChecksumOf(blob));
  insert.BindBlob(6, blob);
  insert.BindText(7, process.boot_id);
  insert.BindText(8, process.owner);
  insert.BindText(9, process.request_id);
  insert.BindInt(10, process.request_index);
  insert.BindInt(11, spec_id);
  SHOAL_RETURN_IF_ERROR(insert.Run());
  rows_[process.id] = {database_->LastRowId(), spec_id};
  ++uses_[spec_id];
  return absl::OkStatus();
}

absl::StatusOr<int64_t> SqliteStore::SpecIdFor(const std::shared_ptr<const Spec>& spec) {
  const auto known =
      std::find_if(stored_specs_.begin(), stored_specs_.end(), [&spec](const auto& one) {
        return !one.first.owner_before(spec) && !spec.owner_before(one.first);
      });
  if (known != stored_specs_.end()) {
    std::rotate(known, std::next(known), stored_specs_.end());
    return stored_specs_.back().second;
  }
  const std::string stored = StoredFormOf(*spec);
  Statement& insert = statements_->insert_spec;
  insert.BindInt(1, StoredChecksumOf(stored));
  insert.BindBlob(2, stored);
  SHOAL_RETURN_IF_ERROR(insert.Run());
  if (stored_specs_.size() == kSpecsRemembered) stored_specs_.pop_front();
  stored_specs_.emplace_back(spec, database_->LastRowId());
  return stored_specs_.back().second;
}

void SqliteStore::PutSpec(const ProcessEntry& process) {
  if (!Begin()) return;
  const auto known = rows_.find(process.id);
  if (known == rows_.end()) return;
  const std::string stored = StoredFormOf(*process.spec);
  Statement& update = statements_->update_spec;
  update.BindInt(1, known->second.spec_id);
  update.BindInt(2, StoredChecksumOf(stored));
  update.BindBlob(3, stored);
  Note(update.Run());
}

void SqliteStore::DeleteProcess(const std::string& id) {
  if (!Begin()) return;
  const auto known = rows_.find(id);
  if (known == rows_.end()) return;
  const Row gone = known->second;
  rows_.erase(known);
  statements_->delete_process.BindInt(1, gone.row);
  Note(statements_->delete_process.Run());
  Note(ReleaseSpec(gone.spec_id));
}

absl::Status SqliteStore::ReleaseSpec(int64_t spec_id) {
  const auto uses = uses_.find(spec_id);
  if (uses == uses_.end() || --uses->second > 0) return absl::OkStatus();
  uses_.erase(uses);
  std::erase_if(stored_specs_, [spec_id](const auto& one) { return one.second == spec_id; });
  statements_->delete_spec.BindInt(1, spec_id);
  return statements_->delete_spec.Run();
}

absl::Status SqliteStore::LearnRows() {
  rows_.clear();
  uses_.clear();
  SHOAL_ASSIGN_OR_RETURN(
      Statement all, Statement::Prepare(database_.get(), "SELECT row, id, spec_id FROM processes"));
  for (;;) {
    SHOAL_ASSIGN_OR_RETURN(const bool is_row, all.Step());
    if (!is_row) break;
    rows_[std::string(all.Bytes(1))] = {all.Int(0), all.Int(2)};
    ++uses_[all.Int(2)];
  }
  are_rows_known_ = true;
  return absl::OkStatus();
}

// Those of processes that an older agent has deleted.
absl::Status SqliteStore::ForgetUnusedSpecs() {
  return database_->Execute(
      "DELETE FROM specs WHERE spec_id NOT IN (SELECT spec_id FROM processes)");
}

void SqliteStore::PutSession(const SessionEntry& session) {
  if (!Begin()) return;
  const std::string blob = EncodeSession(session);
  statements_->put_session.BindText(1, session.id);
  statements_->put_session.BindInt(2, StoredChecksumOf(blob));
  statements_->put_session.BindBlob(3, blob);
  Note(statements_->put_session.Run());
}

void SqliteStore::DeleteSession(const std::string& id) {
  if (!Begin()) return;
  statements_->delete_session.BindText(1, id);
  Note(statements_->delete_session.Run());
}

void SqliteStore::PutRequest(const LoggedRequest& request) {
  if (!Begin()) return;
  const std::string blob = EncodeRequest(request);
  Statement& put = statements_->put_request;
  put.BindText(1, request.owner);
  put.BindText(2, request.request_id);
  put.BindText(3, request.session_id);
  put.BindInt(4, absl::ToUnixNanos(request.log_time));
  put.BindInt(5, StoredChecksumOf(blob));
  put.BindBlob(6, blob);
  Note(put.Run());
}

void SqliteStore::DeleteRequest(const std::string& owner, const std::string& request_id) {
  if (!Begin()) return;
  statements_->delete_request.BindText(1, owner);
  statements_->delete_request.BindText(2, request_id);
  Note(statements_->delete_request.Run());
}

void SqliteStore::PutHorizon(const RequestHorizon& horizon) {
  if (!Begin()) return;
  statements_->put_horizon.BindText(1, horizon.owner);
  statements_->put_horizon.BindText(2, horizon.session_id);
  statements_->put_horizon.BindInt(3, absl::ToUnixNanos(horizon.time));
  Note(statements_->put_horizon.Run());
}

void SqliteStore::DeleteHorizon(const std::string& owner, const std::string& session_id) {
  if (!Begin()) return;
  statements_->delete_horizon.BindText(1, owner);
  statements_->delete_horizon.BindText(2, session_id);
  Note(statements_->delete_horizon.Run());
}

void SqliteStore::PutRevision(int64_t high_water_mark) {
  if (!Begin()) return;
  const std::string text = absl::StrCat(high_water_mark);
  statements_->put_meta.BindText(1, "revision");
  statements_->put_meta.BindText(2, text);
  Note(statements_->put_meta.Run());
}

bool SqliteStore::IsDirty() const { return dirty_; }

absl::Status SqliteStore::Commit() {
  if (!dirty_) return absl::OkStatus();
  if (failure_.ok()) Note(statements_->commit.Run());
  if (!failure_.ok()) {
    Rollback();
    stored_specs_.clear();  // their rows may be gone with the transaction
    are_rows_known_ = false;
  }
  marked_unclean_ |= failure_.ok();
  dirty_ = false;
  return std::exchange(failure_, absl::OkStatus());
}

void SqliteStore::Rollback() {
  // After some errors SQLite has done it already.
  if (database_->InTransaction()) statements_->rollback.Run().IgnoreError();
}

absl::Status SqliteStore::LimitPages(int pages) {
  return database_->Execute(absl::StrCat("PRAGMA max_page_count=", pages).c_str());
}

}  // namespace shoal::agent
