// A server stream that goes on over broken connections.
//
// Ownership:     as ResumableStream; an attempt by itself until gRPC is done with it.
// Thread-safety: thread-safe.
// Blocking:      never blocks.
// Errors:        go to on_end.
#ifndef SHOAL_CLIENT_SHOAL_WIRE_READING_STREAM_H_
#define SHOAL_CLIENT_SHOAL_WIRE_READING_STREAM_H_

#include <grpcpp/support/client_callback.h>

#include <functional>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "common/boot_time.h"
#include "common/mutex.h"
#include "common/tsan.h"
#include "shoal/wire/resumable_stream.h"

namespace shoal {

template <typename Request, typename Response>
class ReadingStream final : public ResumableStream<Request, Response> {
  using Base = ResumableStream<Request, Response>;

 public:
  // Calls the method of the stub.
  using Method =
      std::function<void(grpc::ClientContext*, const Request*, grpc::ClientReadReactor<Response>*)>;

  ReadingStream(GrpcLink* link, Method method, Request request, typename Base::Hooks hooks,
                absl::Duration patience)
      : Base(link, std::move(request), std::move(hooks), patience), method_(std::move(method)) {}

 private:
  class Reader final : public StreamCall, public grpc::ClientReadReactor<Response> {
   public:
    Reader(ReadingStream* stream, BootTime deadline) : StreamCall(deadline), stream_(stream) {}

    void SetSelf(std::shared_ptr<Reader> self) { self_ = std::move(self); }

    void Begin() override {
      stream_->method_(context(), &stream_->request(), this);
      this->AddHold();  // Resume() reads from outside a reaction
      Read();
      this->StartCall();
    }

    // A message that was already here may still be delivered; no pause may follow it.
    void Cancel() override {
      TryCancel();
      {
        MutexLock lock(&mu_);
        is_cancelled_ = true;
      }
      Resume();
    }

    void Resume() override {
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
      const std::shared_ptr<Reader> self = std::move(self_);
      LetGo();
      stream_->OnAttemptDone(status, /*is_silent=*/!IsHeard());
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

    ReadingStream* const stream_;
    std::shared_ptr<Reader> self_;  // until gRPC is done with it
    Response response_;
    Mutex mu_;
    bool is_delivering_ ABSL_GUARDED_BY(mu_) = false;
    bool is_paused_ ABSL_GUARDED_BY(mu_) = false;
    bool resume_wanted_ ABSL_GUARDED_BY(mu_) = false;
    bool is_cancelled_ ABSL_GUARDED_BY(mu_) = false;
    bool is_heard_ ABSL_GUARDED_BY(mu_) = false;  // a message has come
  };

  std::shared_ptr<StreamCall> MakeCall(BootTime deadline) override {
    auto reader = std::make_shared<Reader>(this, deadline);
    reader->SetSelf(reader);
    return reader;
  }

  const Method method_;
};

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_WIRE_READING_STREAM_H_
