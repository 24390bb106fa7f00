// A server stream that goes on over broken connections.
//
//   1. Try: the first attempt (Start). `prepare` writes into the request where to go on.
//   2. Reader::OnReadDone: each message goes to on_message, which decides whether to read on.
//   3. OnAttemptDone: an attempt ends: cancelled, complete or hopeless → Finish; else an alarm,
//      then Try again. Restart() ends an attempt so that the next one, prepared anew, begins at
//      once.
//   4. Finish: on_end, once; then the stream is no longer counted and its reader may go.
//
// Ownership:     shared by its reader and, until Finish(), by itself.
// Thread-safety: thread-safe. Hooks are called one at a time, without a mutex held.
#ifndef SHOAL_CLIENT_SHOAL_WIRE_RESUMABLE_STREAM_H_
#define SHOAL_CLIENT_SHOAL_WIRE_RESUMABLE_STREAM_H_

#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>

#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "common/boot_time.h"
#include "common/grpc_deadline.h"
#include "common/mutex.h"
#include "common/notification.h"
#include "common/tsan.h"
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

template <typename Request, typename Response>
class ResumableStream final
    : public Attempts,
      public Stream,
      public std::enable_shared_from_this<ResumableStream<Request, Response>> {
 public:
  using Hooks = StreamHooks<Request, Response>;
  // Calls the method of the stub.
  using Method =
      std::function<void(grpc::ClientContext*, const Request*, grpc::ClientReadReactor<Response>*)>;

  ResumableStream(GrpcLink* link, Method method, Request request, Hooks hooks,
                  absl::Duration patience)
      : link_(link),
        method_(std::move(method)),
        patience_(patience),
        request_(std::move(request)),
        hooks_(std::move(hooks)) {}

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
    MutexLock lock(&mu_);
    if (reader_ != nullptr) reader_->Resume();
  }

  void Restart() override {
    MutexLock lock(&mu_);
    is_restart_wanted_ = true;
    if (reader_ != nullptr) reader_->Cancel();
  }

  void WaitForEnd() override { ended_.WaitForNotification(); }

 private:
  // One attempt; deleted when gRPC is done with it.
  class Reader final : public grpc::ClientReadReactor<Response> {
   public:
    Reader(ResumableStream* stream, BootTime deadline) : stream_(stream) {
      context_.set_deadline(GrpcDeadline(deadline));
    }

    void Begin() {
      stream_->method_(&context_, &stream_->request_, this);
      this->AddHold();  // Resume() reads from outside a reaction
      Read();
      this->StartCall();
    }

    // A message that was already here may still be delivered; no pause may follow it.
    void Cancel() {
      context_.TryCancel();
      {
        MutexLock lock(&mu_);
        is_cancelled_ = true;
      }
      Resume();
    }

    void Resume() {
      MutexLock lock(&mu_);
      if (is_paused_) {
        is_paused_ = false;
        Read();
      } else if (is_delivering_) {
        resume_wanted_ = true;
      }
    }

    void OnReadInitialMetadataDone(bool ok) override {
      const Reaction reaction(this);
      if (ok) stream_->NoteConnected();
    }

    void OnReadDone(bool ok) override {
      const Reaction reaction(this);
      if (!ok) {
        HandOver(this);
        this->RemoveHold();
        return;
      }
      stream_->NoteConnected();
      {
        MutexLock lock(&mu_);
        is_delivering_ = true;
        is_heard_ = true;
      }
      Flow flow = stream_->Deliver(std::move(response_));
      MutexLock lock(&mu_);
      is_delivering_ = false;
      is_paused_ = flow == Flow::kPause && !resume_wanted_ && !is_cancelled_;
      resume_wanted_ = false;
      if (!is_paused_) Read();
    }

    void OnDone(const grpc::Status& status) override {
      TakeOver(this);
      ResumableStream* stream = stream_;
      const bool is_silent = !IsHeard();
      stream->ForgetReader();
      delete this;
      stream->OnAttemptDone(status, is_silent);
    }

   private:
    bool IsHeard() {
      MutexLock lock(&mu_);
      return is_heard_;
    }

    void Read() {
      HandOver(this);
      this->StartRead(&response_);
    }

    ResumableStream* const stream_;
    grpc::ClientContext context_;
    Response response_;
    Mutex mu_;
    bool is_delivering_ ABSL_GUARDED_BY(mu_) = false;
    bool is_paused_ ABSL_GUARDED_BY(mu_) = false;
    bool resume_wanted_ ABSL_GUARDED_BY(mu_) = false;
    bool is_cancelled_ ABSL_GUARDED_BY(mu_) = false;
    bool is_heard_ ABSL_GUARDED_BY(mu_) = false;  // a message has come
  };

  void CancelAttempt() override {
    MutexLock lock(&mu_);
    if (reader_ != nullptr) reader_->Cancel();
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
    auto* reader = new Reader(this, deadline);
    MutexLock lock(&mu_);
    reader_ = reader;
    reader->Begin();
    if (IsCancelled() || is_restart_wanted_) reader->Cancel();
  }

  bool TakeRestart() {
    MutexLock lock(&mu_);
    return std::exchange(is_restart_wanted_, false);
  }

  void ForgetReader() {
    MutexLock lock(&mu_);
    reader_ = nullptr;
  }

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

  void TellConnection(const grpc::Status& status) noexcept {
    CallbackScope scope;
    if (hooks_.on_connection) hooks_.on_connection(link_->Tell(status));
  }

  void OnAttemptDone(const grpc::Status& told, bool is_silent) {
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
    }
    link_->active().Remove(this);
    ended_.Notify();
  }

  // Constant after construction.
  GrpcLink* const link_;
  const Method method_;
  const absl::Duration patience_;

  // Of the attempt under way, of which there is one at a time.
  Request request_;
  Hooks hooks_;
  std::shared_ptr<ResumableStream> self_;
  Notification ended_;

  Mutex mu_;  // before Reader::mu_
  bool is_restart_wanted_ ABSL_GUARDED_BY(mu_) = false;
  Reader* reader_ ABSL_GUARDED_BY(mu_) = nullptr;
  std::optional<BootTime> broken_since_ ABSL_GUARDED_BY(mu_);
};

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_WIRE_RESUMABLE_STREAM_H_
