// Tells the thread sanitizer of absl::Mutex and absl::CondVar.
//
// Debian's Abseil is not instrumented, so the sanitizer sees no lock in it and reports a race at
// every guarded member. Linked with --wrap (deploy/cmake/ShoalWarnings.cmake), the functions below
// stand between our code and the library's: what a thread did before it gave a mutex away happened
// before what the next one does that takes it. Threads that give a mutex away also evaluate the
// conditions of others, inside the library and under its lock; those reads are not looked at.
#include <sanitizer/tsan_interface.h>

#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

extern "C" {
void AnnotateIgnoreReadsBegin(const char* file, int line);
void AnnotateIgnoreReadsEnd(const char* file, int line);
}

// The library's function and the one called instead. Weak: not every program has both.
#define SHOAL_WRAP(result, symbol, name, ...)                                     \
  result Real##name(__VA_ARGS__) __asm__("__real_" symbol) __attribute__((weak)); \
  result Wrap##name(__VA_ARGS__) __asm__("__wrap_" symbol) __attribute__((used)); \
  result Wrap##name(__VA_ARGS__)

namespace {

using absl::Condition;
using absl::CondVar;
using absl::Mutex;

// While the library has the mutex of the calling thread.
class Given {
 public:
  explicit Given(Mutex* mutex) {
    __tsan_release(mutex);
    AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
  }
  ~Given() { AnnotateIgnoreReadsEnd(__FILE__, __LINE__); }
};

}  // namespace

SHOAL_WRAP(void, "_ZN4absl7debian35Mutex4LockEv", Lock, Mutex* mutex) {
  RealLock(mutex);
  __tsan_acquire(mutex);
}

SHOAL_WRAP(void, "_ZN4absl7debian35Mutex6UnlockEv", Unlock, Mutex* mutex) {
  Given given(mutex);
  RealUnlock(mutex);
}

SHOAL_WRAP(bool, "_ZN4absl7debian35Mutex7TryLockEv", TryLock, Mutex* mutex) {
  const bool locked = RealTryLock(mutex);
  if (locked) __tsan_acquire(mutex);
  return locked;
}

SHOAL_WRAP(void, "_ZN4absl7debian35Mutex10ReaderLockEv", ReaderLock, Mutex* mutex) {
  RealReaderLock(mutex);
  __tsan_acquire(mutex);
}

SHOAL_WRAP(void, "_ZN4absl7debian35Mutex12ReaderUnlockEv", ReaderUnlock, Mutex* mutex) {
  Given given(mutex);
  RealReaderUnlock(mutex);
}

SHOAL_WRAP(void, "_ZN4absl7debian35Mutex8LockWhenERKNS0_9ConditionE", LockWhen, Mutex* mutex,
           const Condition& condition) {
  {
    Given given(mutex);
    RealLockWhen(mutex, condition);
  }
  __tsan_acquire(mutex);
}

SHOAL_WRAP(void, "_ZN4absl7debian35Mutex5AwaitERKNS0_9ConditionE", Await, Mutex* mutex,
           const Condition& condition) {
  {
    Given given(mutex);
    RealAwait(mutex, condition);
  }
  __tsan_acquire(mutex);
}

SHOAL_WRAP(bool, "_ZN4absl7debian35Mutex16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE",
           AwaitWithTimeout, Mutex* mutex, const Condition& condition, absl::Duration timeout) {
  bool met = false;
  {
    Given given(mutex);
    met = RealAwaitWithTimeout(mutex, condition, timeout);
  }
  __tsan_acquire(mutex);
  return met;
}

SHOAL_WRAP(bool, "_ZN4absl7debian35Mutex17AwaitWithDeadlineERKNS0_9ConditionENS0_4TimeE",
           AwaitWithDeadline, Mutex* mutex, const Condition& condition, absl::Time deadline) {
  bool met = false;
  {
    Given given(mutex);
    met = RealAwaitWithDeadline(mutex, condition, deadline);
  }
  __tsan_acquire(mutex);
  return met;
}

SHOAL_WRAP(void, "_ZN4absl7debian37CondVar4WaitEPNS0_5MutexE", Wait, CondVar* variable,
           Mutex* mutex) {
  {
    Given given(mutex);
    RealWait(variable, mutex);
  }
  __tsan_acquire(mutex);
}

SHOAL_WRAP(bool, "_ZN4absl7debian37CondVar15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE",
           WaitWithTimeout, CondVar* variable, Mutex* mutex, absl::Duration timeout) {
  bool timed_out = false;
  {
    Given given(mutex);
    timed_out = RealWaitWithTimeout(variable, mutex, timeout);
  }
  __tsan_acquire(mutex);
  return timed_out;
}

SHOAL_WRAP(bool, "_ZN4absl7debian37CondVar16WaitWithDeadlineEPNS0_5MutexENS0_4TimeE",
           WaitWithDeadline, CondVar* variable, Mutex* mutex, absl::Time deadline) {
  bool timed_out = false;
  {
    Given given(mutex);
    timed_out = RealWaitWithDeadline(variable, mutex, deadline);
  }
  __tsan_acquire(mutex);
  return timed_out;
}
