#include "common/mutex.h"

namespace shoal {

void Mutex::Lock() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex_.lock(); }

// Notified with the mutex held: after the unlock, a waiting thread may already have destroyed it.
void Mutex::Unlock() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  TellWaiting();
  mutex_.unlock();
}

void Mutex::TellWaiting() {
  if (waiting_ > 0) unlocked_.notify_all();
}

Mutex::SteadyTime Mutex::Deadline(absl::Duration timeout) {
  const SteadyTime now = std::chrono::steady_clock::now();
  if (timeout >= absl::FromChrono(SteadyTime::max() - now)) return SteadyTime::max();
  return now + absl::ToChronoNanoseconds(timeout);
}

void Mutex::WaitForUnlock() {
  std::unique_lock<std::mutex> lock(mutex_, std::adopt_lock);
  ++waiting_;
  unlocked_.wait(lock);
  --waiting_;
  lock.release();
}

bool Mutex::WaitForUnlockUntil(SteadyTime deadline) {
  std::unique_lock<std::mutex> lock(mutex_, std::adopt_lock);
  ++waiting_;
  const bool in_time = unlocked_.wait_until(lock, deadline) == std::cv_status::no_timeout;
  --waiting_;
  lock.release();
  return in_time;
}

}  // namespace shoal
