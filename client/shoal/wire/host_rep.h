// What a Host is made of: its connection, and what is known of the agent behind it.
//
// Ownership:     the Host's. Calls hold plain pointers to it and are counted in `active`; it is
//                destroyed when there is none, never on a thread of gRPC.
// Thread-safety: thread-safe.
#ifndef SHOAL_CLIENT_SHOAL_WIRE_HOST_REP_H_
#define SHOAL_CLIENT_SHOAL_WIRE_HOST_REP_H_

#include <grpcpp/support/status.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "common/boot_time.h"
#include "common/mutex.h"
#include "shoal/host.h"
#include "shoal/wire/active_calls.h"
#include "shoal/wire/agent_clock.h"
#include "shoal/wire/connection.h"
#include "shoal/wire/overdue_watch.h"
#include "shoal/wire/retry.h"

namespace shoal {

class SharedOutput;
class SharedState;

struct Host::Rep {
  Rep(HostAddress host_address, HostOptions host_options);
  ~Rep();

  AgentIdentity Identity() const;
  // The first identity stays.
  void Pin(const std::string& agent_id, const std::string& boot_id);
  // Notes whether the host was reached, and that it has answered.
  void NoteAnswer(const grpc::Status& status);
  // A stream stands, whatever becomes of it.
  void NoteReached();
  // Since when no call has reached it; `now` if this is the first.
  BootTime BrokenSince(BootTime now);
  // Where gRPC's timers sleep, that of its next connect does, too.
  void CancelOverdue(BootTime due_before);
  // For an attempt that has a connection.
  Stubs* stubs() const { return connection.stubs(); }
  Attempt AttemptUntil(BootTime deadline, bool retry_wanted) const;

  // Constant after construction.
  const HostAddress address;
  const HostOptions options;
  const BootTime create_time;
  // Of the processes of this program: what is written to a terminal, which may stop, and the rest.
  const std::shared_ptr<SharedOutput> forwarded_output;
  const std::shared_ptr<SharedOutput> told_output;
  const std::shared_ptr<SharedState> shared_state;

  ActiveCalls active;
  const std::shared_ptr<OverdueWatch> overdue = OverdueWatch::Get();
  const int overdue_id = overdue->Add([this](BootTime due_before) { CancelOverdue(due_before); });
  AgentClock clock;
  std::atomic<bool> has_answered{false};
  std::atomic<bool> was_connected{false};  // a call was lost on its way, so an agent was there

  mutable Mutex mu;
  AgentIdentity identity ABSL_GUARDED_BY(mu);
  std::optional<BootTime> broken_since ABSL_GUARDED_BY(mu);

  Connection connection;  // last: what it tells uses the others
};

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_WIRE_HOST_REP_H_
