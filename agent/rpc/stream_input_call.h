// One StreamInput: pieces of input from a client, in order, and how far they are kept.
//
//  1. Begin        in the handler; the first read is started.
//  2. OnReadDone   a piece is here: it goes to the loop (Take), and the next read is started unless
//                  two pieces are on their way already: no more are held for a client.
//  3. OnKept       the piece is kept: the client is told how far (Tell), and the next read is started.
//  4. FinishOnce   the client has sent its last and all is kept; a piece was refused; nothing was sent
//                  for a while (IdleLimit); or it is gone.
//  5. OnDone       gRPC is through with it.
//
// Ownership:     shared by two real owners: gRPC, until OnDone (the reference the call has to
//                itself), and the closures on the loop.
// Thread-safety: thread-safe; `request_` belongs to gRPC between StartRead and OnReadDone.
// Blocking:      never blocks.
// Memory:        three messages.
#ifndef SHOAL_AGENT_RPC_STREAM_INPUT_CALL_H_
#define SHOAL_AGENT_RPC_STREAM_INPUT_CALL_H_

#include <grpcpp/support/server_callback.h>
#include <grpcpp/support/status.h>

#include <memory>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/rpc/call_audit.h"
#include "agent/rpc/edge.h"
#include "agent/rpc/idle_limit.h"
#include "agent/rpc/open_calls.h"
#include "common/mutex.h"
#include "shoal/v1/process_service.pb.h"

namespace shoal::agent {

class StreamInputCall final
    : public grpc::ServerBidiReactor<v1::StreamInputRequest, v1::StreamInputResponse>,
      public OpenCall,
      public std::enable_shared_from_this<StreamInputCall> {
 public:
  using Reactor = grpc::ServerBidiReactor<v1::StreamInputRequest, v1::StreamInputResponse>;

  static Reactor* Begin(const Edge* edge, const absl::StatusOr<Permit>& permit);

  void End(const grpc::Status& status) override;

 private:
  StreamInputCall(const Edge* edge, const absl::StatusOr<Permit>& permit)
      : edge_(edge), permit_(permit), ticket_(std::make_shared<InputTicket>()) {}

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

  // Loop thread.
  void Take(v1::StreamInputRequest piece);
  void OnKept(const absl::StatusOr<InputAnswer>& answer);

  void MaybeRead() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void MaybeTell() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void MaybeFinish() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void FinishOnce(const grpc::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const Edge* const edge_;
  const absl::StatusOr<Permit> permit_;
  const std::shared_ptr<InputTicket> ticket_;  // of the loop thread
  std::shared_ptr<StreamInputCall> self_;
  std::shared_ptr<CallQuota::Lease> lease_;  // set in Begin
  std::unique_ptr<CallAudit> audit_;         // constant after Begin; null: the caller may not
  std::shared_ptr<IdleLimit> idle_limit_;    // constant after Begin

  // Loop thread only.
  std::optional<v1::StreamInputRequest> first_;  // without its data

  v1::StreamInputRequest request_;

  mutable Mutex mu_;
  int under_way_ ABSL_GUARDED_BY(mu_) = 0;  // pieces that were read and are not kept yet
  bool is_reading_ ABSL_GUARDED_BY(mu_) = false;
  bool has_read_all_ ABSL_GUARDED_BY(mu_) = false;
  bool is_telling_ ABSL_GUARDED_BY(mu_) = false;
  v1::StreamInputResponse telling_;                                   // gRPC's while is_telling_
  std::optional<v1::StreamInputResponse> news_ ABSL_GUARDED_BY(mu_);  // to be told next
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_RPC_STREAM_INPUT_CALL_H_
