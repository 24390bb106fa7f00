// What a call and a stream have in common: attempts, one at a time, with pauses between them that
// grow, until the call is over or is cancelled.
//
// Ownership:     the base of what makes the attempts.
// Thread-safety: CancelNow() from any thread; the rest by the attempt under way, and after it.
// Blocking:      never blocks.
// Errors:        none of its own.
#ifndef SHOAL_CLIENT_SHOAL_WIRE_ATTEMPTS_H_
#define SHOAL_CLIENT_SHOAL_WIRE_ATTEMPTS_H_

#include <grpcpp/alarm.h>
#include <grpcpp/support/status.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "common/boot_time.h"
#include "common/grpc_deadline.h"
#include "common/mutex.h"
#include "common/tsan.h"
#include "shoal/link/retry.h"
#include "shoal/wire/active_calls.h"
#include "shoal/wire/connection.h"

namespace shoal {

class Attempts : public Cancellable {
 public:
  void CancelNow() final {
    {
      MutexLock lock(&mu_);
      is_cancelled_ = true;
      if (alarm_ != nullptr) alarm_->Cancel();
    }
    CancelAttempt();
  }

  bool CancelOverdue(BootTime due_before) final {
    {
      MutexLock lock(&mu_);
      if (due_ >= due_before) return false;
      if (alarm_ != nullptr) {
        alarm_->Cancel();  // the next attempt
        return true;
      }
      is_overdue_ = true;
    }
    CancelAttempt();
    return true;
  }

  void Wake() final {
    MutexLock lock(&mu_);
    if (is_awaiting_name_ && alarm_ != nullptr) alarm_->Cancel();
  }

 protected:
  // Begins one, and cancels it at once if IsCancelled().
  virtual void Try() = 0;
  // Cancels the one that was begun, if there is one.
  virtual void CancelAttempt() = 0;

  bool IsCancelled() {
    MutexLock lock(&mu_);
    return is_cancelled_;
  }

  // Of the attempt that is begun now.
  void SetDeadline(BootTime deadline) {
    MutexLock lock(&mu_);
    due_ = deadline;
    is_overdue_ = false;
  }
  // False: the name of the host is being looked up; Try() is called again when that is over, the
  // call is cancelled, or its time. True: `*status` is OK, and there are stubs; or why not, which
  // never is so at the first call of an attempt.
  bool HasConnection(Connection* connection, BootTime deadline, grpc::Status* status) {
    const bool is_first = awaited_ == 0;
    *status = connection->Begin(&awaited_);
    if (status->ok() || !is_first) {
      awaited_ = 0;
      if (!status->ok() && IsCancelled()) {
        *status = grpc::Status(grpc::StatusCode::CANCELLED, "cancelled");
      }
      return true;
    }
    AwaitName(connection, std::min(deadline, BootTime::Now() + connection->patience()));
    return false;
  }

  // How the attempt has ended: one that was cancelled since it was overdue has met its deadline.
  grpc::Status EndOf(const grpc::Status& status) {
    MutexLock lock(&mu_);
    due_ = BootTime::InfiniteFuture();
    const bool is_late = is_overdue_ && status.error_code() == grpc::StatusCode::CANCELLED;
    if (!is_late || is_cancelled_) return status;
    return grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED, "Deadline Exceeded");
  }

  // How long to wait after a broken attempt; nothing: no other one.
  std::optional<absl::Duration> PauseAfter(const Attempt& attempt) {
    MutexLock lock(&mu_);
    return PauseBeforeRetry(attempt, BootTime::Now(), &backoff_);
  }
  // The last thing that is done after an attempt: the next one may run before this returns.
  void TryAfter(absl::Duration pause) {
    MutexLock lock(&mu_);
    alarm_ = std::make_unique<grpc::Alarm>();
    due_ = BootTime::Now() + pause;
    HandOver(this);
    alarm_->Set(GrpcDeadlineAfter(pause), [this](bool) { OnAlarm(); });
    if (is_cancelled_) alarm_->Cancel();
  }
  // The connection stands: the next pause is a short one.
  void ResetPauses() {
    MutexLock lock(&mu_);
    backoff_.Reset();
  }

 private:
  void AwaitName(Connection* connection, BootTime until) {
    MutexLock lock(&mu_);
    alarm_ = std::make_unique<grpc::Alarm>();
    due_ = until;
    is_awaiting_name_ = true;
    HandOver(this);
    alarm_->Set(GrpcDeadline(until), [this](bool) { OnAlarm(); });
    if (is_cancelled_ || connection->HasFinished(awaited_)) alarm_->Cancel();
  }

  void OnAlarm() {
    TakeOver(this);
    std::unique_ptr<grpc::Alarm> fired;
    {
      MutexLock lock(&mu_);
      is_awaiting_name_ = false;
      fired = std::move(alarm_);
    }
    Try();
  }

  int64_t awaited_ = 0;  // of the attempt under way: the look-up that it waits for

  Mutex mu_;  // after those of the attempts
  bool is_awaiting_name_ ABSL_GUARDED_BY(mu_) = false;
  bool is_cancelled_ ABSL_GUARDED_BY(mu_) = false;
  bool is_overdue_ ABSL_GUARDED_BY(mu_) = false;  // the attempt, which was cancelled for it
  BootTime due_ ABSL_GUARDED_BY(mu_) = BootTime::InfiniteFuture();  // what is waited for
  Backoff backoff_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<grpc::Alarm> alarm_ ABSL_GUARDED_BY(mu_);
};

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_WIRE_ATTEMPTS_H_
