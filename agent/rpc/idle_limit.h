// Ends a call on which the client sends, and has sent nothing for a while: it holds one of its identity's streams.
//
// Ownership:     shared by its call and, until Stop(), the loop. `edge` outlives it; the call need not.
// Thread-safety: thread-safe.
// Blocking:      never blocks.
// Wake-ups:      one of the loop for each `Edge::idle_call_limit`.
#ifndef SHOAL_AGENT_RPC_IDLE_LIMIT_H_
#define SHOAL_AGENT_RPC_IDLE_LIMIT_H_

#include <memory>

#include "absl/base/thread_annotations.h"
#include "agent/rpc/edge.h"
#include "agent/rpc/open_calls.h"
#include "common/boot_time.h"
#include "common/mutex.h"

namespace shoal::agent {

class IdleLimit : public std::enable_shared_from_this<IdleLimit> {
 public:
  static std::shared_ptr<IdleLimit> Begin(const Edge* edge, std::weak_ptr<OpenCall> call);

  // The client has sent something, or was answered. `is_waiting`: for the agent, which is no idling.
  void Note(bool is_waiting);
  // The call is over. To be called once.
  void Stop();

 private:
  IdleLimit(const Edge* edge, std::weak_ptr<OpenCall> call);

  // Loop thread.
  void Arm(absl::Duration delay);
  void OnDue();

  const Edge* const edge_;
  const std::weak_ptr<OpenCall> call_;
  EventLoop::TimerId timer_ = 0;  // of the loop thread

  Mutex mu_;
  BootTime noted_ ABSL_GUARDED_BY(mu_);
  bool is_waiting_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_RPC_IDLE_LIMIT_H_
