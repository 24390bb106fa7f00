// Slots that wait for the same thing, of which some at a time are handled: thousands at once would
// leave other calls no processor.
//
// Ownership:     owns its timer; `loop` outlives it.
// Thread-safety: loop thread only.
// Blocking:      as `handle`, for so many slots in a turn.
// Errors:        none.
#ifndef SHOAL_AGENT_OS_PACED_SLOTS_H_
#define SHOAL_AGENT_OS_PACED_SLOTS_H_

#include <cstddef>
#include <deque>
#include <functional>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/time/time.h"
#include "agent/loop/event_loop.h"

namespace shoal::agent {

class PacedSlots {
 public:
  struct Pace {
    size_t at_once = 0;
    absl::Duration between;  // zero: in the next turn
  };

  PacedSlots(EventLoop* loop, Pace pace, std::function<void(int slot)> handle)
      : loop_(loop), pace_(pace), handle_(std::move(handle)) {}
  ~PacedSlots();

  // Each slot waits once, in the order of its first Add.
  void Add(int slot);
  // Handles the first of them now, the others in turns to come. Nothing while such a turn is due.
  void Begin();

 private:
  void HandleSome();

  EventLoop* const loop_;
  const Pace pace_;
  const std::function<void(int slot)> handle_;
  std::deque<int> waiting_;
  absl::flat_hash_set<int> is_waiting_;
  std::optional<EventLoop::TimerId> next_;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OS_PACED_SLOTS_H_
