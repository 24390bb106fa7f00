// Brings what many streams deliver on threads of gRPC to the main thread, which may take its time.
//
// Ownership:     the caller's; outlives the subscriptions whose observers push into it.
// Thread-safety: thread-safe.
// Blocking:      Pop() until there is something or every source has ended.
#ifndef SHOAL_CLIENT_CLI_FUNNEL_H_
#define SHOAL_CLIENT_CLI_FUNNEL_H_

#include <cstddef>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "shoal/call.h"

namespace shoal::cli {

template <typename T>
class Funnel {
 public:
  explicit Funnel(int sources) : living_(sources) {}

  // kPause once more than a few megabytes wait; the source is to be resumed after the next Pop().
  Flow Push(T item, size_t size_bytes) {
    absl::MutexLock lock(&mu_);
    items_.push_back(std::move(item));
    waiting_bytes_ += size_bytes;
    return waiting_bytes_ > kMaxWaitingBytes ? Flow::kPause : Flow::kGoOn;
  }

  // One source has ended; `item` is the last that it has to say.
  void End(T item) {
    absl::MutexLock lock(&mu_);
    items_.push_back(std::move(item));
    --living_;
  }

  // Everything that waits; empty once every source has ended.
  std::vector<T> Pop() {
    absl::MutexLock lock(&mu_);
    mu_.Await(absl::Condition(this, &Funnel::HasNews));
    waiting_bytes_ = 0;
    return std::exchange(items_, {});
  }

 private:
  static constexpr size_t kMaxWaitingBytes = size_t{4} << 20;

  bool HasNews() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return !items_.empty() || living_ == 0;
  }

  absl::Mutex mu_;
  std::vector<T> items_ ABSL_GUARDED_BY(mu_);
  size_t waiting_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  int living_ ABSL_GUARDED_BY(mu_);
};

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_FUNNEL_H_
