// What a Host, and with it all of the library, asks of the wire: each call of an agent with its
// retries, each stream over broken connections, leases.
//
// Below it is gRPC (wire/grpc_link.h); above it nothing knows of that. A test puts a
// FakeLink (tests/support/fake_link.h) there, and needs no server.
//
//   calls    UNAVAILABLE is tried again, with the same request, as CallOptions says. `done` is
//            called once, on any thread, maybe before the call returns.
//   streams  are not started yet.
//
// Ownership:     a Host's, shared with nothing. What it has begun ends before it is destroyed: see
//                CancelAllAndWait().
// Thread-safety: thread-safe.
// Blocking:      WriteBlob(), CancelAllAndWait(); the rest never blocks.
// Errors:        as host.h says.
#ifndef SHOAL_CLIENT_SHOAL_LINK_LINK_H_
#define SHOAL_CLIENT_SHOAL_LINK_LINK_H_

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/boot_time.h"
#include "shoal/call.h"
#include "shoal/host.h"
#include "shoal/host_list.h"
#include "shoal/link/lease.h"
#include "shoal/link/stream.h"
#include "shoal/v1/blob_service.pb.h"
#include "shoal/v1/host_service.pb.h"
#include "shoal/v1/process_service.pb.h"
#include "shoal/v1/session_service.pb.h"

namespace shoal {

class Link {
 public:
  using WatchHooks = StreamHooks<v1::WatchRequest, v1::WatchResponse>;
  using OutputHooks = StreamHooks<v1::ReadOutputRequest, v1::ReadOutputResponse>;
  using InputHooks = StreamHooks<v1::StreamInputRequest, v1::StreamInputResponse>;
  using BlobHooks = StreamHooks<v1::ReadRequest, v1::ReadResponse>;

  virtual ~Link() = default;

  virtual const HostAddress& address() const = 0;
  // The clock of the agent, as far as its answers told.
  virtual absl::Time AgentTime() const = 0;
  virtual ClockReading ReadClock() const = 0;

  virtual void GetFacts(v1::HostServiceGetRequest request, const CallOptions& options,
                        Done<v1::HostServiceGetResponse> done) = 0;
  virtual void FindMissingLibraries(v1::FindMissingLibrariesRequest request,
                                    const CallOptions& options,
                                    Done<v1::FindMissingLibrariesResponse> done) = 0;

  virtual void Spawn(v1::SpawnRequest request, const CallOptions& options,
                     Done<v1::SpawnResponse> done) = 0;
  virtual void SpawnBatch(v1::SpawnBatchRequest request, const CallOptions& options,
                          Done<v1::SpawnBatchResponse> done) = 0;
  virtual void Get(v1::GetRequest request, const CallOptions& options,
                   Done<v1::GetResponse> done) = 0;
  virtual void List(v1::ListRequest request, const CallOptions& options,
                    Done<v1::ListResponse> done) = 0;
  virtual void Wait(v1::WaitRequest request, const CallOptions& options,
                    Done<v1::WaitResponse> done) = 0;
  virtual void Signal(v1::SignalRequest request, const CallOptions& options,
                      Done<v1::SignalResponse> done) = 0;
  virtual void Terminate(v1::TerminateRequest request, const CallOptions& options,
                         Done<v1::TerminateResponse> done) = 0;
  virtual void Update(v1::UpdateRequest request, const CallOptions& options,
                      Done<v1::UpdateResponse> done) = 0;
  virtual void Delete(v1::DeleteRequest request, const CallOptions& options,
                      Done<v1::DeleteResponse> done) = 0;
  virtual void AcknowledgeOutput(v1::AcknowledgeOutputRequest request, const CallOptions& options,
                                 Done<v1::AcknowledgeOutputResponse> done) = 0;

  virtual void WriteInput(v1::WriteInputRequest request, const CallOptions& options,
                          Done<v1::WriteInputResponse> done) = 0;
  virtual void ResizeTerminal(v1::ResizeTerminalRequest request, const CallOptions& options,
                              Done<v1::ResizeTerminalResponse> done) = 0;

  virtual void OpenSession(v1::OpenRequest request, const CallOptions& options,
                           Done<v1::OpenResponse> done) = 0;
  virtual void KeepAlive(v1::KeepAliveRequest request, const CallOptions& options,
                         Done<v1::KeepAliveResponse> done) = 0;
  virtual void TakeOverSession(v1::TakeoverRequest request, const CallOptions& options,
                               Done<v1::TakeoverResponse> done) = 0;
  virtual void CloseSession(v1::CloseRequest request, const CallOptions& options,
                            Done<v1::CloseResponse> done) = 0;
  virtual void ListSessions(v1::SessionServiceListRequest request, const CallOptions& options,
                            Done<v1::SessionServiceListResponse> done) = 0;

  virtual void FindMissingBlobs(v1::FindMissingRequest request, const CallOptions& options,
                                Done<v1::FindMissingResponse> done) = 0;
  // One attempt, from `begin` on. What the host has had of it is with FindMissingBlobs().
  virtual absl::Status WriteBlob(const BlobSource& source, int64_t begin, BootTime deadline) = 0;

  // `patience`: how long the connection may be broken.
  virtual std::shared_ptr<Stream> Watch(v1::WatchRequest request, WatchHooks hooks,
                                        absl::Duration patience) = 0;
  virtual std::shared_ptr<Stream> ReadOutput(v1::ReadOutputRequest request, OutputHooks hooks,
                                             absl::Duration patience) = 0;
  virtual std::shared_ptr<Stream> StreamInput(InputHooks hooks, absl::Duration patience) = 0;
  virtual std::shared_ptr<Stream> ReadBlob(v1::ReadRequest request, BlobHooks hooks,
                                           absl::Duration patience) = 0;

  // Renews it, wherever the host is found. REQUIRES: a call was answered.
  virtual std::shared_ptr<Lease> KeepLease(LeaseTerms terms) = 0;

  // Cancels what is under way and waits for its last callback to return. REQUIRES: no thread calls
  // from outside any more; what callbacks begin is cancelled, too.
  virtual void CancelAllAndWait() = 0;
};

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_LINK_LINK_H_
