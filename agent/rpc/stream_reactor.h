// The one server stream: a bounded queue of bytes in front of one write at a time.
//
// Every stream of the agent is "make a StreamReactor, subscribe it to something".
//
//  1. Begin        in the handler; the producer keeps the pointer and sets both hooks.
//  2. Push         from the producer's thread: queued, or false when full (then `on_drained` runs
//                  once there is room) or when the stream is ending. Between Hold and Release it is
//                  queued alone, so that small messages go out together.
//  3. OnWriteDone  starts the next write: gRPC allows one, and back-pressure is that it takes long.
//  4. Close        the producer has no more: Finish follows the last queued message.
//     End, OnCancel, a failed write: Finish at once, the queue is dropped.
//  5. OnDone       gRPC is through with it: `on_end` runs, the call leaves OpenCalls.
//
// Ownership:     shared by two real owners: gRPC, until OnDone (the reference the stream has to
//                itself), and the producer, which may push late and be refused.
// Thread-safety: thread-safe. Hooks run on gRPC threads, without a lock held; they only post.
// Blocking:      never blocks.
// Memory:        at most `max_queue_bytes` and one message waiting, one being written, and of small
//                ones (kSmallBytes) what gRPC gathers for one write (64 KiB).
#ifndef SHOAL_AGENT_RPC_STREAM_REACTOR_H_
#define SHOAL_AGENT_RPC_STREAM_REACTOR_H_

#include <grpcpp/support/server_callback.h>
#include <grpcpp/support/status.h>

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/core/access.h"
#include "agent/rpc/call_audit.h"
#include "agent/rpc/call_facts.h"
#include "agent/rpc/edge.h"
#include "agent/rpc/open_calls.h"
#include "agent/rpc/status_to_grpc.h"
#include "common/mutex.h"
#include "common/tsan.h"

namespace shoal::agent {

template <typename Message>
class StreamReactor final : public grpc::ServerWriteReactor<Message>, public OpenCall {
 public:
  static std::shared_ptr<StreamReactor> Begin(OpenCalls* calls, size_t max_queue_bytes) {
    std::shared_ptr<StreamReactor> stream(new StreamReactor(calls, max_queue_bytes));
    stream->self_ = stream;
    calls->Add(stream);
    // At once, so that a client that resumes knows that it is heard before anything happens.
    stream->StartSendInitialMetadata();
    return stream;
  }

  // For a call of the API: without a permit for its verb it has ended already. Its audit has the
  // decision from the loop, the result at the end.
  template <typename Request>
  static std::shared_ptr<StreamReactor> Begin(const Edge* edge,
                                              const absl::StatusOr<Permit>& permit,
                                              const Request& request, size_t max_queue_bytes) {
    std::shared_ptr<StreamReactor> stream = Begin(edge->calls, max_queue_bytes);
    const absl::Status allowed = CheckVerb(permit);
    if (!allowed.ok()) {
      stream->End(ToGrpc(allowed));
      return stream;
    }
    auto audit = std::make_unique<CallAudit>(edge->auditor, *permit, CallOf<Message>::Name(),
                                             FactsOf(request));
    {
      MutexLock lock(&stream->mu_);
      // A drain has ended it: there is nothing to tell.
      if (stream->finished_) return stream;
      stream->audit_ = std::move(audit);
      stream->on_reset_ = [edge, caller = *permit] { edge->callers->OnReset(caller); };
    }
    edge->Post(*permit, [edge, stream, permit = *permit] {
      edge->auditor->Find(permit, edge->supervisor, edge->trees);
      stream->audit_->Decided(absl::OkStatus());
    });
    return stream;
  }

  // Before the handler returns. `on_drained`: there is room again after a refusal. `on_end`: once,
  // last; the hooks (and what they own) are gone afterwards.
  void SetHooks(absl::AnyInvocable<void()> on_drained, absl::AnyInvocable<void()> on_end) {
    on_drained_ = std::move(on_drained);
    on_end_ = std::move(on_end);
    HandOver(this);
  }

  // True if a Push now would be taken; false asks for `on_drained`.
  bool HasRoom() {
    MutexLock lock(&mu_);
    return HasRoomLocked();
  }

  // False: full (`on_drained` will say when to try again) or ending; `message` is untouched then.
  bool Push(Message&& message, size_t bytes) {
    MutexLock lock(&mu_);
    if (!HasRoomLocked()) return false;
    queued_bytes_ += bytes;
    queue_.emplace_back(std::move(message), bytes);
    MaybeWrite();
    return true;
  }

