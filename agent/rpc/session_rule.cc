#include "agent/rpc/session_rule.h"

namespace shoal::agent {

absl::Status AskInSession(const Edge& edge, const Permit& permit, const std::string& session_id,
                          const std::string& token) {
  if (!token.empty()) return AskByToken(edge, permit, session_id, token);
  const SessionEntry* const session = edge.supervisor->FindSession(permit, session_id);
  if (session == nullptr || session->over) return absl::OkStatus();
  return Authorize(permit.caller(), permit.verb(), Target::Session(*session)).status();
}

absl::Status AskByToken(const Edge& edge, const Permit& permit, const std::string& session_id,
                        const std::string& token) {
  const SessionEntry* const session = edge.supervisor->FindSession(permit, session_id);
  if (session == nullptr || session->over) return absl::OkStatus();
  return Authorize(permit.caller(), permit.verb(), Target::Session(*session, token)).status();
}

}  // namespace shoal::agent
