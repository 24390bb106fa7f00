// One BlobService.Write: chunks from a client into the store, in order.
//
//  1. Begin        in the handler; the first read is started.
//  2. OnReadDone   a chunk is here: handed to the thread of disk work (Take).
//  3. Take         the first chunk begins or joins an upload; what the host had of it is hashed in
//                  turns with other work; then the next read is started, and this chunk is written
//                  while that comes in. No more than one is ahead of the disk, so that a slow disk
//                  slows the client down.
//  4. FinishOnce   the blob is whole, the client has sent too little or what is wrong, nothing for a
//                  while (IdleLimit), or is gone.
//  5. OnDone       gRPC is through with it: the upload is left, on the thread of disk work.
//
// Ownership:     shared by two real owners: gRPC, until OnDone (the reference the call has to
//                itself), and the closure that is on the thread of disk work.
// Thread-safety: thread-safe; `request_` belongs to gRPC between StartRead and OnReadDone, to the
//                thread of disk work otherwise; `self_` to the threads of gRPC.
// Blocking:      never blocks.
// Memory:        two messages.
#ifndef SHOAL_AGENT_RPC_BLOB_WRITE_CALL_H_
#define SHOAL_AGENT_RPC_BLOB_WRITE_CALL_H_

#include <grpcpp/support/server_callback.h>
#include <grpcpp/support/status.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/os/blob_proof.h"
#include "agent/os/blob_upload.h"
#include "agent/rpc/call_audit.h"
#include "agent/rpc/edge.h"
#include "agent/rpc/idle_limit.h"
#include "agent/rpc/open_calls.h"
#include "common/mutex.h"
#include "shoal/v1/blob_service.pb.h"

namespace shoal::agent {

class BlobWriteCall final : public grpc::ServerReadReactor<v1::WriteRequest>,
                            public OpenCall,
                            public std::enable_shared_from_this<BlobWriteCall> {
 public:
  static grpc::ServerReadReactor<v1::WriteRequest>* Begin(const Edge* edge,
                                                          const absl::StatusOr<Permit>& permit,
                                                          v1::WriteResponse* response);

  void End(const grpc::Status& status) override;

 private:
  BlobWriteCall(const Edge* edge, const absl::StatusOr<Permit>& permit, v1::WriteResponse* response)
      : edge_(edge), permit_(permit), response_(response) {}

  void OnReadDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

  // Thread of disk work.
  void Take();
  absl::Status BeginUpload();
  absl::Status CheckOffset();
  void TakeChunk();
  absl::Status WriteChunk();
  absl::Status NoteHolder(bool has_sent_all);
  bool IsOver() const;
  void OnLastRead();
  void Refuse(const absl::Status& status);

  bool IsFinished() const;
  void ReadNext();
  void Answer();
  void FinishOnce(const grpc::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const Edge* const edge_;
  const absl::StatusOr<Permit> permit_;
  v1::WriteResponse* const response_;  // gRPC's, until Finish
  std::shared_ptr<BlobWriteCall> self_;
  std::shared_ptr<CallQuota::Lease> lease_;  // set in Begin
  std::unique_ptr<CallAudit> audit_;         // constant after Begin; null: the caller may not
  std::shared_ptr<IdleLimit> idle_limit_;    // constant after Begin

  v1::WriteRequest request_;

  // Thread of disk work only.
  v1::WriteRequest chunk_;  // the message before that of `request_`
  bool begun_ = false;
  std::string sha256_;
  int64_t offset_ = 0;  // of the next chunk
  int64_t size_bytes_ = 0;
  std::shared_ptr<BlobUpload> upload_;  // null: the blob was there
  bool is_holder_ = false;              // the caller has shown that it has the blob
  std::optional<BlobProof> proof_;  // of a caller that began with the first byte and is no holder

  mutable Mutex mu_;
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_RPC_BLOB_WRITE_CALL_H_
