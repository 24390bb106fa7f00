// One unary call with its retries.
//
//   1. Run() starts the first attempt                                   Try
//   2. gRPC answers on one of its threads                               OnAnswer
//   3. UNAVAILABLE and there is time: an alarm, then the next attempt   OnAlarm → Try
//   4. anything else goes to the caller, once, and the call is gone     Finish
//
// Ownership:     its own; deleted at the end of Finish(). Counted in rep->active until then.
// Thread-safety: Run() from any thread.
#ifndef SHOAL_CLIENT_SHOAL_WIRE_UNARY_CALL_H_
#define SHOAL_CLIENT_SHOAL_WIRE_UNARY_CALL_H_

#include <grpcpp/alarm.h>
#include <grpcpp/client_context.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "shoal/call.h"
#include "shoal/wire/host_rep.h"
#include "shoal/wire/wire_status.h"

namespace shoal {

template <typename Request, typename Response>
class UnaryCall final : public Cancellable {
 public:
  // Calls the method of the stub.
  using Method = std::function<void(grpc::ClientContext*, const Request*, Response*,
                                    std::function<void(grpc::Status)>)>;

  static void Run(Host::Rep* rep, Method method, Request request, const CallOptions& options,
                  Done<Response> done) {
    auto* call =
        new UnaryCall(rep, std::move(method), std::move(request), options, std::move(done));
    rep->active.Add(call);
    call->Try();
  }

  void CancelNow() override {
    absl::MutexLock lock(&mu_);
    is_cancelled_ = true;
    if (context_ != nullptr) context_->TryCancel();
    if (alarm_ != nullptr) alarm_->Cancel();
  }

 private:
  UnaryCall(Host::Rep* rep, Method method, Request request, const CallOptions& options,
            Done<Response> done)
      : rep_(rep),
        method_(std::move(method)),
        request_(std::move(request)),
        retry_wanted_(options.retry),
        patience_(options.patience),
        deadline_(absl::Now() + options.timeout),
        done_(std::move(done)) {}

  void Try() {
    grpc::ClientContext* context = nullptr;
    {
      absl::MutexLock lock(&mu_);
      context_ = std::make_unique<grpc::ClientContext>();
      context_->set_deadline(absl::ToChronoTime(deadline_));
      if (is_cancelled_) context_->TryCancel();
      context = context_.get();
    }
    // The answer may come, and delete this, before the method returns.
    method_(context, &request_, &response_,
            [this](const grpc::Status& status) { OnAnswer(status); });
  }

  void OnAnswer(const grpc::Status& status) {
    rep_->NoteAnswer(status);
    {
      absl::MutexLock lock(&mu_);
      context_ = nullptr;
      std::optional<absl::Duration> pause;
      if (IsBroken(status) && !is_cancelled_) {
        absl::Time now = absl::Now();
        absl::Time end = std::min(deadline_, rep_->BrokenSince(now) + patience_);
        pause = PauseBeforeRetry(rep_->AttemptUntil(end, retry_wanted_), now, &backoff_);
      }
      if (pause.has_value()) {
        last_failure_ = status;
        alarm_ = std::make_unique<grpc::Alarm>();
        alarm_->Set(absl::ToChronoTime(absl::Now() + *pause), [this](bool) { OnAlarm(); });
        return;
      }
    }
    // A deadline that passes while a broken host is tried again says less than why it is broken.
    bool is_late = status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED;
    Finish(is_late && !last_failure_.ok() ? last_failure_ : status);
  }

  void OnAlarm() {
    std::unique_ptr<grpc::Alarm> fired;
    {
      absl::MutexLock lock(&mu_);
      fired = std::move(alarm_);
    }
    Try();
  }

  void Finish(const grpc::Status& status) {
    {
      CallbackScope scope;
      if (status.ok()) {
        std::move(done_)(std::move(response_));
      } else {
        std::move(done_)(FromWire(rep_->address, status));
      }
      done_ = nullptr;
    }
    rep_->active.Remove(this);
    delete this;
  }

  // Constant after construction.
  Host::Rep* const rep_;
  const Method method_;
  const Request request_;
  const bool retry_wanted_;
  const absl::Duration patience_;
  const absl::Time deadline_;

  // Of the attempt under way, of which there is one at a time.
  Response response_;
  Backoff backoff_;
  grpc::Status last_failure_;
  Done<Response> done_;

  absl::Mutex mu_;
  bool is_cancelled_ ABSL_GUARDED_BY(mu_) = false;
  std::unique_ptr<grpc::ClientContext> context_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<grpc::Alarm> alarm_ ABSL_GUARDED_BY(mu_);
};

// Turns an asynchronous call into one that blocks. REQUIRES: not on a thread of gRPC.
template <typename T>
absl::StatusOr<T> Await(absl::AnyInvocable<void(Done<T>)> start) {
  absl::Notification answered;
  absl::StatusOr<T> answer = absl::UnknownError("no answer");
  start([&](absl::StatusOr<T> result) {
    answer = std::move(result);
    answered.Notify();
  });
  answered.WaitForNotification();
  return answer;
}

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_WIRE_UNARY_CALL_H_
