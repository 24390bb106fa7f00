// List of sessions, in pages.
//
// Thread-safety: loop thread only.
// Blocking:      never blocks; in slices, see Slices.
#ifndef SHOAL_AGENT_RPC_SESSION_LIST_H_
#define SHOAL_AGENT_RPC_SESSION_LIST_H_

#include <memory>
#include <string>

#include "agent/rpc/edge.h"
#include "agent/rpc/unary_call.h"
#include "shoal/v1/session_service.pb.h"

namespace shoal::agent {

// A page ends at 1,000 sessions, or `page_size` if that is not 0 and less, and before it would
// exceed 2 MiB.
void AnswerSessions(const Edge* edge, const Permit& permit, std::string after_id, int page_size,
                    const std::shared_ptr<UnaryCall<v1::SessionServiceListResponse>>& call);

// The one of this id, if it is not over.
void AnswerSession(const Edge* edge, const Permit& permit, const std::string& id,
                   const std::shared_ptr<UnaryCall<v1::SessionServiceListResponse>>& call);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_RPC_SESSION_LIST_H_
