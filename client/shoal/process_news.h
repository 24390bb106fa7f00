// What was last heard of a process.
//
// Ownership:     shared by its ChildProcess and the calls under way that bring news, which may
//                outlive that.
// Thread-safety: thread-safe.
// Blocking:      never blocks.
#ifndef SHOAL_CLIENT_SHOAL_PROCESS_NEWS_H_
#define SHOAL_CLIENT_SHOAL_PROCESS_NEWS_H_

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "shoal/v1/process.pb.h"

namespace shoal::internal {

class ProcessNews {
 public:
  // Keeps it, unless something newer is known.
  void Learn(const v1::Process& process) {
    absl::MutexLock lock(&mu_);
    if (process.revision() >= process_.revision()) process_ = process;
  }

  v1::Process Get() const {
    absl::MutexLock lock(&mu_);
    return process_;
  }

 private:
  mutable absl::Mutex mu_;
  v1::Process process_ ABSL_GUARDED_BY(mu_);
};

}  // namespace shoal::internal

#endif  // SHOAL_CLIENT_SHOAL_PROCESS_NEWS_H_
