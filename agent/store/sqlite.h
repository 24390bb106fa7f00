// SQLite as far as the store needs it: a connection and a prepared statement, with statuses.
//
// Ownership:     a Statement ends before its Database.
// Thread-safety: one thread at a time; each thread has a Database of its own.
// Blocking:      on the disk.
// Errors:        RESOURCE_EXHAUSTED: disk or quota full. FAILED_PRECONDITION: the file is damaged
//                or no database; the message says what to do. UNAVAILABLE: I/O error, read-only,
//                busy.
#ifndef SHOAL_AGENT_STORE_SQLITE_H_
#define SHOAL_AGENT_STORE_SQLITE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

struct sqlite3;
struct sqlite3_stmt;

namespace shoal::agent {

class Database {
 public:
  // Creates the file, readable by its owner only: specs hold environments.
  static absl::StatusOr<std::unique_ptr<Database>> Open(const std::string& path);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Runs statements without parameters; their rows are passed over.
  absl::Status Execute(const char* sql);
  // The first column of the first row.
  absl::StatusOr<std::string> Query(const char* sql);

  bool InTransaction() const;
  int64_t LastRowId() const;

  // The status of a result code: `operation` on this file, why, and for damage the remedy.
  absl::Status ToStatus(int result, absl::string_view operation) const;
  absl::Status Damaged(absl::string_view reason) const;

  const std::string& path() const { return path_; }
  sqlite3* handle() const { return handle_; }

 private:
  Database(std::string path, sqlite3* handle) : path_(std::move(path)), handle_(handle) {}

  // Constant after construction.
  const std::string path_;
  sqlite3* const handle_;
};

class Statement {
 public:
  static absl::StatusOr<Statement> Prepare(Database* database, const char* sql);
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&& other) noexcept;
  ~Statement();

  // Parameters are numbered from 1. Bytes are not copied: they live until Run or the last Step.
  void BindText(int parameter, absl::string_view text);
  void BindBlob(int parameter, absl::string_view blob);
  void BindInt(int parameter, int64_t number);

  // For statements without rows; ready to be bound anew afterwards.
  absl::Status Run();
  // True: a row is there. False: no more; ready to be bound anew.
  absl::StatusOr<bool> Step();
  // Valid until the next Step.
  absl::string_view Bytes(int column) const;
  int64_t Int(int column) const;

 private:
  Statement(Database* database, sqlite3_stmt* handle) : database_(database), handle_(handle) {}

  Database* database_ = nullptr;
  sqlite3_stmt* handle_ = nullptr;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_STORE_SQLITE_H_
