// Sessions: leases that own processes; how they begin, are renewed and end.
//
// Ownership:     owned by the supervisor; the entries are in SessionTable.
// Thread-safety: loop thread only.
// Blocking:      never blocks.
// Errors:        NOT_FOUND (FAILED_PRECONDITION for a spawn): the session is over or unknown.
//                PERMISSION_DENIED: as Authorize says.
// End:           Close, a missed renewal, or the end of the managed process in whose tree the opener
//                runs → over (nothing new may start) → every living process is ended (Terminator),
//                kEndsPerTurn in a turn → once all are over the session is forgotten, and its
//                processes with it if the client said so.
// Lateness:      a timer that fires late because this agent was stopped or starved ends nothing:
//                the lease gets its full TTL again.
// Stopped:       a stopped opener (SIGSTOP, a breakpoint) renews nothing: while it is seen stopped its
//                leases are renewed for it, half a TTL before they lapse.
#ifndef SHOAL_AGENT_CORE_SESSIONS_H_
#define SHOAL_AGENT_CORE_SESSIONS_H_

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "agent/core/core.h"
#include "agent/core/ports/peers.h"
#include "agent/core/ports/process_trees.h"
#include "agent/core/ports/shim_slots.h"
#include "agent/core/retention.h"
#include "agent/core/session_table.h"
#include "agent/core/terminator.h"

namespace shoal::agent {

class Sessions {
 public:
  Sessions(Core* core, const Ports& ports, SessionTable* table, Terminator* terminator,
           Retention* retention)
      : core_(core),
        slots_(ports.slots),
        trees_(ports.trees),
        peers_(ports.peers),
        table_(table),
        terminator_(terminator),
        retention_(retention) {}

  void Open(OpenSessionCommand command, OpenCallback done);
  absl::StatusOr<absl::Duration> KeepAlive(const Permit& permit, const std::string& session_id,
                                           const std::string& token);
  void Close(const CloseSessionCommand& command, CloseCallback done);

  // Takes over a stored session: full TTL, or goes on ending it.
  void Restore(SessionEntry session);

  // A process is of its session again: it ends if that is over.
  void TakeBack(ProcessEntry* process);
  void OnTreeEmpty(const ProcessEntry& process);
  void OnProcessOver(const ProcessEntry& process);
  int LiveProcessesOf(const std::string& session_id) const;

  // For a takeover, too. Its processes are told in slices, as of `caller`.
  void Renew(const Caller& caller, SessionEntry* session);
  std::optional<Opener> OpenerOf(const Caller& caller) const;

 private:
  // Opens that an older agent served are in the log of this one.
  void AdoptRequest(const SessionEntry& session);
  void Watch(const std::string& session_id);
  void OnTimer(const std::string& session_id, absl::Duration due);
  void Lapse(SessionEntry* session);
  // `opener`: the process whose end this is.
  void EndWithOpener(SessionEntry* session, const ProcessEntry& opener);
  // The session may be gone afterwards, if nothing of it has started.
  int EndAll(SessionEntry* session, Cause cause, std::string requested_by,
             std::optional<absl::Duration> grace);
  void EndSome();
  // Makes DETACHED what the session's end would end, of processes that have ended. Their ids.
  std::vector<std::string> Keep(const std::string& session_id);
  struct Closing;
  bool CloseNext(Closing* closing);  // looks at the next process; false: that was the last
  void MaybeForget(const std::string& session_id);

  Core* const core_;
  ShimSlots* const slots_;
  ProcessTrees* const trees_;
  Peers* const peers_;
  SessionTable* const table_;
  Terminator* const terminator_;
  Retention* const retention_;
  std::deque<std::pair<std::string, EndWish>> to_end_;
  bool end_scheduled_ = false;
  absl::flat_hash_set<std::string> renewing_;  // sessions whose processes are being told
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_SESSIONS_H_
