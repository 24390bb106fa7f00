#include "shoal/event_queue.h"

#include <utility>

namespace shoal {

void EventQueue::Push(Event event) {
  absl::MutexLock lock(&mu_);
  events_.push_back(std::move(event));
}

Flow EventQueue::Push(size_t source, size_t bytes, Event event) {
  absl::MutexLock lock(&mu_);
  events_.push_back(std::move(event));
  waiting_[source] += bytes;
  return waiting_[source] > limit_ ? Flow::kPause : Flow::kGoOn;
}

std::vector<EventQueue::Event> EventQueue::Take() {
  absl::MutexLock lock(&mu_);
  auto has_events = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return !events_.empty(); };
  mu_.Await(absl::Condition(&has_events));
  return std::exchange(events_, {});
}

bool EventQueue::Taken(size_t source, size_t bytes) {
  absl::MutexLock lock(&mu_);
  bool was_above = waiting_[source] > limit_ / 2;
  waiting_[source] -= bytes;
  return was_above && waiting_[source] <= limit_ / 2;
}

}  // namespace shoal
