// The one owner of "never twice": (owner, request_id) → what the call was and what it did.
//
// Ownership:     by Core. Owns the rows; the store has them, too.
// Thread-safety: loop thread only.
// Blocking:      never blocks.
// Errors:        Begin refuses: ALREADY_EXISTS (the request_id of another call),
//                FAILED_PRECONDITION (too old, from the future, or its outcome is not known any
//                more).
//
// Story:         1 Begin: a known call is answered from its row; a new one gets a row in the open
//                transaction → 2 the caller carries it out, in this turn or after its commit
//                → 3 Decide: the outcome joins the row. OnCommit: rows that were new in a
//                transaction that failed are gone; what changed of others is saved again later.
// Rows go:       with their session. Others not while a process of theirs is known, and not within
//                `kept`. Beyond that, above `rows_per_owner`, the oldest by request_id go, and the
//                horizon of their owner and session moves up to them: what is at or below it and
//                has no row is refused, since it may have been carried out. A horizon for each
//                session, since a busy one passes through the whole log in seconds, and must not
//                make calls outside it too old.
#ifndef SHOAL_AGENT_CORE_REQUEST_LOG_H_
#define SHOAL_AGENT_CORE_REQUEST_LOG_H_

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "agent/core/logged_request.h"
#include "agent/core/ports/clock.h"
#include "agent/core/ports/store.h"

namespace shoal::agent {

class RequestLog {
 public:
  RequestLog(Store* store, Clock* clock, RequestLimits limits)
      : store_(store), clock_(clock), limits_(limits) {}

  // Null: the call is new, and has a row now; the caller carries it out. Else the row of the first
  // one, valid until the next call here.
  absl::StatusOr<const LoggedRequest*> Begin(RequestKind kind, const LoggedCall& call,
                                             const std::string& session_id = "");
  // Null: there is none, since its commit failed.
  const LoggedRequest* Find(const LoggedCall& call) const;
  // The first decision stays. A refusal that the next try may not meet (UNAVAILABLE,
  // RESOURCE_EXHAUSTED, a missing blob) is not kept: see Forget.
  void Decide(const LoggedCall& call, Decision decision);
  // The call has changed nothing: a repeat is carried out.
  void Forget(const LoggedCall& call);

  // The row of a Spawn is kept while a process of it is known. `unstarted`: the process was never
  // started, so that a repeat of the call starts it.
  void AddProcess(const ProcessEntry& process);
  void RemoveProcess(const ProcessEntry& process, bool unstarted);

  void ForgetSession(const SessionEntry& session);

  // For recovery: the first of a request stays. `Adopt`: a row that the store lacks.
  void Restore(LoggedRequest request);
  void Restore(const RequestHorizon& horizon);
  void Adopt(LoggedRequest request);

  // For the ledger, in this order: Save puts what has changed into the store, each row once; OnCommit
  // has the result; SaveAgain, a while after a failure, puts there what was lost with it.
  bool IsDirty() const { return !touched_.empty() || !touched_horizons_.empty(); }
  void Save();
  void OnCommit(const absl::Status& committed);
  void SaveAgain();

 private:
  using Key = std::pair<std::string, std::string>;    // owner, request_id
  using Order = std::pair<absl::Time, std::string>;   // time in the request_id, request_id
  using Scope = std::pair<std::string, std::string>;  // owner, session_id
  struct Row {
    LoggedRequest request;
    absl::Time id_time;
    int processes = 0;
    size_t weight = 1;    // as rows_per_owner counts it: the outcomes of a bulk call are large
    bool is_new = false;  // in the open transaction
  };
  // Rows without processes, by age.
  struct Owner {
    size_t weight = 0;
    std::set<Order> of_sessions;
    std::set<Order> others;
  };

  absl::Status CheckNew(const LoggedCall& call, absl::Time id_time,
                        const std::string& session_id) const;
  absl::Time IdTimeOf(const std::string& request_id) const;
  Row* FindRow(const std::string& owner, const std::string& request_id) const;
  Row* Add(LoggedRequest request);
  void Erase(const Key& key);  // and leaves the store alone
  std::set<Order>& OrderOf(const Row& row);
  void Link(const Row& row);
  void Unlink(const Row& row);
  void Touch(const Row& row) { touched_.insert({row.request.owner, row.request.request_id}); }
  void Drop(const Key& key);
  Row* OldestOf(const std::string& owner, const Owner& of) const;
  void LetOldestGo(const std::string& owner);

  Store* const store_;
  Clock* const clock_;
  const RequestLimits limits_;
  absl::flat_hash_map<Key, std::unique_ptr<Row>> rows_;
  absl::flat_hash_map<std::string, Owner> owners_;
  absl::flat_hash_map<std::string, std::set<Key>> by_session_;
  absl::flat_hash_map<Scope, absl::Time> horizons_;

  // To be saved, or in the open transaction; and lost with one that failed.
  std::set<Key> touched_, unsaved_;
  std::set<Scope> touched_horizons_, unsaved_horizons_;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_REQUEST_LOG_H_
