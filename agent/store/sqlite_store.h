// The agent's durable facts in <state>/shoal.db.
//
// Ownership:     created by main, outlives the supervisor. The state directory's lock, held by
//                main, keeps a second agent away.
// Thread-safety: loop thread only; checkpoints run on a thread of its own.
// Blocking:      Load reads everything, after an unclean stop through a check of the whole file.
//                Puts and Commit write to the page cache; they wait for the disk only when the
//                kernel makes a writer wait, or the checkpointer (see there).
// Durability:    a commit survives the death of the agent at any instant. After a power loss the
//                last commits may be missing (synchronous=NORMAL), never half of one; the processes
//                they tell of are gone with the boot anyway.
// Errors:        Open and Load: FAILED_PRECONDITION for a damaged file or one of a newer agent,
//                with what to do. Commit: RESOURCE_EXHAUSTED (full) or UNAVAILABLE (I/O error,
//                read-only); nothing of the transaction is kept.
#ifndef SHOAL_AGENT_STORE_SQLITE_STORE_H_
#define SHOAL_AGENT_STORE_SQLITE_STORE_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/core/ports/store.h"
#include "agent/store/checkpointer.h"
#include "agent/store/sqlite.h"

namespace shoal::agent {

class SqliteStore : public Store {
 public:
  // `agent_version` and `retention`: see OpenDatabase; `on_rest`: see Checkpointer.
  static absl::StatusOr<std::unique_ptr<SqliteStore>> Open(const std::string& state_dir,
                                                           absl::string_view agent_version,
                                                           absl::Duration retention,
                                                           std::function<void()> on_rest = {});
  // Marks the stop as clean.
  ~SqliteStore() override;

  // REQUIRES: called once, before anything is put. A process whose row cannot be read is left out
  // and named in damaged(); its request stays, so that a retry starts nothing. A request whose row
  // cannot be read is of unknown kind.
  absl::StatusOr<Content> Load() override;
  void PutProcess(const ProcessEntry& process) override;
  void PutSpec(const ProcessEntry& process) override;
  void DeleteProcess(const std::string& id) override;
  void PutSession(const SessionEntry& session) override;
  void DeleteSession(const std::string& id) override;
  void PutRequest(const LoggedRequest& request) override;
  void DeleteRequest(const std::string& owner, const std::string& request_id) override;
  void PutHorizon(const RequestHorizon& horizon) override;
  void DeleteHorizon(const std::string& owner, const std::string& session_id) override;
  void PutRevision(int64_t high_water_mark) override;
  bool IsDirty() const override;
  absl::Status Commit() override;

  // One line for each row that Load could not read.
  const std::vector<std::string>& damaged() const { return damaged_; }

  // For tests of a full disk: at most this many pages in the file.
  absl::Status LimitPages(int pages);

 private:
  struct Statements;

  SqliteStore(std::unique_ptr<Database> database, std::unique_ptr<Checkpointer> checkpointer);
  absl::Status Prepare();
  // Begins the transaction; false: it has failed already and what follows is passed over.
  bool Begin();
  void Note(const absl::Status& status);
  absl::StatusOr<int64_t> SpecIdFor(const std::shared_ptr<const Spec>& spec);
  absl::Status Insert(const ProcessEntry& process, absl::string_view blob);
  absl::Status ForgetUnusedSpecs();
  absl::Status LearnRows();
  // One process less has the spec: with the last one its row goes.
  absl::Status ReleaseSpec(int64_t spec_id);
  void Rollback();

  // Constant after construction.
  const std::unique_ptr<Database> database_;
  const std::unique_ptr<Checkpointer> checkpointer_;
  std::unique_ptr<Statements> statements_;

  // Loop thread only.
  std::vector<std::string> damaged_;
  bool dirty_ = false;
  bool marked_unclean_ = false;  // the file says so; see OpenDatabase
  absl::Status failure_;         // the first of this transaction
  // Rows of specs that processes were stored with, the latest last. Several, since batches of several
  // callers are admitted by turns, each in many slices.
  std::deque<std::pair<std::weak_ptr<const Spec>, int64_t>> stored_specs_;
  // Of each process its row, of each spec how many rows have it: nothing in the file is sorted by ids, and no turn
  // has the time to look through it.
  struct Row {
    int64_t row = 0;
    int64_t spec_id = 0;
  };
  absl::flat_hash_map<std::string, Row> rows_;
  absl::flat_hash_map<int64_t, int64_t> uses_;
  bool are_rows_known_ = false;  // not after a transaction that failed
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_STORE_SQLITE_STORE_H_
