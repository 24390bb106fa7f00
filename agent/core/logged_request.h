// Calls that change something are of three types:
//
//   logged               LoggedCall: carried out once; a repeat is answered with what the first one
//                        did. Undone with a failed commit, so that the repeat is carried out.
//                        Spawn, Signal, Update, Delete, OpenSession, Takeover, CreateTemplate,
//                        DeleteTemplates; a Close that keeps descendants would be one.
//   idempotent by state  carried out by each repeat, and whether or not the commit works
//                        (Ledger::ThenAlways): Terminate, every other Close, KeepAlive. Their
//                        commands have no LoggedCall, so that RequestLog cannot be asked.
//   idempotent by offset never logged, never stored: Acknowledge, pieces of blobs.
//
// Ownership:     plain data.
// Thread-safety: as the holder's.
// Blocking:      never blocks.
// Errors:        none.
#ifndef SHOAL_AGENT_CORE_LOGGED_REQUEST_H_
#define SHOAL_AGENT_CORE_LOGGED_REQUEST_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "agent/core/access.h"

namespace shoal::agent {

// What makes a call a logged one.
struct LoggedCall {
  Permit permit;
  std::string request_id = {};  // checked: a UUIDv7
  std::string fingerprint =
      {};  // SHA-256 of the whole request but its request_id and how to answer

  const std::string& owner() const { return permit.owner(); }
};

struct RequestLimits {
  size_t rows_per_owner = 20'000;
  // Also how far ahead of the agent's clock a request_id may be.
  absl::Duration kept = absl::Minutes(5);
};

// Stored: only ever appended to.
enum class RequestKind {
  kUnknown,  // kept by an older agent, or its row is damaged
  kSpawn,
  kSignal,
  kUpdate,
  kDelete,
  kOpenSession,
  kCreateTemplate,
  kDeleteTemplates,
  kTakeover,
  kLast = kTakeover,
};

struct LoggedOutcome {
  std::string process_id;
  absl::Status status;
};

// The outcome of a call.
struct Decision {
  absl::Status status = {};  // not OK: the whole call was refused
  std::string made_id = {};  // the session or template of kOpenSession, kTakeover, kCreateTemplate
  std::vector<LoggedOutcome> outcomes = {};  // of kSignal, kUpdate, kDelete, kDeleteTemplates
};

// What is known of one call.
struct LoggedRequest {
  std::string owner;
  std::string request_id;
  RequestKind kind = RequestKind::kUnknown;
  std::string fingerprint;  // empty: kept by an older agent, fits any
  std::string session_id;   // the row goes with it; empty: of no session
  absl::Time log_time;
  bool is_decided = false;  // else an intent
  Decision decision;
  // kSpawn: items whose process was never started, so that a repeat starts them. The process of any
  // other item that has none was deleted.
  std::vector<int> unstarted;
};

// Rows of this owner and session up to this time, by their request_id, may be gone. Of the owner
// "": rows of every owner, from before there was a log.
struct RequestHorizon {
  std::string owner;
  std::string session_id;
  absl::Time time;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_LOGGED_REQUEST_H_
