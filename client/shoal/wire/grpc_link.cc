#include "shoal/wire/grpc_link.h"

#include <utility>

#include "absl/time/clock.h"
#include "shoal/wire/make_link.h"
#include "shoal/wire/moving_lease.h"
#include "shoal/wire/wire_status.h"

namespace shoal {

std::shared_ptr<Link> MakeLink(HostAddress address, HostOptions options) {
  return std::make_shared<GrpcLink>(std::move(address), std::move(options));
}

GrpcLink::GrpcLink(HostAddress address, HostOptions options)
    : address_(std::move(address)),
      options_(std::move(options)),
      connection_(address_, options_, [this] { active_.WakeAll(); }) {}

GrpcLink::~GrpcLink() { overdue_->Drop(overdue_id_); }

void GrpcLink::CancelOverdue(BootTime due_before) {
  if (active_.CancelOverdue(due_before)) connection_.ResetBackoff();
}

void GrpcLink::NoteAnswer(const grpc::Status& status) {
  if (IsBroken(status) && status.error_code() == grpc::StatusCode::UNAVAILABLE) {
    if (!IsConnectFailure(status)) was_connected_.store(true, std::memory_order_relaxed);
    connection_.Renew();
    return;
  }
  switch (status.error_code()) {
    case grpc::StatusCode::DEADLINE_EXCEEDED:
    case grpc::StatusCode::CANCELLED:
      return;  // says nothing of whether the host was there
    case grpc::StatusCode::PERMISSION_DENIED:
      connection_.Renew();  // the certificate may have been revoked for another one
      [[fallthrough]];
    default:
      has_answered_.store(true, std::memory_order_relaxed);
      NoteReached();
  }
}

void GrpcLink::NoteReached() {
  MutexLock lock(&mu_);
  broken_since_.reset();
}

BootTime GrpcLink::BrokenSince(BootTime now) {
  MutexLock lock(&mu_);
  if (!broken_since_.has_value()) broken_since_ = now;
  return *broken_since_;
}

Attempt GrpcLink::AttemptUntil(BootTime deadline, bool retry_wanted) const {
  Attempt attempt;
  attempt.retry_wanted = retry_wanted;
  attempt.has_answered = has_answered_.load(std::memory_order_relaxed);
  // An agent that dies over the very first call is as worth waiting for as one that has answered,
  // but only for the time of a connect: what closes every connection may be no agent at all.
  attempt.wait_for_agent =
      options_.wait_for_agent || was_connected_.load(std::memory_order_relaxed);
  attempt.connect_deadline = create_time_ + options_.connect_timeout;
  attempt.deadline = deadline;
  return attempt;
}

absl::Status GrpcLink::Tell(const grpc::Status& status) const {
  if (!IsBroken(status)) return FromWire(address_, status);
  return FromWire(address_, status, connection_.Expiry(absl::Now()),
                  connection_.TlsTrouble(status));
}

std::shared_ptr<Lease> GrpcLink::KeepLease(LeaseTerms terms) {
  // The lease outlives neither its Host nor this.
  auto lease = std::make_shared<MovingLease>(stubs()->channel, address_, std::move(terms),
                                             [this] { connection_.Renew(); });
  connection_.Add(lease);
  return lease;
}

}  // namespace shoal
