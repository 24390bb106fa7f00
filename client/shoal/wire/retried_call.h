// One unary call with its retries.
//
//   1. Run() starts the first attempt                                   Try
//   2. gRPC answers on one of its threads                               OnAnswer
//   3. UNAVAILABLE and there is time: an alarm, then the next attempt   RetryUntil, TryAfter → Try
//   4. anything else goes to the caller, once, and the call is gone     Finish
//
// Ownership:     its own; deleted at the end of Finish(). Counted in link->active until then.
// Thread-safety: Run() from any thread.
#ifndef SHOAL_CLIENT_SHOAL_WIRE_RETRIED_CALL_H_
#define SHOAL_CLIENT_SHOAL_WIRE_RETRIED_CALL_H_

#include <grpcpp/client_context.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"
#include "common/boot_time.h"
#include "common/grpc_deadline.h"
#include "common/mutex.h"
#include "common/tsan.h"
#include "shoal/call.h"
#include "shoal/error.h"
#include "shoal/link/callback_scope.h"
#include "shoal/link/owner.h"
#include "shoal/v1/metadata.h"
#include "shoal/wire/attempts.h"
#include "shoal/wire/grpc_link.h"
#include "shoal/wire/request_size.h"
#include "shoal/wire/request_text.h"
#include "shoal/wire/wire_status.h"

namespace shoal {

template <typename Request, typename Response>
class RetriedCall final : public Attempts {
 public:
  // Calls the method of the stub.
  using Method = std::function<void(grpc::ClientContext*, const Request*, Response*,
                                    std::function<void(grpc::Status)>)>;

  static void Run(GrpcLink* link, Method method, Request request, const CallOptions& options,
                  Done<Response> done) {
    if (absl::Status ours = internal::CheckNotForked(); !ours.ok()) return std::move(done)(ours);
    if (absl::Status size = CheckRequestSize(request); !size.ok()) return std::move(done)(size);
    if (absl::Status text = CheckRequestText(request); !text.ok()) return std::move(done)(text);
    auto* call =
        new RetriedCall(link, std::move(method), std::move(request), options, std::move(done));
    link->active().Add(call);
    call->Try();
  }

 private:
  RetriedCall(GrpcLink* link, Method method, Request request, const CallOptions& options,
              Done<Response> done)
      : link_(link),
        method_(std::move(method)),
        request_(std::move(request)),
        retry_wanted_(options.retry),
        patience_(options.patience),
        deadline_(BootTime::Now() + options.timeout),
        done_(std::move(done)) {}

  void CancelAttempt() override {
    MutexLock lock(&mu_);
    if (context_ != nullptr) context_->TryCancel();
  }

  void Try() override {
    grpc::Status unconnected;
    if (!HasConnection(&link_->connection(), deadline_, &unconnected)) return;
    if (!unconnected.ok()) return OnAnswer(unconnected);
    SetDeadline(deadline_);
    grpc::ClientContext* context = nullptr;
    {
      MutexLock lock(&mu_);
      context_ = std::make_unique<grpc::ClientContext>();
      context_->set_deadline(GrpcDeadline(deadline_));
      sent_ = BootTime::Now();
      if (IsCancelled()) context_->TryCancel();
      context = context_.get();
    }
    // The answer may come, and delete this, before the method returns: of which it has a copy.
    const Method method = method_;
    HandOver(this);
    method(context, &request_, &response_,
           [this](const grpc::Status& status) { OnAnswer(status); });
  }

  void OnAnswer(const grpc::Status& told) {
    TakeOver(this);
    const grpc::Status status = EndOf(told);
    link_->NoteAnswer(status);
    may_have_arrived_ = may_have_arrived_ || MayHaveArrived(status);
    {
      MutexLock lock(&mu_);
      if (context_ != nullptr) NoteAgentTime();
      context_ = nullptr;
    }
    if (const std::optional<BootTime> end = RetryUntil(status); end.has_value()) {
      std::optional<absl::Duration> pause = PauseAfter(link_->AttemptUntil(*end, retry_wanted_));
      if (pause.has_value()) {
        last_failure_ = status;
        return TryAfter(*pause);
      }
    }
    // A deadline that passes while a broken host is tried again says less than why it is broken.
    bool is_late = status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED;
    Finish(is_late && !last_failure_.ok() ? last_failure_ : status);
  }

  // Until when an attempt that has ended so is followed by others; nothing: by none. What an agent
  // cannot do for now is tried once more, and a start that something stands in the way of for longer.
  std::optional<BootTime> RetryUntil(const grpc::Status& status) {
    if (IsCancelled()) return std::nullopt;
    const BootTime now = BootTime::Now();
    if (IsBroken(status)) return std::min(deadline_, link_->BrokenSince(now) + patience_);
    if (!IsRefusedForNow(status)) return std::nullopt;
    const bool is_first = !refused_since_.has_value();
    if (is_first) refused_since_ = now;
    if (!is_first && !IsStartFailure(status)) return std::nullopt;
    return std::min(deadline_, *refused_since_ + patience_);
  }

  void NoteAgentTime() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    const auto& metadata = context_->GetServerTrailingMetadata();
    const auto told = metadata.find(v1::kAgentTimeMetadata);
    if (told == metadata.end()) return;
    int64_t millis = 0;
    if (!absl::SimpleAtoi(absl::string_view(told->second.data(), told->second.size()), &millis)) {
      return;
    }
    link_->clock().Note(absl::FromUnixMillis(millis), sent_, BootTime::Now());
  }

  // An exception of the callback ends the program: gRPC would swallow it, and this call would never
  // be over.
  void Finish(const grpc::Status& status) noexcept {
    {
      CallbackScope scope;
      if (status.ok()) {
        std::move(done_)(std::move(response_));
      } else {
        absl::Status told = NameSkew(link_->address(), link_->clock().Lead(), link_->Tell(status));
        // Any other answer is that to the first attempt, too: it has the same request_id.
        const bool is_unknown = IsBroken(status) || MayHaveArrived(status);
        if (may_have_arrived_ && is_unknown) internal::MarkAsMaybeDone(&told);
        std::move(done_)(std::move(told));
      }
      done_ = nullptr;
    }
    link_->active().Remove(this);
    delete this;
  }

  // Constant after construction.
  GrpcLink* const link_;
  const Method method_;
  const Request request_;
  const bool retry_wanted_;
  const absl::Duration patience_;
  const BootTime deadline_;

  // Of the attempt under way, of which there is one at a time.
  Response response_;
  grpc::Status last_failure_;
  bool may_have_arrived_ = false;          // this one, or an earlier one
  std::optional<BootTime> refused_since_;  // by the agent, whatever came in between
  Done<Response> done_;

  Mutex mu_;
  std::unique_ptr<grpc::ClientContext> context_ ABSL_GUARDED_BY(mu_);
  BootTime sent_ ABSL_GUARDED_BY(mu_);
};

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_WIRE_RETRIED_CALL_H_
