// A server stream that goes on over broken connections.
//
//   1. Start() makes the first attempt: `prepare` writes into the request where to go on      Try
//   2. each message goes to on_message; what that says decides whether to read on
//   Reader::OnReadDone
//   3. an attempt ends: cancelled, complete or hopeless → Finish; else an alarm, then again
//   OnAttemptDone
//   4. on_end, once; then the stream is no longer counted and its Subscription may go Finish
//
// Ownership:     shared by the Subscription and, until Finish(), by itself.
// Thread-safety: thread-safe. Hooks are called one at a time, without a mutex held.
#ifndef SHOAL_CLIENT_SHOAL_WIRE_RESUMABLE_STREAM_H_
#define SHOAL_CLIENT_SHOAL_WIRE_RESUMABLE_STREAM_H_

#include <grpcpp/alarm.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>

#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "shoal/call.h"
#include "shoal/wire/host_rep.h"
#include "shoal/wire/wire_status.h"

namespace shoal {

// Every call has a deadline; a stream that comes to it is resumed at once, unseen by its reader.
inline constexpr absl::Duration kStreamDeadline = absl::Hours(1);

template <typename Request, typename Response>
struct StreamHooks {
  std::function<void(grpc::ClientContext*, const Request*, grpc::ClientReadReactor<Response>*)>
      method;
  // Writes into the request where to go on. Before each attempt.
  std::function<void(Request*)> prepare;
  absl::AnyInvocable<Flow(const Response&)> on_message;
  // True: this error is one that another attempt, prepared anew, gets over.
  std::function<bool(const grpc::Status&)> recover;
  absl::AnyInvocable<void(const absl::Status&)> on_connection;
  absl::AnyInvocable<void(const absl::Status&)> on_end;
};

template <typename Request, typename Response>
class ResumableStream final
    : public Cancellable,
      public std::enable_shared_from_this<ResumableStream<Request, Response>> {
 public:
  using Hooks = StreamHooks<Request, Response>;

  ResumableStream(Host::Rep* rep, Request request, Hooks hooks, absl::Duration patience)
      : rep_(rep), patience_(patience), request_(std::move(request)), hooks_(std::move(hooks)) {}

  void Start() {
    self_ = this->shared_from_this();
    rep_->active.Add(this);
    Try();
  }

  void CancelNow() override {
    absl::MutexLock lock(&mu_);
    is_cancelled_ = true;
    if (reader_ != nullptr) reader_->Cancel();
    if (alarm_ != nullptr) alarm_->Cancel();
  }

  void Resume() {
    absl::MutexLock lock(&mu_);
    if (reader_ != nullptr) reader_->Resume();
  }

  void WaitForEnd() { ended_.WaitForNotification(); }

 private:
  // One attempt; deleted when gRPC is done with it.
  class Reader final : public grpc::ClientReadReactor<Response> {
   public:
    explicit Reader(ResumableStream* stream) : stream_(stream) {
      context_.set_deadline(absl::ToChronoTime(absl::Now() + kStreamDeadline));
    }

    void Begin() {
      stream_->hooks_.method(&context_, &stream_->request_, this);
      this->AddHold();  // Resume() reads from outside a reaction
      this->StartRead(&response_);
      this->StartCall();
    }

    // A message that was already here may still be delivered; no pause may follow it.
    void Cancel() {
      context_.TryCancel();
      {
        absl::MutexLock lock(&mu_);
        is_cancelled_ = true;
      }
      Resume();
    }

    void Resume() {
      absl::MutexLock lock(&mu_);
      if (is_paused_) {
        is_paused_ = false;
        this->StartRead(&response_);
      } else if (is_delivering_) {
        resume_wanted_ = true;
      }
    }

    void OnReadInitialMetadataDone(bool ok) override {
      if (ok) stream_->NoteConnected();
    }

    void OnReadDone(bool ok) override {
      if (!ok) {
        this->RemoveHold();
        return;
      }
      stream_->NoteConnected();
      {
        absl::MutexLock lock(&mu_);
        is_delivering_ = true;
      }
      Flow flow = stream_->Deliver(response_);
      absl::MutexLock lock(&mu_);
      is_delivering_ = false;
      is_paused_ = flow == Flow::kPause && !resume_wanted_ && !is_cancelled_;
      resume_wanted_ = false;
      if (!is_paused_) this->StartRead(&response_);
    }

    void OnDone(const grpc::Status& status) override {
      ResumableStream* stream = stream_;
      stream->ForgetReader();
      delete this;
      stream->OnAttemptDone(status);
    }

   private:
    ResumableStream* const stream_;
    grpc::ClientContext context_;
    Response response_;
    absl::Mutex mu_;
    bool is_delivering_ ABSL_GUARDED_BY(mu_) = false;
    bool is_paused_ ABSL_GUARDED_BY(mu_) = false;
    bool resume_wanted_ ABSL_GUARDED_BY(mu_) = false;
    bool is_cancelled_ ABSL_GUARDED_BY(mu_) = false;
  };

  void Try() {
    if (hooks_.prepare) hooks_.prepare(&request_);
    auto* reader = new Reader(this);
    absl::MutexLock lock(&mu_);
    reader_ = reader;
    reader->Begin();
    if (is_cancelled_) reader->Cancel();
  }

  void ForgetReader() {
    absl::MutexLock lock(&mu_);
    reader_ = nullptr;
  }

  Flow Deliver(const Response& response) {
    CallbackScope scope;
    return hooks_.on_message(response);
  }

  void NoteConnected() {
    rep_->NoteReached();
    {
      absl::MutexLock lock(&mu_);
      if (!broken_since_.has_value()) return;
      broken_since_.reset();
      backoff_.Reset();
    }
    TellConnection(grpc::Status::OK);
  }

  void TellConnection(const grpc::Status& status) {
    CallbackScope scope;
    if (hooks_.on_connection) hooks_.on_connection(FromWire(rep_->address, status));
  }

  bool IsCancelled() {
    absl::MutexLock lock(&mu_);
    return is_cancelled_;
  }

  void OnAttemptDone(const grpc::Status& status) {
    rep_->NoteAnswer(status);
    if (IsCancelled()) return Finish(grpc::Status(grpc::StatusCode::CANCELLED, "cancelled"));
    if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) return Try();
    if (!IsBroken(status)) {
      if (hooks_.recover && hooks_.recover(status)) return Try();
      return Finish(status);
    }
    if (!ScheduleRetry(status)) Finish(status);
  }

