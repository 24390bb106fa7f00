// What happened, from the threads that hear of it to the one that acts on it; bounded in bytes by
// asking the sources to pause.
//
// Ownership:     shared by the Job and the callbacks of its calls, which may come after the Job is
//                gone.
// Thread-safety: thread-safe.
// Blocking:      Take() waits for an event; the rest never blocks.
#ifndef SHOAL_CLIENT_SHOAL_EVENT_QUEUE_H_
#define SHOAL_CLIENT_SHOAL_EVENT_QUEUE_H_

#include <cstddef>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "shoal/call.h"

namespace shoal {

class EventQueue {
 public:
  using Event = absl::AnyInvocable<void()>;

  // `sources` are numbered from 0; each may have `source_bytes` waiting here.
  EventQueue(size_t sources, size_t source_bytes) : limit_(source_bytes), waiting_(sources, 0) {}

  void Push(Event event);
  // Of a source and a size. kPause: the source has its share waiting; Taken() says when to resume
  // it.
  Flow Push(size_t source, size_t bytes, Event event);

  // All events there are, in order; waits for the first.
  std::vector<Event> Take();

  // The source's event of `bytes` was acted on. True: the source was paused and may go on now.
  bool Taken(size_t source, size_t bytes);

 private:
  const size_t limit_;
  absl::Mutex mu_;
  std::vector<Event> events_ ABSL_GUARDED_BY(mu_);
  // Bytes waiting, by source; a paused source is above limit_ and goes on at half of it.
  std::vector<size_t> waiting_ ABSL_GUARDED_BY(mu_);
};

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_EVENT_QUEUE_H_
