#include "agent/store/sqlite.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "common/unique_fd.h"

namespace shoal::agent {
namespace {

constexpr int kBusyTimeoutMs = 1000;  // for another program that looks into the file

}  // namespace

absl::StatusOr<std::unique_ptr<Database>> Database::Open(const std::string& path) {
  // Made here, so that only its owner can read it. One that is there is not opened: closing any
  // descriptor of a file drops all POSIX locks that this process has on it, those of SQLite's other
  // connections included.
  UniqueFd created(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!created && errno != EEXIST) {
    return ErrnoStatus(errno, absl::StrCat("open database ", path));
  }
  created.Reset();
  struct stat facts {};
  if (lstat(path.c_str(), &facts) != 0 || !S_ISREG(facts.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat("database ", path, " is not a regular file"));
  }
  sqlite3* handle = nullptr;
  const int result =
      sqlite3_open_v2(path.c_str(), &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  auto database = std::unique_ptr<Database>(new Database(path, handle));
  if (result != SQLITE_OK) return database->ToStatus(result, "open");
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, kBusyTimeoutMs);
  return database;
}

Database::~Database() { sqlite3_close_v2(handle_); }

absl::Status Database::Execute(const char* sql) {
  return ToStatus(sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr), sql);
}

absl::StatusOr<std::string> Database::Query(const char* sql) {
  SHOAL_ASSIGN_OR_RETURN(Statement statement, Statement::Prepare(this, sql));
  SHOAL_ASSIGN_OR_RETURN(bool row, statement.Step());
  return row ? std::string(statement.Bytes(0)) : std::string();
}

bool Database::InTransaction() const { return sqlite3_get_autocommit(handle_) == 0; }
int64_t Database::LastRowId() const { return sqlite3_last_insert_rowid(handle_); }

absl::Status Database::ToStatus(int result, absl::string_view operation) const {
  const std::string what = absl::StrCat(operation, " on database ", path_, ": ");
  switch (result & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
      return absl::OkStatus();
    case SQLITE_FULL:
      return absl::ResourceExhaustedError(absl::StrCat(what, "the disk is full"));
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Damaged(sqlite3_errmsg(handle_));
    case SQLITE_NOMEM:
      return absl::ResourceExhaustedError(absl::StrCat(what, "out of memory"));
    default:
      break;
  }
  if (sqlite3_system_errno(handle_) == EDQUOT) {
    return absl::ResourceExhaustedError(absl::StrCat(what, "the disk quota is used up"));
  }
  return absl::UnavailableError(absl::StrCat(what, sqlite3_errmsg(handle_)));
}

absl::Status Database::Damaged(absl::string_view reason) const {
  return absl::FailedPreconditionError(absl::StrCat(
      "database ", path_, " is damaged: ", reason, ". Repair it with `sqlite3 ", path_,
      " .recover | sqlite3 repaired.db` and put that in its place, or move it away to start empty "
      "(processes that run go on, but this agent will not know them)"));
}

absl::StatusOr<Statement> Statement::Prepare(Database* database, const char* sql) {
  sqlite3_stmt* handle = nullptr;
  const int result =
      sqlite3_prepare_v3(database->handle(), sql, -1, SQLITE_PREPARE_PERSISTENT, &handle, nullptr);
  if (result != SQLITE_OK) return database->ToStatus(result, sql);
  return Statement(database, handle);
}

Statement::Statement(Statement&& other) noexcept
    : database_(other.database_), handle_(std::exchange(other.handle_, nullptr)) {}

Statement& Statement::operator=(Statement&& other) noexcept {
  std::swap(database_, other.database_);
  std::swap(handle_, other.handle_);
  return *this;
}

Statement::~Statement() { sqlite3_finalize(handle_); }

// The results are not looked at: a parameter that is not bound makes Run or the row wrong in every
// test, and the only other failure, a value above 1 GB, is caught by Step (SQLITE_TOOBIG).
void Statement::BindText(int parameter, absl::string_view text) {
  sqlite3_bind_text64(handle_, parameter, text.empty() ? "" : text.data(), text.size(),
                      SQLITE_STATIC, SQLITE_UTF8);
}

void Statement::BindBlob(int parameter, absl::string_view blob) {
  sqlite3_bind_blob64(handle_, parameter, blob.empty() ? "" : blob.data(), blob.size(),
                      SQLITE_STATIC);
}

void Statement::BindInt(int parameter, int64_t number) {
  sqlite3_bind_int64(handle_, parameter, number);
}

absl::Status Statement::Run() {
  const int result = sqlite3_step(handle_);
  absl::Status status = database_->ToStatus(result, "write");
  sqlite3_reset(handle_);
  return status;
}

absl::StatusOr<bool> Statement::Step() {
  const int result = sqlite3_step(handle_);
  if (result == SQLITE_ROW) return true;
  absl::Status status = database_->ToStatus(result, "read");
  sqlite3_reset(handle_);
  if (!status.ok()) return status;
  return false;
}

absl::string_view Statement::Bytes(int column) const {
  const void* bytes = sqlite3_column_blob(handle_, column);
  const int size = sqlite3_column_bytes(handle_, column);
  return bytes == nullptr
             ? absl::string_view()
             : absl::string_view(static_cast<const char*>(bytes), static_cast<size_t>(size));
}

int64_t Statement::Int(int column) const { return sqlite3_column_int64(handle_, column); }

}  // namespace shoal::agent
