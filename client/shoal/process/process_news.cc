#include "shoal/process/process_news.h"

#include <errno.h>
#include <sys/eventfd.h>

#include "common/status.h"
#include "shoal/outcome.h"

namespace shoal::internal {

void ProcessNews::Learn(const v1::Process& process) {
  MutexLock lock(&mu_);
  if (process.revision() >= process_.revision()) process_ = process;
  Signal();
}

void ProcessNews::OnLost(const absl::Status& status) {
  MutexLock lock(&mu_);
  is_lost_ = true;
  is_deleted_ = status.ok();
  Signal();
}

v1::Process ProcessNews::Get() const {
  MutexLock lock(&mu_);
  return process_;
}

bool ProcessNews::HasEndedWithOutput() const {
  MutexLock lock(&mu_);
  return HasEnded(process_) && process_.output_complete();
}

bool ProcessNews::IsComplete() const {
  return is_deleted_ || (HasEnded(process_) && process_.output_complete());
}

void ProcessNews::SetOutputPending(bool is_pending) {
  MutexLock lock(&mu_);
  is_output_pending_ = is_pending;
  Signal();
}

bool ProcessNews::AwaitEnd(absl::Duration timeout) {
  MutexLock lock(&mu_);
  mu_.AwaitWithTimeout(
      [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return IsComplete() || is_lost_; }, timeout);
  return IsComplete();
}

absl::StatusOr<int> ProcessNews::Sentinel() {
  MutexLock lock(&mu_);
  if (!sentinel_) {
    sentinel_ = UniqueFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!sentinel_) return ErrnoStatus(errno, "eventfd for a sentinel");
    Signal();
  }
  return sentinel_.get();
}

// Also of a host that was given up: the program that polls asks next, and gets the reason.
void ProcessNews::Signal() {
  if (!sentinel_) return;
  if (is_lost_ || (IsComplete() && !is_output_pending_)) eventfd_write(sentinel_.get(), 1);
}

}  // namespace shoal::internal