  // By the producer alone: nothing is written meanwhile.
  void Hold() {
    MutexLock lock(&mu_);
    is_held_ = true;
  }
  void Release() {
    MutexLock lock(&mu_);
    is_held_ = false;
    MaybeWrite();
  }

  // Ends the stream with `status` once everything queued is written.
  void Close(const grpc::Status& status) {
    MutexLock lock(&mu_);
    if (closing_.has_value() || finished_) return;
    closing_ = status;
    MaybeWrite();
  }

  // Ends the stream with `status` now.
  void End(const grpc::Status& status) override {
    MutexLock lock(&mu_);
    FinishOnce(status);
  }

  bool IsEnding() const {
    MutexLock lock(&mu_);
    return finished_ || closing_.has_value();
  }

 private:
  static absl::Status CheckVerb(const absl::StatusOr<Permit>& permit) {
    if (!permit.ok() || permit->verb() == CallOf<Message>::kVerb) return permit.status();
    return absl::InternalError("the permit is for another call");
  }

  StreamReactor(OpenCalls* calls, size_t max_queue_bytes)
      : calls_(calls), max_queue_bytes_(max_queue_bytes) {}

  bool HasRoomLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (finished_ || closing_.has_value()) return false;
    if (queued_bytes_ < max_queue_bytes_) return true;
    wants_room_ = true;
    return false;
  }

  // Starts the next write, or the ending that waits for the queue, if no write is in flight.
  void MaybeWrite() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (finished_ || is_held_ || in_flight_.has_value()) return;
    if (queue_.empty()) {
      if (closing_.has_value()) FinishOnce(*closing_);
      return;
    }
    in_flight_ = std::move(queue_.front().first);
    const size_t bytes = queue_.front().second;
    queued_bytes_ -= bytes;
    queue_.pop_front();
    // What follows takes it along.
    grpc::WriteOptions options;
    if (bytes <= kSmallBytes && !queue_.empty()) options.set_buffer_hint();
    HandOver(this);
    this->StartWrite(&*in_flight_, options);
  }

  void FinishOnce(const grpc::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (std::exchange(finished_, true)) return;
    if (audit_ != nullptr) audit_->Finished(status);
    queue_.clear();
    queued_bytes_ = 0;
    HandOver(this);
    this->Finish(status);
  }

  void OnSendInitialMetadataDone(bool) override { const Reaction reaction(this); }

  void OnWriteDone(bool ok) override {
    const Reaction reaction(this);
    bool drained = false;
    {
      MutexLock lock(&mu_);
      in_flight_.reset();
      if (!ok) FinishOnce(grpc::Status(grpc::StatusCode::CANCELLED, "the client went away"));
      MaybeWrite();
      drained = wants_room_ && !finished_ && queued_bytes_ <= max_queue_bytes_ / 2;
      if (drained) wants_room_ = false;
    }
    if (drained && on_drained_) on_drained_();
  }

  void OnCancel() override {
    const Reaction reaction(this);
    absl::AnyInvocable<void()> on_reset;
    {
      MutexLock lock(&mu_);
      on_reset = std::exchange(on_reset_, nullptr);
    }
    if (on_reset) on_reset();
    End(grpc::Status(grpc::StatusCode::CANCELLED, "the client went away"));
  }

  void OnDone() override {
    TakeOver(this);
    // The thread that has called Finish is out of it, and so of gRPC's context of the call.
    { const MutexLock finish(&mu_); }
    calls_->Remove(this);
    on_drained_ = nullptr;
    if (on_end_) std::exchange(on_end_, nullptr)();
    std::exchange(self_, nullptr).reset();
  }

  static constexpr size_t kSmallBytes = 4096;

  OpenCalls* const calls_;
  const size_t max_queue_bytes_;
  absl::AnyInvocable<void()> on_drained_;  // constant until OnDone
  absl::AnyInvocable<void()> on_end_;
  std::shared_ptr<StreamReactor> self_;
  std::unique_ptr<CallAudit> audit_;  // constant after Begin

  mutable Mutex mu_;
  absl::AnyInvocable<void()> on_reset_ ABSL_GUARDED_BY(mu_);  // the client has reset it
  std::deque<std::pair<Message, size_t>> queue_ ABSL_GUARDED_BY(mu_);
  size_t queued_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  std::optional<Message> in_flight_ ABSL_GUARDED_BY(mu_);  // gRPC's until OnWriteDone
  std::optional<grpc::Status> closing_ ABSL_GUARDED_BY(mu_);
  bool wants_room_ ABSL_GUARDED_BY(mu_) = false;
  bool is_held_ ABSL_GUARDED_BY(mu_) = false;
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_RPC_STREAM_REACTOR_H_
