// An event that happens once, and threads that wait for it.
//
// Ownership:     the waiting side's; it may be destroyed as soon as a wait has returned.
// Thread-safety: thread-safe.
// Blocking:      the waits, until Notify() was called.
// Errors:        none.
#ifndef SHOAL_COMMON_NOTIFICATION_H_
#define SHOAL_COMMON_NOTIFICATION_H_

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "common/mutex.h"

namespace shoal {

class Notification {
 public:
  void Notify() {
    MutexLock lock(&mu_);
    is_notified_ = true;
  }

  bool HasBeenNotified() const {
    MutexLock lock(&mu_);
    return is_notified_;
  }

  void WaitForNotification() const {
    MutexLock lock(&mu_);
    mu_.Await([this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return is_notified_; });
  }

  // False: `timeout` passed first, on the monotonic clock.
  bool WaitForNotificationWithTimeout(absl::Duration timeout) const {
    MutexLock lock(&mu_);
    return mu_.AwaitWithTimeout(
        [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return is_notified_; }, timeout);
  }

 private:
  mutable Mutex mu_;
  bool is_notified_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace shoal

#endif  // SHOAL_COMMON_NOTIFICATION_H_
