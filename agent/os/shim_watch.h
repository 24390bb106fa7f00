// Knows which shims live, and says when one is gone.
//
// A child of this agent is watched by its pidfd and reaped; a shim of an agent before this one by a
// pidfd whose start time was checked. Where neither can be had (no descriptor left, no /proc, a
// shim that has not written its pid yet) its lock is asked every 100 ms until it can. The last
// descriptors are left to clients and output: shims can do without. A process
// that was asked for a fork lets go of the lock before it says why it could not: until it has
// answered, only a lock that was free 100 ms ago, too, is a death.
//
// Ownership:     owns pidfds and its timer; `loop` and `records` outlive it.
// Thread-safety: loop thread only.
// Blocking:      never blocks.
#ifndef SHOAL_AGENT_OS_SHIM_WATCH_H_
#define SHOAL_AGENT_OS_SHIM_WATCH_H_

#include <sys/types.h>

#include <optional>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "agent/loop/event_loop.h"
#include "agent/os/records.h"
#include "agent/os/spare_descriptors.h"
#include "common/unique_fd.h"

namespace shoal::agent {

class ShimWatch {
 public:
  // `on_death(slot)` is called once per shim, from the loop; the slot is no longer watched then.
  ShimWatch(EventLoop* loop, const Records* records, absl::AnyInvocable<void(int slot)> on_death);
  ~ShimWatch();

  void AddChild(int slot, pid_t pid);
  // REQUIRES: the slot was seen locked.
  // `is_readable`: else no half tells its PID, so that its lock is asked, every second.
  void AddRecovered(int slot, bool is_readable);
  // A shim that another process was asked to fork: its lock is held until it runs or cannot be
  // started any more.
  void AddForked(int slot);
  // That process has answered, or cannot answer any more: the lock alone counts from now on.
  void NoteAnswered(int slot);
  // The shim may have written its half by now, or have ended.
  void MaybeReach(int slot);
  // No shim was started and none will be. Not told as a death.
  void Drop(int slot) { Forget(slot); }

  bool IsAlive(int slot) const { return shims_.contains(slot); }
  // SIGUSR1: look at the agent half. A shim that cannot be reached yet is woken as soon as it can.
  void Wake(int slot);
  // SIGKILL, by its pidfd. Its death is told as any. REQUIRES: nothing of its work can be lost.
  void End(int slot);

 private:
  struct Shim {
    pid_t child = 0;  // 0: not a child of this agent
    UniqueFd pidfd;
    bool wake = false;          // as soon as it is reached
    bool lock_only = false;     // its halves cannot be read
    bool unanswered = false;    // of a fork
    bool was_unlocked = false;  // at the poll before
  };
  absl::StatusOr<UniqueFd> Open(int slot, const Shim& shim) const;
  bool Reach(int slot, Shim* shim);
  bool SignalUnwatched(int slot, const Shim& shim, int number);
  bool IsGone(int slot, const Shim& shim) const;
  bool HasNoAnswer(int slot, Shim* shim) const;
  void OnReadable(int slot);
  void Forget(int slot);
  void Poll();
  void ArmPoll();

  EventLoop* const loop_;
  const Records* const records_;
  absl::AnyInvocable<void(int slot)> on_death_;
  absl::flat_hash_map<int, Shim> shims_;
  absl::flat_hash_set<int> unreached_;
  SpareDescriptors spares_;  // to wake a shim by, that is not watched by one
  bool is_short_ = false;    // of descriptors, at the last try: the next poll tries again
  std::optional<EventLoop::TimerId> poll_;
  int polls_ = 0;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OS_SHIM_WATCH_H_
