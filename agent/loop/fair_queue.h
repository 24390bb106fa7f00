// Closures for one thread, the loop or one of disk work, that were posted for identities, which take turns: deficit round robin by the
// processor time that the closures of each have used, and round robin between the connections of one.
//
// What stays with the thread itself (of the loop timers, descriptors, answers) does not pass through here,
// and so is not queued behind it: at a time it takes kPerTurn at most, or kPerTurnOfSeveral where identities
// have come by turns just now, and the last closure. One that comes along and owes nothing is the next.
//
// Ownership:     created by main; outlives the thread's last closure.
// Thread-safety: Post from any thread; everything else on that thread.
// Blocking:      never blocks, but for what the closures do.
// Errors:        none.
#ifndef SHOAL_AGENT_LOOP_FAIR_QUEUE_H_
#define SHOAL_AGENT_LOOP_FAIR_QUEUE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "agent/loop/event_loop.h"
#include "common/mutex.h"

namespace shoal::agent {

class FairQueue {
 public:
  using Closure = EventLoop::Closure;
  // Runs a closure on the thread, later.
  using ToThread = std::function<void(Closure)>;
  // The processor time of that thread.
  using CpuClock = std::function<absl::Duration()>;

  static constexpr absl::Duration kPerTurn = absl::Milliseconds(4);
  static constexpr absl::Duration kPerTurnOfSeveral = absl::Milliseconds(1);
  static constexpr absl::Duration kSeveralFor = absl::Seconds(1);
  static constexpr absl::Duration kQuantum = absl::Milliseconds(1);

  explicit FairQueue(EventLoop* loop, CpuClock clock = ThreadCpuTime);
  explicit FairQueue(ToThread to_thread, CpuClock clock = ThreadCpuTime);

  // Runs `closure` in a turn to come. Closures of one connection of one identity run in their order.
  void Post(std::string identity, std::string connection, Closure closure);

  // What the loop did at the end of this turn is charged to those whose closures ran in it.
  void ChargeTurnEnd(absl::Duration cpu);

  static absl::Duration ThreadCpuTime();

 private:
  struct Task {
    std::string identity;
    std::string connection;
    Closure closure;
  };
  using Connection = std::pair<std::string, std::deque<Closure>>;
  struct Share {
    std::deque<Connection> connections;  // that have closures, the next one first
    absl::Duration credit;  // may be used before the others have a turn; negative: owed
    absl::Duration used_in_turn;
    absl::Duration idle_since;  // by the clock
  };

  void Run();
  void TakeIncoming();
  void RunSome();
  void Enter(Task task);
  // Runs closures of the identity while it has credit, or until `end`; the time by then.
  absl::Duration RunShare(const std::string& identity, Share* share, absl::Duration now,
                          absl::Duration end);

  const ToThread to_thread_;
  const CpuClock clock_;

  Mutex mu_;
  std::vector<Task> incoming_ ABSL_GUARDED_BY(mu_);
  bool is_posted_ ABSL_GUARDED_BY(mu_) = false;  // Run is, or will be

  // That thread only.
  absl::flat_hash_map<std::string, Share> shares_;
  std::deque<std::string> turns_;         // identities that have closures, the next one first
  std::ptrdiff_t newcomers_ = 0;          // so many of the first have come along and owe nothing
  std::vector<std::string> ran_in_turn_;  // since ChargeTurnEnd
  std::string last_identity_;             // that has posted
  absl::Duration several_until_;          // by the clock: another one has
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_LOOP_FAIR_QUEUE_H_
