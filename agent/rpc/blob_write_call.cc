#include "agent/rpc/blob_write_call.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/os/blob_store.h"
#include "agent/os/helper_thread.h"
#include "agent/rpc/status_to_grpc.h"
#include "common/sha256.h"
#include "common/status.h"
#include "common/tsan.h"

namespace shoal::agent {
namespace {

absl::Status CheckFirst(const v1::WriteRequest& request) {
  if (request.sha256().size() != kSha256Bytes) {
    return absl::InvalidArgumentError(absl::StrCat("sha256 of the first message is ",
                                                   request.sha256().size(), " bytes, must be ",
                                                   kSha256Bytes));
  }
  if (request.size_bytes() < 0 || request.offset() < 0) {
    return absl::InvalidArgumentError("size_bytes and offset must not be negative");
  }
  if (request.offset() <= request.size_bytes()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("offset ", request.offset(), " is beyond size_bytes ", request.size_bytes()));
}

}  // namespace

grpc::ServerReadReactor<v1::WriteRequest>* BlobWriteCall::Begin(
    const Edge* edge, const absl::StatusOr<Permit>& permit, v1::WriteResponse* response) {
  std::shared_ptr<BlobWriteCall> call(new BlobWriteCall(edge, permit, response));
  call->self_ = call;
  if (permit.ok()) {
    call->audit_ = std::make_unique<CallAudit>(edge->auditor, *permit,
                                               CallOf<v1::WriteResponse>::Name(), CallFacts());
  }
  call->idle_limit_ = IdleLimit::Begin(edge, call);
  edge->calls->Add(call);
  if (permit.ok()) {
    absl::StatusOr<std::shared_ptr<CallQuota::Lease>> lease =
        edge->quota->Take(CallQuota::Kind::kUpload, *permit);
    if (!lease.ok()) call->End(ToGrpc(lease.status()));
    if (lease.ok()) call->lease_ = *std::move(lease);
  } else {
    call->End(ToGrpc(permit.status()));
  }
  call->ReadNext();
  return call.get();
}

void BlobWriteCall::OnReadDone(bool ok) {
  const Reaction reaction(this);
  // Of a call that was refused nothing is read.
  if (!permit_.ok()) return;
  edge_->PostBlobWork(*permit_, [self = self_, ok] { ok ? self->Take() : self->OnLastRead(); });
}

void BlobWriteCall::Take() {
  if (IsFinished()) return;
  idle_limit_->Note(/*is_waiting=*/false);
  chunk_.Clear();
  chunk_.Swap(&request_);
  if (absl::Status begun = begun_ ? absl::OkStatus() : BeginUpload(); !begun.ok()) {
    return Refuse(begun);
  }
  IsOver() ? Answer() : TakeChunk();
}

// The blob is there, and the caller has shown that it has it.
bool BlobWriteCall::IsOver() const {
  return is_holder_ && (upload_ == nullptr || upload_->is_complete());
}

void BlobWriteCall::TakeChunk() {
  if (IsFinished()) return;
  if (upload_ != nullptr && upload_->HashSome()) {
    edge_->PostBlobWork(*permit_, [self = shared_from_this()] { self->TakeChunk(); });
    return;
  }
  ReadNext();
  if (absl::Status written = WriteChunk(); !written.ok()) return Refuse(written);
  if (IsOver()) Answer();
}

absl::Status BlobWriteCall::BeginUpload() {
  begun_ = true;
  const absl::Status checked = CheckFirst(chunk_);
  absl::StatusOr<std::shared_ptr<BlobUpload>> upload =
      checked.ok() ? edge_->blobs->BeginUpload(chunk_.sha256(), chunk_.size_bytes())
                   : absl::StatusOr<std::shared_ptr<BlobUpload>>(checked);
  audit_->SetFacts(FactsOf(chunk_));
  if (!upload.ok()) return upload.status();
  audit_->Decided(absl::OkStatus());
  sha256_ = chunk_.sha256();
  offset_ = chunk_.offset();
  size_bytes_ = chunk_.size_bytes();
  upload_ = *std::move(upload);
  return CheckOffset();
}

absl::Status BlobWriteCall::CheckOffset() {
  const auto is_callers = IsCallersOf(permit_->caller());
  is_holder_ = edge_->blobs->holders()->Holds(sha256_, is_callers);
  if (is_holder_ || (offset_ > 0 && edge_->blobs->writers()->IsAll(sha256_, is_callers))) {
    return absl::OkStatus();
  }
  if (offset_ > 0) {
    return absl::OutOfRangeError(
        absl::StrCat("offset ", offset_, ": the agent has 0 bytes of this blob from you"));
  }
  proof_.emplace(sha256_, size_bytes_);
  return absl::OkStatus();
}

absl::Status BlobWriteCall::WriteChunk() {
  if (!chunk_.sha256().empty() && chunk_.sha256() != sha256_) {
    return absl::InvalidArgumentError("one Write is one blob: sha256 has changed");
  }
  const auto end = offset_ + static_cast<int64_t>(chunk_.data().size());
  bool is_alone = false;
  if (upload_ != nullptr) {
    BlobHolders* const writers = edge_->blobs->writers();
    if (!upload_->is_complete() && end > upload_->received_bytes()) {
      writers->Add(sha256_, permit_->owner());
    }
    is_alone = writers->IsAll(sha256_, IsCallersOf(permit_->caller()));
    SHOAL_RETURN_IF_ERROR(upload_->Write(offset_, chunk_.data()));
  }
  offset_ = end;
  return NoteHolder(is_alone && upload_->is_complete());
}

// Without a proof the caller has sent what was missing to what it had sent alone.
absl::Status BlobWriteCall::NoteHolder(bool has_sent_all) {
  if (proof_ && !proof_->Take(chunk_.data())) {
    return absl::InvalidArgumentError(
        absl::StrCat("the blob was declared with ", size_bytes_, " bytes, more have come"));
  }
  if (proof_ && !has_sent_all && proof_->is_whole()) {
    has_sent_all = proof_->IsRight();
    if (!has_sent_all) return absl::DataLossError("the bytes are not those of the digest");
    proof_.reset();
  }
  if (has_sent_all) edge_->blobs->holders()->Add(sha256_, permit_->owner());
  is_holder_ = is_holder_ || has_sent_all;
  const bool was_overtaken = upload_ != nullptr && upload_->is_complete() && !is_holder_ && !proof_;
  if (!was_overtaken) return absl::OkStatus();
  return absl::OutOfRangeError(
      "another identity has sent a part of this blob: the agent has 0 bytes of it from you");
}

void BlobWriteCall::OnLastRead() {
  if (IsFinished()) return;
  if (!begun_) return Refuse(absl::InvalidArgumentError("the first message is missing"));
  Refuse(absl::InvalidArgumentError(absl::StrCat("the stream ended at ", offset_, " of ",
                                                 size_bytes_, " bytes; what was received stays")));
}

// The upload is left first: a client that gets the status may begin another at once.
void BlobWriteCall::Refuse(const absl::Status& status) {
  upload_.reset();
  End(ToGrpc(status));
}

bool BlobWriteCall::IsFinished() const {
  MutexLock lock(&mu_);
  return finished_;
}

void BlobWriteCall::ReadNext() {
  MutexLock lock(&mu_);
  if (finished_) return;
  HandOver(this);
  StartRead(&request_);
}

void BlobWriteCall::Answer() {
  MutexLock lock(&mu_);
  if (finished_) return;
  response_->set_received_bytes(size_bytes_);
  FinishOnce(grpc::Status::OK);
}

void BlobWriteCall::End(const grpc::Status& status) {
  MutexLock lock(&mu_);
  FinishOnce(status);
}

void BlobWriteCall::FinishOnce(const grpc::Status& status) {
  if (std::exchange(finished_, true)) return;
  if (audit_ != nullptr) audit_->Finished(status);
  HandOver(this);
  Finish(status);
}

void BlobWriteCall::OnCancel() {
  const Reaction reaction(this);
  if (permit_.ok()) edge_->callers->OnReset(*permit_);
  End(grpc::Status(grpc::StatusCode::CANCELLED, "the client went away"));
}

void BlobWriteCall::OnDone() {
  TakeOver(this);
  // The thread that has called Finish is out of it, and so of gRPC's context of the call.
  { const MutexLock finish(&mu_); }
  edge_->calls->Remove(this);
  idle_limit_->Stop();
  edge_->blob_thread->Run([self = std::exchange(self_, nullptr)] { self->upload_.reset(); });
}

}  // namespace shoal::agent
