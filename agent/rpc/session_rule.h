// What a call about a session is still asked on the loop before its decision is noted in the audit.
//
// Ownership:     owns nothing.
// Thread-safety: loop thread only.
// Blocking:      never blocks.
// Errors:        as Authorize. OK for a session that is unknown or over: the core answers that.
#ifndef SHOAL_AGENT_RPC_SESSION_RULE_H_
#define SHOAL_AGENT_RPC_SESSION_RULE_H_

#include <string>

#include "absl/status/status.h"
#include "agent/core/access.h"
#include "agent/rpc/edge.h"

namespace shoal::agent {

// For the verb of the permit. No session, no rule. `token`: empty: the caller shows none.
absl::Status AskInSession(const Edge& edge, const Permit& permit, const std::string& session_id,
                          const std::string& token = "");
// The same for a caller that shows a token.
absl::Status AskByToken(const Edge& edge, const Permit& permit, const std::string& session_id,
                        const std::string& token);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_RPC_SESSION_RULE_H_
