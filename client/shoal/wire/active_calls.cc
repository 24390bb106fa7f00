#include "shoal/wire/active_calls.h"

namespace shoal {
namespace {

thread_local int callback_depth = 0;

}  // namespace

void ActiveCalls::Add(Cancellable* call) {
  absl::MutexLock lock(&mu_);
  calls_.insert(call);
  if (closing_) call->CancelNow();
}

void ActiveCalls::Remove(Cancellable* call) {
  absl::MutexLock lock(&mu_);
  calls_.erase(call);
}

void ActiveCalls::CancelAllAndWait() {
  absl::MutexLock lock(&mu_);
  closing_ = true;
  for (Cancellable* call : calls_) call->CancelNow();
  auto is_empty = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return calls_.empty(); };
  mu_.Await(absl::Condition(&is_empty));
}

CallbackScope::CallbackScope() { ++callback_depth; }
CallbackScope::~CallbackScope() { --callback_depth; }
bool CallbackScope::IsInside() { return callback_depth > 0; }

}  // namespace shoal
