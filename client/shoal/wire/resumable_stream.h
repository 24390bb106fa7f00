// A stream that goes on over broken connections: what those that are read and those that are written have in common.
//
//   1. Try: the first attempt (Start). `prepare` writes into the request where to go on.
//   2. StreamCall: one attempt, see reading_stream.h and writing_stream.h; what comes goes to on_message.
//   3. OnAttemptDone: an attempt ends: cancelled, complete or hopeless → Finish; else an alarm,
//      then Try again. Restart() ends an attempt so that the next one, prepared anew, begins at
//      once.
//   4. Finish: on_end, once; then the stream is no longer counted and its caller may go.
//
// Ownership:     shared by its caller and, until Finish(), by itself.
// Thread-safety: thread-safe. Hooks are called without a mutex held; all but `next` one at a time.
#ifndef SHOAL_CLIENT_SHOAL_WIRE_RESUMABLE_STREAM_H_
#define SHOAL_CLIENT_SHOAL_WIRE_RESUMABLE_STREAM_H_

#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>

#include <memory>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "common/boot_time.h"
#include "common/grpc_deadline.h"
#include "common/mutex.h"
#include "common/notification.h"
#include "shoal/call.h"
#include "shoal/link/callback_scope.h"
#include "shoal/link/owner.h"
#include "shoal/link/stream.h"
#include "shoal/wire/attempts.h"
#include "shoal/wire/grpc_link.h"
#include "shoal/wire/request_text.h"
#include "shoal/wire/wire_status.h"

namespace shoal {

// Every call has a deadline; a stream that comes to it is resumed at once, unseen by its reader.
inline constexpr absl::Duration kStreamDeadline = absl::Hours(1);
// The agent sends something at least every 15 s, so that one that says nothing for so long is not
// there, though its socket may be.
inline constexpr absl::Duration kHeartbeatDeadline = absl::Minutes(1);

// One attempt. It tells its stream when it is done, last, and has let go of gRPC's context before: with that the last
// of a channel may go, for which the link has to be there. A thread that
// is cancelling or resuming the attempt keeps the attempt alone alive, not the context.
class StreamCall {
 public:
  explicit StreamCall(BootTime deadline) { context_->set_deadline(GrpcDeadline(deadline)); }
  virtual ~StreamCall() = default;
  virtual void Begin() = 0;
  virtual void Cancel() = 0;
  virtual void Resume() = 0;

 protected:
  // For Begin().
  grpc::ClientContext* context() {
    MutexLock lock(&context_mu_);
    return context_.get();
  }
  void TryCancel() {
    MutexLock lock(&context_mu_);
    if (context_ != nullptr) context_->TryCancel();
  }
  void LetGo() {
    MutexLock lock(&context_mu_);
    context_ = nullptr;
  }

 private:
  Mutex context_mu_;
  std::unique_ptr<grpc::ClientContext> context_ ABSL_GUARDED_BY(context_mu_) =
      std::make_unique<grpc::ClientContext>();
};

template <typename Request, typename Response>
class ResumableStream : public Attempts,
                        public Stream,
                        public std::enable_shared_from_this<ResumableStream<Request, Response>> {
 public:
  using Hooks = StreamHooks<Request, Response>;

  ResumableStream(GrpcLink* link, Request request, Hooks hooks, absl::Duration patience)
      : link_(link), patience_(patience), request_(std::move(request)), hooks_(std::move(hooks)) {}

  void Start() override {
    absl::Status sendable = internal::CheckNotForked();
    if (sendable.ok()) sendable = CheckRequestText(request_);
    if (!sendable.ok()) {
      if (hooks_.on_end) hooks_.on_end(sendable);
      return ended_.Notify();
    }
    self_ = this->shared_from_this();
    link_->active().Add(this);
    Try();
  }

  void Cancel() override { CancelNow(); }

  void Resume() override {
    if (const std::shared_ptr<StreamCall> call = UnderWay()) call->Resume();
  }

  void Restart() override {
    {
      MutexLock lock(&mu_);
      is_restart_wanted_ = true;
    }
    CancelAttempt();
  }

  void WaitForEnd() override { ended_.WaitForNotification(); }

 protected:
  virtual std::shared_ptr<StreamCall> MakeCall(BootTime deadline) = 0;

  // For the attempt.
  const Request& request() const { return request_; }
  Supply Next(Request* request) { return hooks_.next(request); }
  // Here and below an exception of the callback ends the program: gRPC would swallow it, and the
  // stream would never be over.
  Flow Deliver(Response&& response) noexcept {
    CallbackScope scope;
    return hooks_.on_message(std::move(response));
  }

  void NoteConnected() {
    link_->NoteReached();
    {
      MutexLock lock(&mu_);
      if (!broken_since_.has_value()) return;
      broken_since_.reset();
    }
    ResetPauses();
    TellConnection(grpc::Status::OK);
  }

  // The attempt is no more. `is_silent`: nothing has come by it.
  void OnAttemptDone(const grpc::Status& told, bool is_silent) {
    {
      MutexLock lock(&mu_);
      call_ = nullptr;
    }
    const grpc::Status status = EndOf(told);
    link_->NoteAnswer(status);
    if (IsCancelled()) return Finish(grpc::Status(grpc::StatusCode::CANCELLED, "cancelled"));
    if (TakeRestart()) return Try();
    if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) {
      return hooks_.has_heartbeat && is_silent ? Finish(status) : Try();
    }
    if (!IsBroken(status)) {
      if (hooks_.recover && hooks_.recover(static_cast<absl::StatusCode>(status.error_code())))
        return Try();
      return Finish(status);
    }
    if (!ScheduleRetry(status)) Finish(status);
  }

