#include "shoal/wire/active_calls.h"

namespace shoal {

ActiveCalls::Starting::Starting(ActiveCalls* calls) : calls_(calls) {
  MutexLock lock(&calls_->mu_);
  ++calls_->starting_;
}

ActiveCalls::Starting::~Starting() {
  MutexLock lock(&calls_->mu_);
  --calls_->starting_;
}

void ActiveCalls::Add(Cancellable* call) {
  MutexLock lock(&mu_);
  calls_.insert(call);
  if (closing_) call->CancelNow();
}

void ActiveCalls::Remove(Cancellable* call) {
  MutexLock lock(&mu_);
  calls_.erase(call);
}

bool ActiveCalls::CancelOverdue(BootTime due_before) {
  MutexLock lock(&mu_);
  bool were_some = false;
  for (Cancellable* call : calls_) were_some = call->CancelOverdue(due_before) || were_some;
  return were_some;
}

void ActiveCalls::WakeAll() {
  MutexLock lock(&mu_);
  for (Cancellable* call : calls_) call->Wake();
}

void ActiveCalls::CancelAllAndWait() {
  MutexLock lock(&mu_);
  closing_ = true;
  for (Cancellable* call : calls_) call->CancelNow();
  auto is_over = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return calls_.empty() && starting_ == 0;
  };
  mu_.Await(is_over);
}

}  // namespace shoal
