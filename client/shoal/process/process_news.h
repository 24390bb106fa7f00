// What was last heard of a process, and the waits for its end.
//
// Ownership:     shared by its ChildProcess and the calls under way that bring news, which may
//                outlive that.
// Thread-safety: thread-safe.
// Blocking:      AwaitEnd(), as it says; the rest never blocks.
// Errors:        as each method says.
#ifndef SHOAL_CLIENT_SHOAL_PROCESS_PROCESS_NEWS_H_
#define SHOAL_CLIENT_SHOAL_PROCESS_PROCESS_NEWS_H_

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/mutex.h"
#include "common/unique_fd.h"
#include "shoal/host/shared_state.h"
#include "shoal/v1/process.pb.h"

namespace shoal::internal {

class ProcessNews : public StateObserver {
 public:
  // Keeps it, unless something newer is known.
  void Learn(const v1::Process& process);
  void OnState(const v1::Process& process) override { Learn(process); }
  void OnLost(const absl::Status& status) override;

  v1::Process Get() const;

  // Waits until it has ended with all its output, or was deleted. False: not within `timeout`, or
  // nothing more will be heard.
  bool AwaitEnd(absl::Duration timeout);

  // It has ended with all its output, as far as its agent has told.
  bool HasEndedWithOutput() const;

  // Whether output is still to be passed on. At first it is not; nor while the host of it is not
  // reached, since who waits is to ask, and get the reason.
  void SetOutputPending(bool is_pending);

  // A descriptor that is readable once it has ended with all its output and nothing of that is
  // pending, or nothing more will be heard. It lives as long as this. RESOURCE_EXHAUSTED: there is
  // none left.
  absl::StatusOr<int> Sentinel();

 private:
  bool IsComplete() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Signal() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  mutable Mutex mu_;
  v1::Process process_ ABSL_GUARDED_BY(mu_);
  bool is_lost_ ABSL_GUARDED_BY(mu_) = false;
  bool is_deleted_ ABSL_GUARDED_BY(mu_) = false;
  bool is_output_pending_ ABSL_GUARDED_BY(mu_) = false;
  UniqueFd sentinel_ ABSL_GUARDED_BY(mu_);  // none: it was not asked for
};

}  // namespace shoal::internal

#endif  // SHOAL_CLIENT_SHOAL_PROCESS_PROCESS_NEWS_H_
