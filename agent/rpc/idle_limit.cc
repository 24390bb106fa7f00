#include "agent/rpc/idle_limit.h"

#include <grpcpp/support/status.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

namespace shoal::agent {

std::shared_ptr<IdleLimit> IdleLimit::Begin(const Edge* edge, std::weak_ptr<OpenCall> call) {
  std::shared_ptr<IdleLimit> limit(new IdleLimit(edge, std::move(call)));
  edge->loop->Post([limit] { limit->Arm(limit->edge_->idle_call_limit); });
  return limit;
}

IdleLimit::IdleLimit(const Edge* edge, std::weak_ptr<OpenCall> call)
    : edge_(edge), call_(std::move(call)), noted_(BootTime::Now()) {}

void IdleLimit::Note(bool is_waiting) {
  MutexLock lock(&mu_);
  noted_ = BootTime::Now();
  is_waiting_ = is_waiting;
}

void IdleLimit::Stop() {
  edge_->loop->Post([self = shared_from_this()] { self->edge_->loop->Cancel(self->timer_); });
}

void IdleLimit::Arm(absl::Duration delay) {
  timer_ = edge_->loop->After(delay, [self = shared_from_this()] { self->OnDue(); });
}

void IdleLimit::OnDue() {
  absl::Duration left = edge_->idle_call_limit;
  {
    MutexLock lock(&mu_);
    if (!is_waiting_) left -= BootTime::Now() - noted_;
  }
  if (left > absl::ZeroDuration()) return Arm(left);
  const std::shared_ptr<OpenCall> call = call_.lock();
  if (call == nullptr) return;
  call->End(grpc::Status(
      grpc::StatusCode::DEADLINE_EXCEEDED,
      absl::StrCat("nothing was sent for ", absl::FormatDuration(edge_->idle_call_limit),
                   "; what was received stays")));
}

}  // namespace shoal::agent
