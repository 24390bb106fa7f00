// A session is given to another client of its owner, which has lost the token, or whose program was killed.
//
// Ownership:     owned by the supervisor; the entries are in SessionTable.
// Thread-safety: loop thread only.
// Blocking:      never blocks.
// Errors:        NOT_FOUND: the session is over or unknown. PERMISSION_DENIED: it belongs to another identity.
//                FAILED_PRECONDITION, reason SESSION_IN_USE: it was renewed too lately; FENCED: the repeat of a
//                takeover after which there was another one.
// Story:         1 the token is changed, the one before fenced, the lease renewed, the caller its opener; the
//                decision joins the row in the same transaction → 2 after the commit the token is told. A
//                commit that fails undoes 1, and the repeat is carried out. In between a second takeover waits, so
//                that what is undone is what was there.
#ifndef SHOAL_AGENT_CORE_TAKEOVERS_H_
#define SHOAL_AGENT_CORE_TAKEOVERS_H_

#include <string>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "agent/core/core.h"
#include "agent/core/session_table.h"
#include "agent/core/sessions.h"

namespace shoal::agent {

class Takeovers {
 public:
  Takeovers(Core* core, SessionTable* table, Sessions* sessions)
      : core_(core), table_(table), sessions_(sessions) {}

  // Calls back after the commit; the entry has the token.
  void TakeOver(TakeoverCommand command, OpenCallback done);

 private:
  absl::Status Check(const TakeoverCommand& command) const;
  void Apply(const TakeoverCommand& command, SessionEntry* session);
  void Answer(const TakeoverCommand& command, OpenCallback& done) const;

  Core* const core_;
  SessionTable* const table_;
  Sessions* const sessions_;
  absl::flat_hash_set<std::string> uncommitted_;  // sessions taken over in the open transaction
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_TAKEOVERS_H_