 private:
  std::shared_ptr<StreamCall> UnderWay() {
    MutexLock lock(&mu_);
    return call_;
  }

  void CancelAttempt() override {
    if (const std::shared_ptr<StreamCall> call = UnderWay()) call->Cancel();
  }

  void Try() override {
    grpc::Status unconnected;
    if (!HasConnection(&link_->connection(), BootTime::InfiniteFuture(), &unconnected)) return;
    if (!unconnected.ok()) return OnAttemptDone(unconnected, /*is_silent=*/true);
    TakeRestart();  // this attempt is one
    if (hooks_.prepare) hooks_.prepare(&request_);
    const BootTime deadline =
        BootTime::Now() + (hooks_.has_heartbeat ? kHeartbeatDeadline : kStreamDeadline);
    SetDeadline(deadline);
    // What begins here may be over before Begin() returns.
    const std::shared_ptr<ResumableStream> self = this->shared_from_this();
    const std::shared_ptr<StreamCall> call = MakeCall(deadline);
    {
      MutexLock lock(&mu_);
      call_ = call;
    }
    call->Begin();
    if (IsCancelled() || IsRestartWanted()) call->Cancel();
  }

  bool TakeRestart() {
    MutexLock lock(&mu_);
    return std::exchange(is_restart_wanted_, false);
  }

  bool IsRestartWanted() {
    MutexLock lock(&mu_);
    return is_restart_wanted_;
  }

  void TellConnection(const grpc::Status& status) noexcept {
    CallbackScope scope;
    if (hooks_.on_connection) hooks_.on_connection(link_->Tell(status));
  }

  bool ScheduleRetry(const grpc::Status& status) {
    const BootTime now = BootTime::Now();
    link_->BrokenSince(now);  // calls count from here, too
    bool is_news = false;
    BootTime end;
    {
      MutexLock lock(&mu_);
      is_news = !broken_since_.has_value();
      if (is_news) broken_since_ = now;
      end = *broken_since_ + patience_;
    }
    const std::optional<absl::Duration> pause =
        PauseAfter(link_->AttemptUntil(end, /*retry_wanted=*/true));
    if (!pause.has_value()) return false;
    if (is_news) TellConnection(status);
    TryAfter(*pause);
    return true;
  }

  void Finish(const grpc::Status& status) noexcept {
    std::shared_ptr<ResumableStream> self = std::move(self_);
    {
      CallbackScope scope;
      if (hooks_.on_end) hooks_.on_end(link_->Tell(status));
      hooks_ = Hooks();  // inside: what they hold may be the last of a Host
    }
    link_->active().Remove(this);
    ended_.Notify();
  }

  // Constant after construction.
  GrpcLink* const link_;
  const absl::Duration patience_;

  // Of the attempt under way, of which there is one at a time.
  Request request_;
  Hooks hooks_;
  std::shared_ptr<ResumableStream> self_;
  Notification ended_;

  Mutex mu_;
  bool is_restart_wanted_ ABSL_GUARDED_BY(mu_) = false;
  std::shared_ptr<StreamCall> call_ ABSL_GUARDED_BY(mu_);  // null: none is under way
  std::optional<BootTime> broken_since_ ABSL_GUARDED_BY(mu_);
};

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_WIRE_RESUMABLE_STREAM_H_
