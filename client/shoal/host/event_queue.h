// What happened, from the threads that hear of it to the one that acts on it; bounded in bytes by
// asking the sources to pause.
//
//   on_frame:  return queue.Push(source, bytes, item);
//   one thread: for (auto& entry : queue.Take()) {
//                 … entry.item …
//                 if (queue.Taken(entry)) … resume entry.source …
//               }
//
// Ownership:     the caller's; outlives the callbacks that push into it.
// Thread-safety: thread-safe.
// Blocking:      Take() and TakeFor() wait for an item, or for the end of every source; the rest never blocks.
// Errors:        none.
#ifndef SHOAL_CLIENT_SHOAL_HOST_EVENT_QUEUE_H_
#define SHOAL_CLIENT_SHOAL_HOST_EVENT_QUEUE_H_

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "common/mutex.h"
#include "shoal/call.h"

namespace shoal {

template <typename T>
class EventQueue {
 public:
  struct Entry {
    T item;
    std::optional<size_t> source;  // none: it comes from no source
    size_t bytes = 0;
  };

  // `sources` are numbered from 0. `total_bytes` may wait here: each source has an equal share, but
  // 256 KiB at least and 4 MiB at most.
  EventQueue(size_t sources, size_t total_bytes)
      : limit_(std::clamp(total_bytes / std::max<size_t>(1, sources), kLeastBytes, kMostBytes)),
        living_(sources),
        waiting_(sources, 0) {}

  void Push(T item) {
    MutexLock lock(&mu_);
    entries_.push_back({std::move(item), std::nullopt, 0});
  }

  // kPause: the source has its share waiting; Taken() says when to resume it.
  Flow Push(size_t source, size_t bytes, T item) {
    MutexLock lock(&mu_);
    entries_.push_back({std::move(item), source, bytes});
    waiting_[source] += bytes;
    return waiting_[source] > limit_ ? Flow::kPause : Flow::kGoOn;
  }

  // A source has ended; `item` is the last that it has to say.
  void End(T item) {
    MutexLock lock(&mu_);
    entries_.push_back({std::move(item), std::nullopt, 0});
    --living_;
  }

  // Everything that waits, in order; waits for the first. Empty once every source has ended.
  std::vector<Entry> Take() {
    MutexLock lock(&mu_);
    mu_.Await([this]()
                  ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return !entries_.empty() || living_ == 0; });
    return std::exchange(entries_, {});
  }

  // The same, for `timeout` at most: nothing has come.
  std::optional<std::vector<Entry>> TakeFor(absl::Duration timeout) {
    MutexLock lock(&mu_);
    const auto has_news = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
      return !entries_.empty() || living_ == 0;
    };
    if (!mu_.AwaitWithTimeout(has_news, timeout)) return std::nullopt;
    return std::exchange(entries_, {});
  }

  // The entry was acted on. True: its source was paused and may go on now.
  bool Taken(const Entry& entry) {
    if (!entry.source.has_value()) return false;
    MutexLock lock(&mu_);
    size_t& waiting = waiting_[*entry.source];
    const bool was_above = waiting > limit_ / 2;
    waiting -= entry.bytes;
    return was_above && waiting <= limit_ / 2;
  }

 private:
  static constexpr size_t kLeastBytes = size_t{256} << 10;
  static constexpr size_t kMostBytes = size_t{4} << 20;

  const size_t limit_;
  Mutex mu_;
  std::vector<Entry> entries_ ABSL_GUARDED_BY(mu_);
  size_t living_ ABSL_GUARDED_BY(mu_);
  // Bytes waiting, by source; a paused source is above limit_ and goes on at half of it.
  std::vector<size_t> waiting_ ABSL_GUARDED_BY(mu_);
};

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_HOST_EVENT_QUEUE_H_
