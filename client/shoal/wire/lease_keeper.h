// Renews every lease of this program, from one thread that does nothing else.
//
// It does not use the callback threads of gRPC: those run what users wrote, and code that blocks
// them must not cost its program the processes.
//
//   1. sleep until a lease is due, at a third of its TTL          Loop
//   2. start KeepAlive for each that is due, on a queue of its own  StartDue
//   3. take the answers: renewed, silent (again soon), or over     OnAnswer
//
// Ownership:     shared by the Sessions that are open; the last one ends the thread.
// Thread-safety: thread-safe.
// Blocking:      Drop() waits for a callback that is under way, unless it is made in there.
#ifndef SHOAL_CLIENT_SHOAL_WIRE_LEASE_KEEPER_H_
#define SHOAL_CLIENT_SHOAL_WIRE_LEASE_KEEPER_H_

#include <grpcpp/channel.h>
#include <grpcpp/completion_queue.h>

#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/boot_time.h"
#include "common/mutex.h"
#include "shoal/host_list.h"
#include "shoal/link/lease.h"
#include "shoal/link/pulse.h"
#include "shoal/wire/overdue_watch.h"

namespace shoal {

class LeaseKeeper {
 public:
  // A lease, by the channel that it is renewed through.
  struct Entry;

  // The one of this program; made when there is none.
  static std::shared_ptr<LeaseKeeper> Get();
  ~LeaseKeeper();

  // `on_broken`: called on the thread of the keeper when a renewal finds the connection broken; must
  // not block.
  std::shared_ptr<Entry> Keep(std::shared_ptr<grpc::Channel> channel, HostAddress address,
                              LeaseTerms terms, std::function<void()> on_broken = nullptr);
  // The same lease through another channel, at once: since its last renewal it may have been silent
  // for long. `former` is to be dropped.
  std::shared_ptr<Entry> KeepThrough(std::shared_ptr<grpc::Channel> channel, const Entry& former);
  // No longer renewed; no callback is called after this.
  void Drop(const std::shared_ptr<Entry>& entry);
  absl::Status StatusOf(const Entry& entry) const;
  // How long this program did not run since the last renewal, if it did not.
  absl::Duration PauseOf(const Entry& entry) const;

 private:
  struct Call;

  LeaseKeeper();
  void Loop();
  void StartDue(BootTime now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Start(const std::shared_ptr<Entry>& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  BootTime NextDue() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void OnAnswer(std::unique_ptr<Call> call);
  // What is to be called when this renewal was not answered; null: nothing.
  std::function<void()> NoteSilence(const Call& call) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void CancelOverdue(BootTime due_before);

  grpc::CompletionQueue queue_;
  mutable Mutex mu_;
  bool is_stopping_ ABSL_GUARDED_BY(mu_) = false;
  int calls_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<std::shared_ptr<Entry>> entries_ ABSL_GUARDED_BY(mu_);
  Pulse pulse_ ABSL_GUARDED_BY(mu_) = Pulse(BootTime::Now());
  const std::shared_ptr<OverdueWatch> overdue_ = OverdueWatch::Get();
  const int overdue_id_ = overdue_->Add([this](BootTime due) { CancelOverdue(due); });
  std::thread thread_;
};

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_WIRE_LEASE_KEEPER_H_
