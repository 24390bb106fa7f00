// A mutex that clang's thread-safety analysis and the thread sanitizer see, with waits for a
// condition. In place of absl::Mutex: Debian's Abseil is not instrumented, so that the sanitizer
// sees no order between its holders, and its timed waits follow the wall clock.
//
// Ownership:     a member of what it guards, destroyed when no thread holds it or waits for it.
// Thread-safety: thread-safe.
// Blocking:      Lock() while another thread holds it; Await() until the condition holds.
// Errors:        none.
#ifndef SHOAL_COMMON_MUTEX_H_
#define SHOAL_COMMON_MUTEX_H_

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"

namespace shoal {

class ABSL_LOCKABLE Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION();
  // Lets every thread that waits in Await() check its condition again, so that no change has to be
  // signalled.
  void Unlock() ABSL_UNLOCK_FUNCTION();

  // Gives the mutex away, as Unlock() does, until `condition()` is true. The condition is called with
  // the mutex held, at once and after each Unlock(): it is quick, and reads only what this mutex guards or the
  // calling thread owns.
  template <typename Condition>
  void Await(const Condition& condition) ABSL_EXCLUSIVE_LOCKS_REQUIRED(this);
  // False: `timeout` passed on the monotonic clock, and the condition is still false.
  template <typename Condition>
  bool AwaitWithTimeout(const Condition& condition, absl::Duration timeout)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(this);

 private:
  using SteadyTime = std::chrono::steady_clock::time_point;

  static SteadyTime Deadline(absl::Duration timeout);
  // Has every waiting thread check its condition when it gets the mutex.
  void TellWaiting();
  void WaitForUnlock() ABSL_EXCLUSIVE_LOCKS_REQUIRED(this);
  // False: the deadline has passed.
  bool WaitForUnlockUntil(SteadyTime deadline) ABSL_EXCLUSIVE_LOCKS_REQUIRED(this);

  std::mutex mutex_;
  std::condition_variable unlocked_;
  int waiting_ = 0;  // threads in WaitForUnlock…(); guarded by mutex_
};

// Holds a mutex for as long as it lives.
class ABSL_SCOPED_LOCKABLE MutexLock {
 public:
  explicit MutexLock(Mutex* mutex) ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex) : mutex_(mutex) {
    mutex_->Lock();
  }
  ~MutexLock() ABSL_UNLOCK_FUNCTION() { mutex_->Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex* const mutex_;
};

// The analysis does not know that the mutex which a condition names is this one.
template <typename Condition>
void Mutex::Await(const Condition& condition) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  if (condition()) return;
  TellWaiting();  // once: a condition changes nothing
  do {
    WaitForUnlock();
  } while (!condition());
}

template <typename Condition>
bool Mutex::AwaitWithTimeout(const Condition& condition,
                             absl::Duration timeout) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  const SteadyTime deadline = Deadline(timeout);
  if (condition()) return true;
  TellWaiting();
  do {
    if (!WaitForUnlockUntil(deadline)) return condition();
  } while (!condition());
  return true;
}

}  // namespace shoal

#endif  // SHOAL_COMMON_MUTEX_H_
