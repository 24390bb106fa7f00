// The sessions that are not forgotten, and why the last of the others ended.
//
// Ownership:     owned by the supervisor; owns the entries.
// Thread-safety: loop thread only.
// Blocking:      never blocks.
// Errors:        NOT_FOUND (FAILED_PRECONDITION for a spawn): the session is over or unknown.
//                PERMISSION_DENIED: as Authorize says.
#ifndef SHOAL_AGENT_CORE_SESSION_TABLE_H_
#define SHOAL_AGENT_CORE_SESSION_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "agent/core/access.h"
#include "agent/core/core.h"

namespace shoal::agent {

class SessionTable {
 public:
  explicit SessionTable(Core* core) : core_(core) {}

  SessionEntry* Add(SessionEntry session);
  void Remove(const std::string& session_id);
  // Another program takes the place of the one that has opened it.
  void SetOpener(SessionEntry* session, std::optional<Opener> opener);
  // Null if it is unknown, or forgotten.
  SessionEntry* Find(const std::string& session_id) const;
  std::vector<const SessionEntry*> Living() const;  // not over
  int living() const;
  size_t CountOf(const std::string& owner) const;  // not forgotten yet
  // The same in the order of ids, from the first above `after_id`.
  void ForEachLivingFrom(const std::string& after_id,
                         absl::FunctionRef<bool(const SessionEntry&)> visit) const;
  // Those not over that were opened from the tree of this process.
  std::vector<SessionEntry*> OpenedFrom(const std::string& process_id) const;

  // Its end is told of for a while after it is forgotten.
  void RememberEnd(const std::string& session_id, absl::string_view how, int processes);
  bool HasEnded(const std::string& session_id) const { return ended_.contains(session_id); }
  // NOT_FOUND: how and when it ended, if that is known.
  absl::Status Gone(const std::string& session_id) const;

  // FAILED_PRECONDITION when it is over or unknown, or `token` is fenced; PERMISSION_DENIED when another
  // owns it. `token`: empty: the caller shows none.
  absl::StatusOr<Permit> AuthorizeSpawn(const Permit& call, const std::string& session_id,
                                        const std::string& token) const;

  // CLOCK_BOOTTIME nanoseconds after which a shim may end the session's processes if no agent
  // lives.
  int64_t DeadManOf(const std::string& session_id) const;

 private:
  void Link(SessionEntry* session);
  void Unlink(const SessionEntry* session);

  struct Ended {
    absl::Time time;
    absl::string_view how;
    int processes = 0;
  };

  Core* const core_;
  std::map<std::string, std::unique_ptr<SessionEntry>> sessions_;
  absl::flat_hash_map<std::string, size_t> by_owner_;
  std::multimap<std::string, SessionEntry*> opened_from_;  // by id of a process
  std::map<std::string, Ended> ended_;  // the last kEndedKept, to tell why a token no longer works
  std::deque<std::string> ended_order_;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_SESSION_TABLE_H_
