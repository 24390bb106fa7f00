// What the audit says of one call, from its permit to its result.
//
//  1. made      of the Permit, by UnaryCall::Begin and its like.
//  2. Decided   every rule was asked: the line "decision". Calls of AuditClass::kMerged have none.
//  3. Finished  the line "result", or "refused" where there was no decision for the call.
//
// Ownership:     a member of its call. `auditor` outlives it.
// Thread-safety: thread-safe; Decided and Finished come in any order, once each.
// Blocking:      never blocks.
// Errors:        DecidedThen tells UNAVAILABLE where the line cannot be written.
#ifndef SHOAL_AGENT_RPC_CALL_AUDIT_H_
#define SHOAL_AGENT_RPC_CALL_AUDIT_H_

#include <grpcpp/support/status.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "agent/core/access.h"
#include "agent/core/ports/process_trees.h"
#include "agent/core/supervisor.h"
#include "agent/log/audit_log.h"
#include "agent/rpc/call_facts.h"
#include "common/mutex.h"

namespace shoal::agent {

// The audit, and what it knows of the callers' programs. Of main, outlives every call.
class Auditor {
 public:
  explicit Auditor(AuditLog* log) : log_(log) {}

  AuditLog* log() const { return log_; }

  // A caller that may not make this call, whatever it is about.
  void Refused(const Caller& caller, absl::string_view method, const absl::Status& status);

  // Finds the process in whose tree the caller's program runs, for ProcessOf(). Loop thread only.
  void Find(const Permit& permit, Supervisor* supervisor, ProcessTrees* trees);
  // Its id; empty: in none, or not found yet.
  std::string ProcessOf(const Caller& caller) const;

 private:
  struct Known {
    std::weak_ptr<const SocketPeer> peer;
    std::string process_id;
  };

  AuditLog* const log_;
  mutable Mutex mu_;
  absl::flat_hash_map<const SocketPeer*, Known> known_ ABSL_GUARDED_BY(mu_);
};

class CallAudit {
 public:
  CallAudit(Auditor* auditor, const Permit& permit, absl::string_view method, CallFacts facts);

  // For a call whose request comes after it began.
  void SetFacts(CallFacts facts);

  // Not OK: the call is refused, and the result says so as well.
  void Decided(const absl::Status& status);
  // Whether the call waits for its line: use DecidedThen.
  bool IsRequired() const;
  void DecidedThen(AuditLog::Written tell);

  void Finished(const grpc::Status& status, CallResult result = {});

 private:
  // With what is known by now.
  AuditEntry Entry(absl::string_view event) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  AuditEntry DecisionOf(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  Auditor* const auditor_;
  const Caller caller_;
  const std::string method_;
  const AuditClass class_;

  mutable Mutex mu_;
  CallFacts facts_ ABSL_GUARDED_BY(mu_);
  bool decided_ ABSL_GUARDED_BY(mu_) = false;
  bool refused_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_RPC_CALL_AUDIT_H_
