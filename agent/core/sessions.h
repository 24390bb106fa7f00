// Sessions: leases that own processes.
//
// Ownership:     owns the entries; by the supervisor. Thread-safety: loop thread only. Blocking:
//                never. Story of an end:  Close or a missed renewal → over (nothing new may start)
//                → every living process is ended (Ender), kEndsPerTurn in a turn → once all are
//                over: forgotten if the client said so, the session with them.
// Lateness:      a timer that fires late because this agent was stopped or starved ends nothing:
//                the lease gets its full TTL again.
#ifndef SHOAL_AGENT_CORE_SESSIONS_H_
#define SHOAL_AGENT_CORE_SESSIONS_H_

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/core/core.h"
#include "agent/core/ender.h"

namespace shoal::agent {

class Sessions {
 public:
  // `remove` deletes a process that is over.
  Sessions(Core* core, Ender* ender, std::function<void(const std::string& id)> remove)
      : core_(core), ender_(ender), remove_(std::move(remove)) {}

  void Open(OpenSessionCommand command,
            absl::AnyInvocable<void(absl::StatusOr<const SessionEntry*>)> done);
  absl::StatusOr<absl::Duration> KeepAlive(const std::string& session_id, const std::string& token);
  void Close(const std::string& session_id, const std::string& token, bool forget,
             std::optional<absl::Duration> grace, std::optional<absl::Duration> timeout,
             absl::AnyInvocable<void(absl::StatusOr<SessionEnd>)> done);

  // Takes over a stored session: full TTL, or goes on ending it.
  void Restore(SessionEntry session);

  // OK, FAILED_PRECONDITION when it is over or unknown, PERMISSION_DENIED when another owns it.
  absl::Status CheckMaySpawn(const std::string& session_id, const std::string& owner) const;
  // CLOCK_BOOTTIME nanoseconds after which a shim may end the session's processes if no agent
  // lives.
  int64_t DeadManOf(const std::string& session_id) const;

  void OnProcessOver(const ProcessEntry& process);
  std::vector<const SessionEntry*> Living() const;
  int LiveProcessesOf(const std::string& session_id) const;

 private:
  struct Ended {
    absl::Time time;
    absl::string_view how;
    int processes = 0;
  };

  absl::Status CheckToken(const std::string& session_id, const std::string& token) const;
  absl::Status Gone(const std::string& session_id) const;
  void Renew(SessionEntry* session);
  void Watch(const std::string& session_id);
  void OnTimer(const std::string& session_id, absl::Duration due);
  // The session may be gone afterwards, if nothing of it has started.
  int EndAll(SessionEntry* session, Cause cause, std::string requested_by,
             std::optional<absl::Duration> grace);
  void EndSome();
  void MaybeForget(const std::string& session_id);
  void RememberEnd(const std::string& session_id, absl::string_view how, int processes);

  Core* const core_;
  Ender* const ender_;
  const std::function<void(const std::string& id)> remove_;
  std::map<std::string, std::unique_ptr<SessionEntry>> sessions_;
  std::map<std::string, Ended> ended_;  // the last kEndedKept, to tell why a token no longer works
  std::deque<std::string> ended_order_;
  std::deque<std::pair<std::string, EndWish>> to_end_;
  bool end_scheduled_ = false;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_SESSIONS_H_
