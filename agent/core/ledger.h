// One loop turn's bookkeeping: what must be durable, what waits for that, and which waits and
// observers are told afterwards.
//
// Ownership:     owned by the supervisor; owns the event ring.
// Thread-safety: loop thread only.
// Blocking:      FinishTurn blocks for one SQLite transaction if something durable changed.
// The rule:      Save…, Changed and Then in any order during a turn; FinishTurn commits, runs the
//                actions with the commit's status, then tells waits and observers what had changed
//                before that commit.
// Errors:        after a failed commit the actions undo what they can; processes that still exist,
//                sessions and requests are saved again a second later, until it works.
#ifndef SHOAL_AGENT_CORE_LEDGER_H_
#define SHOAL_AGENT_CORE_LEDGER_H_

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "agent/core/event_ring.h"
#include "agent/core/observers.h"
#include "agent/core/ports/scheduler.h"
#include "agent/core/ports/store.h"
#include "agent/core/process_table.h"
#include "agent/core/request_log.h"
#include "agent/core/waits.h"

namespace shoal::agent {

class Ledger {
 public:
  using Action = absl::AnyInvocable<void(const absl::Status& committed)>;

  Ledger(Store* store, Scheduler* scheduler, ProcessTable* table, Waits* waits,
         Observers* observers, RequestLog* requests);

  // Durable facts of this turn.
  void Save(const ProcessEntry& process);
  void Forget(const std::string& process_id);
  // Its spec has changed. Not tried again after a failed commit.
  void SaveSpec(const ProcessEntry& process) { store_->PutSpec(process); }
  void SaveSession(const SessionEntry& session);
  void ForgetSession(const std::string& session_id);

  // News of this turn. Changed gives the entry its new revision.
  void Changed(ProcessEntry* process);
  void Deleted(const std::string& process_id);
  void OutputMoved(const ProcessEntry& process);
  void SessionOver(const std::string& session_id) { sessions_over_.push_back(session_id); }

  // Runs after this turn's commit.
  void Then(Action action) { actions_.push_back(std::move(action)); }
  // The same for calls that are idempotent by state: carried out whether or not the commit worked.
  void ThenAlways(absl::AnyInvocable<void()> action) {
    Then([action = std::move(action)](const absl::Status&) mutable { action(); });
  }

  void FinishTurn();

  EventRing& ring() { return ring_; }
  const EventRing& ring() const { return ring_; }
  void StartAt(int64_t revision);

 private:
  using SavedSessions = std::map<std::string, std::optional<SessionEntry>>;
  struct News {
    std::set<std::string> changed;
    std::vector<std::pair<std::string, int64_t>> deleted;
    std::vector<std::string> moved;
    std::vector<std::string> sessions_over;
  };

  absl::Status Commit();
  void SaveAgain();
  void ReserveRevisions();
  bool HasWork() const;
  News TakeNews();
  void Tell(const News& news);

  Store* const store_;
  Scheduler* const scheduler_;
  ProcessTable* const table_;
  Waits* const waits_;
  Observers* const observers_;
  RequestLog* const requests_;
  EventRing ring_;

  std::vector<Action> actions_;
  std::set<std::string> changed_;
  std::vector<std::pair<std::string, int64_t>> deleted_;
  std::vector<std::string> moved_;  // as reported, perhaps more than once
  std::vector<std::string> sessions_over_;

  std::set<std::string> saved_;      // in the open transaction
  std::set<std::string> unsaved_;    // lost with a failed commit
  std::set<std::string> forgotten_;  // in the open transaction; not saved again in it
  // The same of sessions, as they were saved; absent: forgotten.
  SavedSessions saved_sessions_, unsaved_sessions_;
  bool is_save_again_set_ = false;
  int64_t reserved_revision_ = 0;  // stored, once the open transaction is
  int64_t stored_revision_ = 0;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_LEDGER_H_
