// The calls that are under way on one channel, so that the channel is not destroyed under them.
//
// gRPC aborts when the last reference to a channel is dropped on one of its own threads; hence a
// host cancels its calls, waits for them here, and drops the channel itself.
//
// Thread-safety: thread-safe. No call of this class is made with the mutex of a call held.
// Blocking:      CancelAllAndWait() waits for the last callback, and the last Starting, to be over; the rest never
//                blocks.
#ifndef SHOAL_CLIENT_SHOAL_WIRE_ACTIVE_CALLS_H_
#define SHOAL_CLIENT_SHOAL_WIRE_ACTIVE_CALLS_H_

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "common/boot_time.h"
#include "common/mutex.h"

namespace shoal {

class Cancellable {
 public:
  virtual ~Cancellable() = default;
  // Asks for the end; never blocks, never calls back on this thread.
  virtual void CancelNow() = 0;
  // Ends the wait that should have ended before that moment, likewise. False: there is none.
  virtual bool CancelOverdue(BootTime due_before) = 0;
  // What it waits for to be known of the host may be known now.
  virtual void Wake() = 0;
};

class ActiveCalls {
 public:
  // Around what starts a call that may be answered, and removed, before it returns: what it holds of the channel goes
  // before the wait is over.
  class Starting {
   public:
    explicit Starting(ActiveCalls* calls);
    ~Starting();
    Starting(const Starting&) = delete;
    Starting& operator=(const Starting&) = delete;

   private:
    ActiveCalls* const calls_;
  };

  // The call is under way until Remove(), which is the last thing that it does.
  void Add(Cancellable* call);
  void Remove(Cancellable* call);

  // True: some call was overdue.
  bool CancelOverdue(BootTime due_before);

  void WakeAll();

  // REQUIRES: no thread adds from outside any more; what callbacks add is cancelled, too.
  void CancelAllAndWait();

 private:
  Mutex mu_;
  absl::flat_hash_set<Cancellable*> calls_ ABSL_GUARDED_BY(mu_);
  int starting_ ABSL_GUARDED_BY(mu_) = 0;
  bool closing_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_WIRE_ACTIVE_CALLS_H_
