// The gRPC server: its listeners, services, and the order in which it ends.
//
// Ownership:     created by main once the agent has recovered; owns services and listeners. `edge`
//                outlives it.
// Thread-safety: Start and StopListening on the loop thread, or before the loop runs; Drain on any
//                thread but the loop's.
// Blocking:      Drain up to its grace.
// Errors:        Start: one sentence that names the address or file, and the reason.
#ifndef SHOAL_AGENT_RPC_SERVER_H_
#define SHOAL_AGENT_RPC_SERVER_H_

#include <grpcpp/server.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/os/unix_listener.h"
#include "agent/rpc/blob_service.h"
#include "agent/rpc/edge.h"
#include "agent/rpc/host_service.h"
#include "agent/rpc/process_service.h"
#include "agent/rpc/session_service.h"
#include "agent/rpc/tcp_door.h"
#include "agent/rpc/template_service.h"

namespace shoal::agent {

struct ServerOptions {
  std::string socket_path;
  TcpOptions tcp;
  absl::Duration max_connection_age = absl::Hours(24);  // over TCP
};

class Server {
 public:
  static absl::StatusOr<std::unique_ptr<Server>> Start(const ServerOptions& options,
                                                       const Edge* edge, HostInfo host);
  ~Server();  // REQUIRES: Drain was called.

  // "unix:/run/shoal/shoald.sock", "127.0.0.1:7420", …
  const std::vector<std::string>& addresses() const { return addresses_; }

  // No new connection; the file of the Unix socket goes.
  void StopListening();

  // Certificates and revocation lists, see TcpDoor. `done` may run on another thread.
  void Reload(absl::AnyInvocable<void(absl::Status)> done);

  // Health says NOT_SERVING, streams and waiting calls end with UNAVAILABLE, the rest has `grace`.
  void Drain(absl::Duration grace);

 private:
  Server(const Edge* edge, HostInfo host);
  absl::Status Open(const ServerOptions& options);

  const Edge* const edge_;
  ProcessService process_service_;
  SessionService session_service_;
  TemplateService template_service_;
  HostService host_service_;
  BlobService blob_service_;
  std::vector<std::string> addresses_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<UnixListener> listener_;
  std::unique_ptr<TcpDoor> door_;  // null: no TCP
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_RPC_SERVER_H_