  bool ScheduleRetry(const grpc::Status& status) {
    absl::Time now = absl::Now();
    rep_->BrokenSince(now);  // calls count from here, too
    bool is_news = false;
    std::optional<absl::Duration> pause;
    {
      absl::MutexLock lock(&mu_);
      is_news = !broken_since_.has_value();
      if (is_news) broken_since_ = now;
      pause =
          PauseBeforeRetry(rep_->AttemptUntil(*broken_since_ + patience_, true), now, &backoff_);
    }
    if (!pause.has_value()) return false;
    if (is_news) TellConnection(status);
    absl::MutexLock lock(&mu_);
    alarm_ = std::make_unique<grpc::Alarm>();
    alarm_->Set(absl::ToChronoTime(now + *pause), [this](bool) { OnAlarm(); });
    if (is_cancelled_) alarm_->Cancel();
    return true;
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
    std::shared_ptr<ResumableStream> self = std::move(self_);
    {
      CallbackScope scope;
      if (hooks_.on_end) hooks_.on_end(FromWire(rep_->address, status));
    }
    rep_->active.Remove(this);
    ended_.Notify();
  }

  // Constant after construction.
  Host::Rep* const rep_;
  const absl::Duration patience_;

  // Of the attempt under way, of which there is one at a time.
  Request request_;
  Hooks hooks_;
  std::shared_ptr<ResumableStream> self_;
  absl::Notification ended_;

  absl::Mutex mu_;  // before Reader::mu_
  bool is_cancelled_ ABSL_GUARDED_BY(mu_) = false;
  Reader* reader_ ABSL_GUARDED_BY(mu_) = nullptr;
  std::unique_ptr<grpc::Alarm> alarm_ ABSL_GUARDED_BY(mu_);
  std::optional<absl::Time> broken_since_ ABSL_GUARDED_BY(mu_);
  Backoff backoff_ ABSL_GUARDED_BY(mu_);
};

// The Subscription that a caller holds.
template <typename Stream>
class StreamSubscription final : public Subscription {
 public:
  explicit StreamSubscription(std::shared_ptr<Stream> stream) : stream_(std::move(stream)) {}
  ~StreamSubscription() override {
    stream_->CancelNow();
    stream_->WaitForEnd();
  }
  void Cancel() override { stream_->CancelNow(); }
  void Resume() override { stream_->Resume(); }

 private:
  const std::shared_ptr<Stream> stream_;
};

template <typename Request, typename Response>
std::unique_ptr<Subscription> StartStream(Host::Rep* rep, Request request,
                                          StreamHooks<Request, Response> hooks,
                                          absl::Duration patience) {
  using Stream = ResumableStream<Request, Response>;
  auto stream = std::make_shared<Stream>(rep, std::move(request), std::move(hooks), patience);
  stream->Start();
  return std::make_unique<StreamSubscription<Stream>>(std::move(stream));
}

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_WIRE_RESUMABLE_STREAM_H_
