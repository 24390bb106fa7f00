// Tells the thread sanitizer of an order that it cannot see, since the library that makes it is not
// instrumented: gRPC takes a call from one thread and goes on with it on another. Without the
// sanitizer, nothing.
//
// Thread-safety: thread-safe.
// Blocking:      never blocks.
// Errors:        none.
#ifndef SHOAL_COMMON_TSAN_H_
#define SHOAL_COMMON_TSAN_H_

#include "common/sanitizers.h"

#ifdef SHOAL_THREAD_SANITIZER
#include <sanitizer/tsan_interface.h>
#endif

namespace shoal {

// Right before `object` is handed over: what this thread did so far happens before what a thread
// does after TakeOver() of the same object.
inline void HandOver([[maybe_unused]] void* object) {
#ifdef SHOAL_THREAD_SANITIZER
  __tsan_release(object);
#endif
}

// First thing on the thread that goes on with `object`.
inline void TakeOver([[maybe_unused]] void* object) {
#ifdef SHOAL_THREAD_SANITIZER
  __tsan_acquire(object);
#endif
}

// A function that the library calls on a thread of its own choice, and after which it may call
// others on other threads, for as long as it runs. Not where `object` dies: TakeOver() does there.
class Reaction {
 public:
  explicit Reaction(void* object) : object_(object) { TakeOver(object_); }
  ~Reaction() { HandOver(object_); }
  Reaction(const Reaction&) = delete;
  Reaction& operator=(const Reaction&) = delete;

 private:
  void* const object_;
};

}  // namespace shoal

#endif  // SHOAL_COMMON_TSAN_H_
