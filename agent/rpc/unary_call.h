// One unary call that is answered later, from the loop; a cancel ends it at once.
//
// Ownership:     shared by two real owners: gRPC, until OnDone (the reference the call has to
//                itself), and the closure on the loop that will answer. The later one frees it.
// Thread-safety: thread-safe.
// Blocking:      never blocks.
// Endings:       FinishOnce under the mutex: the first of Answer, Fail, End and OnCancel wins; the
//                others do nothing, so the response is never touched after gRPC has it.
#ifndef SHOAL_AGENT_RPC_UNARY_CALL_H_
#define SHOAL_AGENT_RPC_UNARY_CALL_H_

#include <grpcpp/support/server_callback.h>
#include <grpcpp/support/status.h>

#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/core/access.h"
#include "agent/rpc/open_calls.h"
#include "agent/rpc/status_to_grpc.h"
#include "common/mutex.h"
#include "common/tsan.h"

namespace shoal::agent {

template <typename Response>
class UnaryCall final : public grpc::ServerUnaryReactor, public OpenCall {
 public:
  // Without a permit the call has ended already.
  static std::shared_ptr<UnaryCall> Begin(OpenCalls* calls, const absl::StatusOr<Permit>& permit,
                                          Response* response) {
    std::shared_ptr<UnaryCall> call(new UnaryCall(calls, response));
    call->self_ = call;
    calls->Add(call);
    if (!permit.ok()) call->Fail(permit.status());
    return call;
  }

  // What to drop when the client goes away; runs at most once, on a gRPC thread. Only before the
  // handler returns.
  void SetOnCancel(absl::AnyInvocable<void()> on_cancel) {
    on_cancel_ = std::move(on_cancel);
    HandOver(this);
  }

  // Fills the response and ends the call well, if nothing has ended it yet.
  void Answer(absl::FunctionRef<void(Response*)> fill) {
    MutexLock lock(&mu_);
    if (finished_) return;
    fill(response_);
    FinishOnce(grpc::Status::OK);
  }

  void Fail(const absl::Status& status) { End(ToGrpc(status)); }

  // The same, for a handler that refuses.
  UnaryCall* Failed(const absl::Status& status) {
    Fail(status);
    return this;
  }

  void End(const grpc::Status& status) override {
    MutexLock lock(&mu_);
    FinishOnce(status);
  }

  // The call is finished or cancelled: no answer is wanted any more.
  bool IsFinished() const {
    MutexLock lock(&mu_);
    return finished_;
  }

 private:
  UnaryCall(OpenCalls* calls, Response* response) : calls_(calls), response_(response) {}

  void FinishOnce(const grpc::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (std::exchange(finished_, true)) return;
    HandOver(this);
    Finish(status);
  }

  void OnCancel() override {
    const Reaction reaction(this);
    End(grpc::Status(grpc::StatusCode::CANCELLED, "the client went away"));
    if (on_cancel_) std::exchange(on_cancel_, nullptr)();
  }

  void OnDone() override {
    TakeOver(this);
    // The thread that has called Finish is out of it, and so of gRPC's context of the call.
    { const MutexLock finish(&mu_); }
    calls_->Remove(this);
    on_cancel_ = nullptr;
    std::exchange(self_, nullptr).reset();
  }

  OpenCalls* const calls_;
  Response* const response_;  // gRPC's, until Finish
  absl::AnyInvocable<void()> on_cancel_;
  std::shared_ptr<UnaryCall> self_;

  mutable Mutex mu_;
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_RPC_UNARY_CALL_H_
