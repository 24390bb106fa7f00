// A Link by gRPC: its connection, and what is known of whether the agent behind it is reached.
//
// Ownership:     its Host's. Calls hold plain pointers to it and are counted in `active`; it is
//                destroyed when there is none, never on a thread of gRPC.
// Thread-safety: thread-safe.
// Blocking:      and errors: as link.h says.
#ifndef SHOAL_CLIENT_SHOAL_WIRE_GRPC_LINK_H_
#define SHOAL_CLIENT_SHOAL_WIRE_GRPC_LINK_H_

#include <grpcpp/support/status.h>

#include <atomic>
#include <memory>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "common/boot_time.h"
#include "common/mutex.h"
#include "shoal/host.h"
#include "shoal/link/link.h"
#include "shoal/link/retry.h"
#include "shoal/wire/active_calls.h"
#include "shoal/wire/agent_clock.h"
#include "shoal/wire/connection.h"
#include "shoal/wire/overdue_watch.h"

namespace shoal {

class GrpcLink final : public Link {
 public:
  GrpcLink(HostAddress address, HostOptions options);
  ~GrpcLink() override;

  const HostAddress& address() const override { return address_; }
  absl::Time AgentTime() const override { return clock_.Now(); }
  ClockReading ReadClock() const override { return clock_.Read(); }

  void GetFacts(v1::HostServiceGetRequest request, const CallOptions& options,
                Done<v1::HostServiceGetResponse> done) override;
  void FindMissingLibraries(v1::FindMissingLibrariesRequest request, const CallOptions& options,
                            Done<v1::FindMissingLibrariesResponse> done) override;
  void Spawn(v1::SpawnRequest request, const CallOptions& options,
             Done<v1::SpawnResponse> done) override;
  void SpawnBatch(v1::SpawnBatchRequest request, const CallOptions& options,
                  Done<v1::SpawnBatchResponse> done) override;
  void Get(v1::GetRequest request, const CallOptions& options, Done<v1::GetResponse> done) override;
  void List(v1::ListRequest request, const CallOptions& options,
            Done<v1::ListResponse> done) override;
  void Wait(v1::WaitRequest request, const CallOptions& options,
            Done<v1::WaitResponse> done) override;
  void Signal(v1::SignalRequest request, const CallOptions& options,
              Done<v1::SignalResponse> done) override;
  void Terminate(v1::TerminateRequest request, const CallOptions& options,
                 Done<v1::TerminateResponse> done) override;
  void Update(v1::UpdateRequest request, const CallOptions& options,
              Done<v1::UpdateResponse> done) override;
  void Delete(v1::DeleteRequest request, const CallOptions& options,
              Done<v1::DeleteResponse> done) override;
  void AcknowledgeOutput(v1::AcknowledgeOutputRequest request, const CallOptions& options,
                         Done<v1::AcknowledgeOutputResponse> done) override;
  void WriteInput(v1::WriteInputRequest request, const CallOptions& options,
                  Done<v1::WriteInputResponse> done) override;
  void ResizeTerminal(v1::ResizeTerminalRequest request, const CallOptions& options,
                      Done<v1::ResizeTerminalResponse> done) override;
  void OpenSession(v1::OpenRequest request, const CallOptions& options,
                   Done<v1::OpenResponse> done) override;
  void KeepAlive(v1::KeepAliveRequest request, const CallOptions& options,
                 Done<v1::KeepAliveResponse> done) override;
  void TakeOverSession(v1::TakeoverRequest request, const CallOptions& options,
                       Done<v1::TakeoverResponse> done) override;
  void CloseSession(v1::CloseRequest request, const CallOptions& options,
                    Done<v1::CloseResponse> done) override;
  void ListSessions(v1::SessionServiceListRequest request, const CallOptions& options,
                    Done<v1::SessionServiceListResponse> done) override;
  void FindMissingBlobs(v1::FindMissingRequest request, const CallOptions& options,
                        Done<v1::FindMissingResponse> done) override;
  absl::Status WriteBlob(const BlobSource& source, int64_t begin, BootTime deadline) override;

  std::shared_ptr<Stream> Watch(v1::WatchRequest request, WatchHooks hooks,
                                absl::Duration patience) override;
  std::shared_ptr<Stream> ReadOutput(v1::ReadOutputRequest request, OutputHooks hooks,
                                     absl::Duration patience) override;
  std::shared_ptr<Stream> StreamInput(InputHooks hooks, absl::Duration patience) override;
  std::shared_ptr<Stream> ReadBlob(v1::ReadRequest request, BlobHooks hooks,
                                   absl::Duration patience) override;
  std::shared_ptr<Lease> KeepLease(LeaseTerms terms) override;
  void CancelAllAndWait() override { active_.CancelAllAndWait(); }

  // For the calls and streams.
  Connection& connection() { return connection_; }
  ActiveCalls& active() { return active_; }
  AgentClock& clock() { return clock_; }
  // For an attempt that has a connection.
  std::shared_ptr<Stubs> stubs() const { return connection_.stubs(); }
  // For the user: FromWire(), with what is known of why the host is not reached.
  absl::Status Tell(const grpc::Status& status) const;
  // Notes whether the host was reached, and that it has answered. Where it was not, or it refuses this
  // identity, the name and the certificate are looked at anew.
  void NoteAnswer(const grpc::Status& status);
  // A stream stands, whatever becomes of it.
  void NoteReached();
  // Since when no call has reached it; `now` if this is the first.
  BootTime BrokenSince(BootTime now);
  Attempt AttemptUntil(BootTime deadline, bool retry_wanted) const;

 private:
  // Where gRPC's timers sleep, that of its next connect does, too.
  void CancelOverdue(BootTime due_before);

  // Constant after construction.
  const HostAddress address_;
  const HostOptions options_;
  const BootTime create_time_ = BootTime::Now();

  ActiveCalls active_;
  const std::shared_ptr<OverdueWatch> overdue_ = OverdueWatch::Get();
  const int overdue_id_ = overdue_->Add([this](BootTime due_before) { CancelOverdue(due_before); });
  AgentClock clock_;
  std::atomic<bool> has_answered_{false};
  std::atomic<bool> was_connected_{false};  // a call was lost on its way, so an agent was there

  Mutex mu_;
  std::optional<BootTime> broken_since_ ABSL_GUARDED_BY(mu_);

  Connection connection_;  // last: what it tells uses the others
};

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_WIRE_GRPC_LINK_H_
