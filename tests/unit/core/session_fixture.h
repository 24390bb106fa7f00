// Sessions, and what a shim does that is told to end.
#ifndef SHOAL_TESTS_UNIT_CORE_SESSION_FIXTURE_H_
#define SHOAL_TESTS_UNIT_CORE_SESSION_FIXTURE_H_

#include <csignal>
#include <memory>
#include <optional>
#include <string>

#include "agent/core/reason.h"
#include "tests/unit/core/supervisor_fixture.h"

namespace shoal::agent {

inline bool HasReason(const absl::Status& status, absl::string_view reason) {
  return status.GetPayload(kReasonPayload) == absl::Cord(reason);
}

struct CloseReply {
  int calls = 0;
  absl::Status status;
  SessionEnd end;
};

class SessionTest : public SupervisorTest {
 protected:
  std::shared_ptr<CloseReply> Close(const SessionEntry& session, bool forget,
                                    std::optional<absl::Duration> timeout = std::nullopt) {
    auto reply = std::make_shared<CloseReply>();
    world_.supervisor->CloseSession(
        {PermitOf(), session.id, session.token, forget, std::nullopt, timeout},
        [reply](absl::StatusOr<SessionEnd> end) {
          ++reply->calls;
          reply->status = end.status();
          if (end.ok()) reply->end = *end;
        });
    world_.Turn();
    return reply;
  }
  absl::Status KeepAlive(const SessionEntry& session) {
    absl::Status status =
        world_.supervisor->KeepAlive(PermitOf(), session.id, session.token).status();
    world_.Turn();
    return status;
  }
  // What a shim that was told does.
  void Obey(const std::string& id) {
    world_.shims.BeginEnd(id);
    world_.shims.Signaled(id, SIGTERM);
    world_.shims.End(id, 0);
    world_.Turn();
  }
};

}  // namespace shoal::agent

#endif  // SHOAL_TESTS_UNIT_CORE_SESSION_FIXTURE_H_
