// The one thread that reads output for clients: the disk must hold up neither the loop nor gRPC.
//
// Ownership:     created by main before the server, outlives every call. Shares readers with their
//                streams.
// Thread-safety: thread-safe.
// Blocking:      Wake never blocks; the thread blocks on the disk.
// Fairness:      readers with something to do take turns.
#ifndef SHOAL_AGENT_OUTPUT_OUTPUT_THREAD_H_
#define SHOAL_AGENT_OUTPUT_OUTPUT_THREAD_H_

#include <semaphore.h>

#include <deque>
#include <memory>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "agent/output/large_frames.h"
#include "common/mutex.h"

namespace shoal::agent {

// Something with a share of the output thread.
class OutputWork {
 public:
  virtual ~OutputWork() = default;
  // Does a little; true if there is more to do at once.
  virtual bool DoSome() = 0;
};

class OutputThread {
 public:
  OutputThread();
  ~OutputThread();  // drops what still waits, joins

  // `work` has something to do. Coalesced while it waits for its turn.
  void Wake(const std::shared_ptr<OutputWork>& work);

  LargeFrames& large_frames() { return large_frames_; }

 private:
  void Main();
  // The next in turn; null where there is none, and then the thread is about to wait.
  std::shared_ptr<OutputWork> Take();
  bool IsStopped();

  LargeFrames large_frames_;

  sem_t woken_;  // posted with `mu_` free: the thread wants it first

  Mutex mu_;
  std::deque<std::shared_ptr<OutputWork>> queue_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_set<OutputWork*> queued_ ABSL_GUARDED_BY(mu_);
  bool is_waiting_ ABSL_GUARDED_BY(mu_) = false;  // for `woken_`, which was not posted yet
  bool stop_ ABSL_GUARDED_BY(mu_) = false;

  std::thread thread_;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OUTPUT_OUTPUT_THREAD_H_
