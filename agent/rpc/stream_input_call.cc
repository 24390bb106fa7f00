#include "agent/rpc/stream_input_call.h"

#include <utility>

#include "agent/rpc/call_facts.h"
#include "agent/rpc/process_conversion.h"
#include "agent/rpc/status_to_grpc.h"
#include "agent/rpc/write_input.h"
#include "common/tsan.h"

namespace shoal::agent {
namespace {

constexpr int kMostUnderWay = 2;

}  // namespace

StreamInputCall::Reactor* StreamInputCall::Begin(const Edge* edge,
                                                 const absl::StatusOr<Permit>& permit) {
  std::shared_ptr<StreamInputCall> call(new StreamInputCall(edge, permit));
  call->self_ = call;
  if (permit.ok()) {
    call->audit_ = std::make_unique<CallAudit>(
        edge->auditor, *permit, CallOf<v1::StreamInputResponse>::Name(), CallFacts());
  }
  call->idle_limit_ = IdleLimit::Begin(edge, call);
  edge->calls->Add(call);
  absl::Status may = permit.status();
  if (may.ok()) {
    absl::StatusOr<std::shared_ptr<CallQuota::Lease>> lease =
        edge->quota->Take(CallQuota::Kind::kInput, *permit);
    may = lease.status();
    if (lease.ok()) call->lease_ = *std::move(lease);
  }
  if (!may.ok()) call->End(ToGrpc(may));
  MutexLock lock(&call->mu_);
  call->MaybeRead();
  return call.get();
}

void StreamInputCall::OnReadDone(bool ok) {
  const Reaction reaction(this);
  MutexLock lock(&mu_);
  is_reading_ = false;
  if (finished_) return;
  if (!ok) {
    has_read_all_ = true;
    return MaybeFinish();
  }
  ++under_way_;
  idle_limit_->Note(/*is_waiting=*/true);
  edge_->Post(*permit_, [self = self_, piece = std::move(request_)]() mutable {
    self->Take(std::move(piece));
  });
  MaybeRead();
}

void StreamInputCall::Take(v1::StreamInputRequest piece) {
  {
    MutexLock lock(&mu_);
    if (finished_) return;
  }
  if (!first_.has_value()) {
    first_.emplace();
    first_->set_selector(piece.selector());
    first_->set_writer(piece.writer());
    audit_->SetFacts(FactsOf(*first_));
    edge_->auditor->Find(*permit_, edge_->supervisor, edge_->trees);
    audit_->Decided(absl::OkStatus());
  }
  absl::StatusOr<WriteInputCommand> command = ToCommand(std::move(piece), *first_, *permit_);
  if (!command.ok()) return End(ToGrpc(command.status()));
  edge_->supervisor->WriteInput(
      *std::move(command), ticket_,
      [self = shared_from_this()](absl::StatusOr<InputAnswer> answer) { self->OnKept(answer); });
}

void StreamInputCall::OnKept(const absl::StatusOr<InputAnswer>& answer) {
  if (!answer.ok()) return End(ToGrpc(answer.status()));
  MutexLock lock(&mu_);
  if (finished_) return;
  --under_way_;
  idle_limit_->Note(/*is_waiting=*/under_way_ > 0);
  SetInput(*answer->process, news_.emplace().mutable_position());
  MaybeTell();
  MaybeRead();
  MaybeFinish();
}

void StreamInputCall::MaybeRead() {
  if (finished_ || has_read_all_ || is_reading_ || under_way_ >= kMostUnderWay) return;
  is_reading_ = true;
  HandOver(this);
  StartRead(&request_);
}

void StreamInputCall::MaybeTell() {
  if (finished_ || is_telling_ || !news_.has_value()) return;
  is_telling_ = true;
  telling_ = *std::exchange(news_, std::nullopt);
  HandOver(this);
  StartWrite(&telling_);
}

void StreamInputCall::OnWriteDone(bool ok) {
  const Reaction reaction(this);
  MutexLock lock(&mu_);
  is_telling_ = false;
  if (!ok) {
    return FinishOnce(grpc::Status(grpc::StatusCode::CANCELLED, "the client went away"));
  }
  MaybeTell();
  MaybeFinish();
}

void StreamInputCall::MaybeFinish() {
  if (has_read_all_ && under_way_ == 0 && !is_telling_ && !news_.has_value()) {
    FinishOnce(grpc::Status::OK);
  }
}

void StreamInputCall::End(const grpc::Status& status) {
  MutexLock lock(&mu_);
  FinishOnce(status);
}

void StreamInputCall::FinishOnce(const grpc::Status& status) {
  if (std::exchange(finished_, true)) return;
  if (audit_ != nullptr) audit_->Finished(status);
  HandOver(this);
  Finish(status);
}

void StreamInputCall::OnCancel() {
  const Reaction reaction(this);
  if (permit_.ok()) edge_->callers->OnReset(*permit_);
  End(grpc::Status(grpc::StatusCode::CANCELLED, "the client went away"));
}

void StreamInputCall::OnDone() {
  TakeOver(this);
  // The thread that has called Finish is out of it, and so of gRPC's context of the call.
  { const MutexLock finish(&mu_); }
  edge_->calls->Remove(this);
  idle_limit_->Stop();
  edge_->loop->Post([self = std::exchange(self_, nullptr)] {
    self->edge_->supervisor->CancelInput(self->ticket_.get());
  });
}

}  // namespace shoal::agent
