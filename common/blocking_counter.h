// Waits until a number of things has happened, such as the answers to concurrent calls.
//
// Ownership:     the waiting side's; it may be destroyed as soon as Wait() has returned.
// Thread-safety: thread-safe.
// Blocking:      Wait(), until DecrementCount() was called `count` times.
// Errors:        none.
#ifndef SHOAL_COMMON_BLOCKING_COUNTER_H_
#define SHOAL_COMMON_BLOCKING_COUNTER_H_

#include "absl/base/thread_annotations.h"
#include "common/mutex.h"

namespace shoal {

class BlockingCounter {
 public:
  explicit BlockingCounter(int count) : count_(count) {}

  void DecrementCount() {
    MutexLock lock(&mu_);
    --count_;
  }

  void Wait() {
    MutexLock lock(&mu_);
    mu_.Await([this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return count_ <= 0; });
  }

 private:
  Mutex mu_;
  int count_ ABSL_GUARDED_BY(mu_);
};

}  // namespace shoal

#endif  // SHOAL_COMMON_BLOCKING_COUNTER_H_
