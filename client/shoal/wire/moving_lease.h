// A lease that is renewed wherever its host is found.
//
// Ownership:     its Session's; its Connection tells it of other channels as long as it lives.
// Thread-safety: thread-safe.
// Blocking:      and errors: as lease.h says.
#ifndef SHOAL_CLIENT_SHOAL_WIRE_MOVING_LEASE_H_
#define SHOAL_CLIENT_SHOAL_WIRE_MOVING_LEASE_H_

#include <grpcpp/channel.h>

#include <functional>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/mutex.h"
#include "shoal/host_list.h"
#include "shoal/link/lease.h"
#include "shoal/wire/connection.h"
#include "shoal/wire/lease_keeper.h"

namespace shoal {

class MovingLease final : public Lease, public Mover {
 public:
  // `on_broken`: called on the keeper's thread when a renewal finds the connection broken; not after
  // Drop().
  MovingLease(std::shared_ptr<grpc::Channel> channel, HostAddress address, LeaseTerms terms,
              std::function<void()> on_broken = nullptr);

  // One that is dropped, or over, stays so.
  void MoveTo(const std::shared_ptr<grpc::Channel>& channel) override;
  void Drop() override;
  absl::Status status() const override;
  absl::Duration pause() const override;

 private:
  const std::shared_ptr<LeaseKeeper> keeper_ = LeaseKeeper::Get();
  mutable Mutex mu_;  // before the keeper's
  std::shared_ptr<LeaseKeeper::Entry> entry_ ABSL_GUARDED_BY(mu_);
  bool is_dropped_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_WIRE_MOVING_LEASE_H_
