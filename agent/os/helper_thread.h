// One background thread that runs closures in their order: file removals and the like, which must
// not hold up the loop.
//
// Ownership:     the destructor runs what is queued, then joins.
// Thread-safety: thread-safe.
// Blocking:      Run never blocks.
#ifndef SHOAL_AGENT_OS_HELPER_THREAD_H_
#define SHOAL_AGENT_OS_HELPER_THREAD_H_

#include <deque>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "common/mutex.h"

namespace shoal::agent {

class HelperThread {
 public:
  HelperThread();
  ~HelperThread();

  void Run(absl::AnyInvocable<void()> closure);

 private:
  void Main();
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return stop_ || !queue_.empty(); }

  Mutex mu_;
  std::deque<absl::AnyInvocable<void()>> queue_ ABSL_GUARDED_BY(mu_);
  bool stop_ ABSL_GUARDED_BY(mu_) = false;

  std::thread thread_;  // last: the members above are there before it runs
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OS_HELPER_THREAD_H_
