// One unary call that is answered later, from the loop; a cancel ends it at once.
//
//  1. Begin      asks for the caller's permit, for the verb of this response. Without one the call
//                has ended already.
//  2. CarryOut   on the loop: asks what rule is left, leaves the line of the decision in the audit,
//                goes on.
//  3. FinishOnce leaves the line of the result.
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
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
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

template <typename Response>
class UnaryCall final : public grpc::ServerUnaryReactor,
                        public OpenCall,
                        public std::enable_shared_from_this<UnaryCall<Response>> {
 public:
  template <typename Request>
  static std::shared_ptr<UnaryCall> Begin(const Edge* edge,
                                          const grpc::CallbackServerContext& context,
                                          const Request& request, Response* response) {
    std::shared_ptr<UnaryCall> call(new UnaryCall(edge, response));
    call->self_ = call;
    edge->calls->Add(call);
    absl::StatusOr<Permit> permit = edge->callers->Authorize(context, CallOf<Response>::kVerb);
    if (!permit.ok()) {
      call->Fail(permit.status());
      return call;
    }
    call->audit_ = std::make_unique<CallAudit>(edge->auditor, *permit, CallOf<Response>::Name(),
                                               FactsOf(request));
    call->permit_ = *std::move(permit);
    return call;
  }

  bool has_permit() const { return permit_.has_value(); }
  // REQUIRES: has_permit().
  const Permit& permit() const { return *permit_; }

  // Runs `go` on the loop, once the decision stands in the audit where that is required; else the
  // call fails. `decide` asks on the loop what rule is left; when it refuses, `go` runs all the
  // same, and is refused by the core.
  template <typename Decide>
  void CarryOut(Decide decide, absl::AnyInvocable<void()> go) {
    edge_->Post(*permit_, [call = this->shared_from_this(), decide = std::move(decide),
                           go = std::move(go)]() mutable {
      const Edge* const edge = call->edge_;
      edge->auditor->Find(*call->permit_, edge->supervisor, edge->trees);
      const absl::Status decision = decide();
      if (!decision.ok() || !call->audit_->IsRequired()) {
        call->audit_->Decided(decision);
        return go();
      }
      call->audit_->DecidedThen([call, go = std::move(go)](absl::Status written) mutable {
        if (!written.ok()) return call->Fail(written);
        call->edge_->Post(*call->permit_, std::move(go));
      });
    });
  }
  void CarryOut(absl::AnyInvocable<void()> go) {
    CarryOut([] { return absl::OkStatus(); }, std::move(go));
  }

  // Where nothing is asked of the loop.
  void Allow() { audit_->Decided(absl::OkStatus()); }

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
    FinishOnce(grpc::Status::OK, ResultOf(*response_));
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
  UnaryCall(const Edge* edge, Response* response) : edge_(edge), response_(response) {}

  void FinishOnce(const grpc::Status& status, CallResult result = {})
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (std::exchange(finished_, true)) return;
    if (audit_ != nullptr) audit_->Finished(status, std::move(result));
    HandOver(this);
    Finish(status);
  }

  void OnCancel() override {
    const Reaction reaction(this);
    if (permit_.has_value()) edge_->callers->OnReset(*permit_);
    End(grpc::Status(grpc::StatusCode::CANCELLED, "the client went away"));
    if (on_cancel_) std::exchange(on_cancel_, nullptr)();
  }

  void OnDone() override {
    TakeOver(this);
    // The thread that has called Finish is out of it, and so of gRPC's context of the call.
    { const MutexLock finish(&mu_); }
    edge_->calls->Remove(this);
    on_cancel_ = nullptr;
    std::exchange(self_, nullptr).reset();
  }

  const Edge* const edge_;
  Response* const response_;  // gRPC's, until Finish
  absl::AnyInvocable<void()> on_cancel_;
  std::shared_ptr<UnaryCall> self_;
  // Constant once Begin has returned; null and absent where it was refused.
  std::optional<Permit> permit_;
  std::unique_ptr<CallAudit> audit_;

  mutable Mutex mu_;
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_RPC_UNARY_CALL_H_
