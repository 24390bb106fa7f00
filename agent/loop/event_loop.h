// The one thread that owns the agent's state: descriptors, timers and closures from other threads.
//
// Ownership:     created by main; outlives everything that posts to it. Does not own watched fds.
// Thread-safety: Post and Stop from any thread; everything else on the loop thread, or before Run.
// Blocking:      Run blocks until Stop; handlers must not block.
// Turns:         epoll → all ready handlers, due timers, posted closures → the turn-end hook, once.
// Wake-ups:      none at rest: no tick, the timerfd is armed only for the nearest timer.
#ifndef SHOAL_AGENT_LOOP_EVENT_LOOP_H_
#define SHOAL_AGENT_LOOP_EVENT_LOOP_H_

#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/mutex.h"
#include "common/unique_fd.h"

namespace shoal::agent {

class EventLoop {
 public:
  using Closure = absl::AnyInvocable<void()>;
  using TimerId = uint64_t;

  static absl::StatusOr<std::unique_ptr<EventLoop>> Create();

  // Runs `closure` in a turn to come, never before returning. Closures of one thread run in their
  // order.
  void Post(Closure closure);

  // Calls `handler(epoll events)` while `fd` is ready for `events` (level-triggered). The handler
  // may call Unwatch, also for itself. ALREADY_EXISTS: `fd` is watched; a regular file cannot be.
  absl::Status Watch(int fd, uint32_t events, absl::AnyInvocable<void(uint32_t)> handler);
  // For other events from here on; needs no memory, and so cannot fail. REQUIRES: `fd` is watched.
  void Rewatch(int fd, uint32_t events);
  // Before `fd` is closed. Its handler does not run again, not even for events already seen.
  void Unwatch(int fd);

  // `delay` counts on CLOCK_BOOTTIME; zero or less means the next turn.
  TimerId After(absl::Duration delay, Closure closure);
  void Cancel(TimerId timer);

  // Calls `on_turn_end` at the end of every turn in which something ran. REQUIRES: not running. May
  // be called again after it has returned.
  void Run(absl::FunctionRef<void()> on_turn_end = [] {});
  void Stop();  // Run returns after the turn; closures posted before it have run.

 private:
  using Handler = absl::AnyInvocable<void(uint32_t)>;
  struct Watched {
    uint32_t generation = 0;
    std::shared_ptr<Handler> handler;  // shared: a handler may unwatch itself while it runs
  };

  EventLoop(UniqueFd epoll, UniqueFd wake, UniqueFd timer);
  bool RunTurn(absl::FunctionRef<void()> on_turn_end);  // false: stop
  void DrainOwn(uint64_t tag);
  bool Dispatch(uint64_t tag, uint32_t events);
  bool RunDueTimers();
  void ArmTimer();
  void Wake();

  // Constant after construction.
  const UniqueFd epoll_, wake_, timer_;

  Mutex mu_;
  std::vector<Closure> posted_ ABSL_GUARDED_BY(mu_);
  bool stop_ ABSL_GUARDED_BY(mu_) = false;

  // Loop thread only.
  absl::flat_hash_map<int, Watched> handlers_;
  uint32_t last_generation_ = 0;
  std::map<std::pair<int64_t, TimerId>, Closure> timers_;  // by CLOCK_BOOTTIME nanoseconds
  absl::flat_hash_map<TimerId, int64_t> timer_times_;
  TimerId last_timer_ = 0;
  int64_t armed_ns_ = 0;  // 0 = not armed
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_LOOP_EVENT_LOOP_H_
