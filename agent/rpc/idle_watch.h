// Ends an idle agent: no living process, no session, no call and no connection for a while.
//
// Ownership:     created by main with `on_idle`; observes the supervisor, which outlives it.
// Thread-safety: loop thread only, or before the loop runs.
// Wake-ups:      one per `span`, and none when it is not used.
#ifndef SHOAL_AGENT_RPC_IDLE_WATCH_H_
#define SHOAL_AGENT_RPC_IDLE_WATCH_H_

#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "agent/rpc/edge.h"

namespace shoal::agent {

class IdleWatch final : public ProcessObserver {
 public:
  IdleWatch(const Edge* edge, absl::Duration span, absl::AnyInvocable<void()> on_idle);
  ~IdleWatch() override;

  void OnChanged(const ProcessEntry& process) override;
  void OnDeleted(const std::string& id, int64_t revision) override;
  void OnOutput(const ProcessEntry& process) override;
  void OnSessionOver(const std::string& session_id) override;
  void OnTurnEnd() override;

 private:
  bool IsBusy() const;
  void Arm(absl::Duration delay);
  void OnDue();
  void Touch();

  const Edge* const edge_;
  const Permit permit_;  // of this agent itself
  const absl::Duration span_;
  absl::AnyInvocable<void()> on_idle_;

  EventLoop::TimerId timer_ = 0;
  absl::Duration last_busy_;  // CLOCK_BOOTTIME
  uint64_t calls_seen_ = 0;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_RPC_IDLE_WATCH_H_
