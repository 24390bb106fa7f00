// A stream that the client writes, and of which the agent tells how far it has come, over broken connections.
//
// One attempt:
//   1. Begin           the first read; what there is to send is asked for: a   MaybeWrite
//                      Resume() before that is heeded by it
//   2. OnWriteDone     gRPC has taken the message: the next one is asked for   MaybeWrite
//   3. OnReadDone      the agent says how far it is
//   4. `next` has no more: the agent ends the call when it has taken all       StartWritesDone
//   5. OnReadDone(false) and nothing is being written: OnDone comes            MaybeLetGo
//
// Ownership:     as ResumableStream; an attempt by itself until gRPC is done with it.
// Thread-safety: thread-safe. `next` is called on any thread, Resume()'s among them; never twice at once, and not
//                after on_end.
// Blocking:      never blocks: gRPC takes a message when it has room for it.
// Errors:        go to on_end.
#ifndef SHOAL_CLIENT_SHOAL_WIRE_WRITING_STREAM_H_
#define SHOAL_CLIENT_SHOAL_WIRE_WRITING_STREAM_H_

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
class WritingStream final : public ResumableStream<Request, Response> {
  using Base = ResumableStream<Request, Response>;

 public:
  // Calls the method of the stub.
  using Method =
      std::function<void(grpc::ClientContext*, grpc::ClientBidiReactor<Request, Response>*)>;

  WritingStream(GrpcLink* link, Method method, typename Base::Hooks hooks, absl::Duration patience)
      : Base(link, Request(), std::move(hooks), patience), method_(std::move(method)) {}

 private:
  class Writer final : public StreamCall, public grpc::ClientBidiReactor<Request, Response> {
   public:
    Writer(WritingStream* stream, BootTime deadline) : StreamCall(deadline), stream_(stream) {}

    void SetSelf(std::shared_ptr<Writer> self) { self_ = std::move(self); }

    void Begin() override {
      stream_->method_(context(), this);
      this->AddHold();  // Resume() writes from outside a reaction
      Read();
      this->StartCall();
      {
        MutexLock lock(&mu_);
        has_begun_ = true;
      }
      MaybeWrite();
    }

    void Cancel() override { TryCancel(); }

    void Resume() override { MaybeWrite(); }

    void OnReadInitialMetadataDone(bool ok) override {
      const Reaction reaction(this);
      if (ok) stream_->NoteConnected();
    }

    void OnReadDone(bool ok) override {
      const Reaction reaction(this);
      if (ok) {
        stream_->NoteConnected();
        stream_->Deliver(std::move(response_));
        Read();
        return MaybeWrite();  // what has come may make room
      }
      MutexLock lock(&mu_);
      is_over_ = true;
      MaybeLetGo();
    }

    void OnWriteDone(bool ok) override {
      const Reaction reaction(this);
      {
        MutexLock lock(&mu_);
        is_busy_ = false;
        if (!ok) is_broken_ = true;  // the read that ends it is next
        MaybeLetGo();
      }
      if (ok) MaybeWrite();
    }

    void OnWritesDoneDone(bool) override { const Reaction reaction(this); }

    void OnDone(const grpc::Status& status) override {
      TakeOver(this);
      const std::shared_ptr<Writer> self = std::move(self_);
      LetGo();
      stream_->OnAttemptDone(status, /*is_silent=*/false);
    }

   private:
    void Read() {
      HandOver(this);
      this->StartRead(&response_);
    }

    // One at a time asks for the next message, and sends it.
    void MaybeWrite() {
      {
        MutexLock lock(&mu_);
        has_more_ = true;
        if (!has_begun_ || is_busy_ || is_broken_ || is_over_) return;
        is_busy_ = true;
      }
      while (TakeMore()) {
        const Supply supply = stream_->Next(&request_);
        MutexLock lock(&mu_);
        if (supply != Supply::kNothing) return Send(supply);
      }
    }

    // False: nothing has come since it was asked for last.
    bool TakeMore() {
      MutexLock lock(&mu_);
      if (std::exchange(has_more_, false)) return true;
      is_busy_ = false;
      MaybeLetGo();
      return false;
    }

    void Send(Supply supply) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
      HandOver(this);
      if (!is_over_ && supply == Supply::kMessage) {
        this->StartWrite(&request_);
        return;
      }
      if (!is_over_) this->StartWritesDone();
      is_busy_ = false;
      is_broken_ = true;
      MaybeLetGo();
    }

    void MaybeLetGo() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
      if (!is_over_ || is_busy_ || std::exchange(is_let_go_, true)) return;
      HandOver(this);
      this->RemoveHold();
    }

    WritingStream* const stream_;
    std::shared_ptr<Writer> self_;  // until gRPC is done with it
    Request request_;               // of the one that is busy; gRPC's until OnWriteDone
    Response response_;
    Mutex mu_;
    bool has_begun_ ABSL_GUARDED_BY(mu_) = false;  // before, gRPC has no call for this
    bool has_more_ ABSL_GUARDED_BY(mu_) = false;   // since `next` was asked last
    bool is_busy_ ABSL_GUARDED_BY(mu_) = false;    // `next` is asked, or a message is being written
    bool is_broken_ ABSL_GUARDED_BY(mu_) = false;  // nothing more is sent
    bool is_over_ ABSL_GUARDED_BY(mu_) = false;    // nothing more comes
    bool is_let_go_ ABSL_GUARDED_BY(mu_) = false;
  };

  std::shared_ptr<StreamCall> MakeCall(BootTime deadline) override {
    auto writer = std::make_shared<Writer>(this, deadline);
    writer->SetSelf(writer);
    return writer;
  }

  const Method method_;
};

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_WIRE_WRITING_STREAM_H_
