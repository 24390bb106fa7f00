// Ends what gRPC should have ended, from one thread that looks once a second.
//
// The timers of gRPC 1.51 sleep by the wall clock (Abseil's CondVar): set back by an hour, no
// deadline passes and no alarm rings for an hour. So each call that waits for one of them is
// asked, once a second, to cancel what is overdue by CLOCK_BOOTTIME.
//
// Ownership:     shared by those who wait; the last one ends the thread.
// Thread-safety: thread-safe.
// Blocking:      Drop() waits for a call of what it drops.
// Errors:        none.
#ifndef SHOAL_CLIENT_SHOAL_WIRE_OVERDUE_WATCH_H_
#define SHOAL_CLIENT_SHOAL_WIRE_OVERDUE_WATCH_H_

#include <functional>
#include <map>
#include <memory>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "common/boot_time.h"
#include "common/mutex.h"

namespace shoal {

class OverdueWatch {
 public:
  // Cancels what was due before that moment. Quick, and never drops a watch.
  using Cancel = std::function<void(BootTime due_before)>;

  // The one of this program; made when there is none.
  static std::shared_ptr<OverdueWatch> Get();
  ~OverdueWatch();

  int Add(Cancel cancel);
  // Not called any more after this.
  void Drop(int id);

 private:
  OverdueWatch();
  void Loop();

  Mutex mu_;  // before those of the calls
  bool is_stopping_ ABSL_GUARDED_BY(mu_) = false;
  int next_id_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<int, Cancel> watched_ ABSL_GUARDED_BY(mu_);
  std::thread thread_;
};

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_WIRE_OVERDUE_WATCH_H_
