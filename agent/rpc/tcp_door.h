// TCP: an accept loop of our own in front of gRPC, on a thread of its own.
//
// gRPC's own accept loop never comes back from a want of descriptors, keeps thousands of unfinished
// handshakes, and does not tell the agent by which connection a call came. So the agent accepts, keeps a
// duplicate of each socket (TcpConnections), and hands it to gRPC by one of its external acceptors:
// over TLS one acceptor for each door of TcpConnections, in plain text a single one.
//
//  1. AddTo    the acceptors, before gRPC's server is built.
//  2. Start    the thread, once the server runs.
//  3. Stop     before the server is shut down: what gRPC is given after that it never closes.
//
// Ownership:     owns sockets, thread and copies of the certificates; `callers` outlives it.
// Thread-safety: Open, AddTo, Start and Stop on one thread; Reload on any.
// Blocking:      Open on the file system; Stop until the thread has ended.
// Errors:        Open: one sentence that names the address or file, and the reason.
#ifndef SHOAL_AGENT_RPC_TCP_DOOR_H_
#define SHOAL_AGENT_RPC_TCP_DOOR_H_

#include <grpcpp/server_builder.h>

#include <cstddef>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/loop/event_loop.h"
#include "agent/net/listen_address.h"
#include "agent/net/revocation_lists.h"
#include "agent/net/tls_files.h"
#include "agent/os/accept_loop.h"
#include "agent/rpc/identity.h"
#include "common/boot_time.h"
#include "common/tls_identity.h"
#include "common/unique_fd.h"

namespace shoal::agent {

struct TcpOptions {
  std::vector<std::string> listen;  // HOST:PORT
  bool insecure_loopback = false;
  TlsPaths tls;
  std::string crl_directory;  // empty: none
  std::string run_directory;  // for copies of the certificates
};

class TcpDoor {
 public:
  static absl::StatusOr<std::unique_ptr<TcpDoor>> Open(const TcpOptions& options, Callers* callers);
  ~TcpDoor();

  // As given, with the port that it became.
  const std::vector<std::string>& addresses() const { return addresses_; }

  void AddTo(grpc::ServerBuilder* builder);
  absl::Status Start();
  void Stop();

  // Reads certificates and revocation lists again, on the thread of the door. What is of no use
  // is not taken, and `done` says so; it runs on that thread. Dropped if the door is stopped.
  void Reload(absl::AnyInvocable<void(absl::Status)> done);

 private:
  using Acceptor = grpc::experimental::ExternalConnectionAcceptor;
  struct Listening {
    ListenAddress address;
    TcpSockets sockets;
    bool is_plain = false;
  };

  TcpDoor(const TcpOptions& options, Callers* callers) : options_(options), callers_(callers) {}
  absl::Status OpenTls();
  absl::Status OpenSockets();
  absl::StatusOr<bool> IsPlain(const ListenAddress& address) const;
  bool HasTls() const;

  // On the thread.
  void OnAccepted(UniqueFd fd, bool is_plain);
  void HandOver(Acceptor* acceptor, UniqueFd fd, int duplicate, TcpConnections::Id id);
  // Has Tick() run within `delay`.
  void Arm(absl::Duration delay);
  void Tick();
  void CheckRevocations();
  absl::Status ReadRevocations();

  const TcpOptions options_;
  Callers* const callers_;
  std::vector<Listening> listening_;
  std::vector<std::string> addresses_;
  std::unique_ptr<TlsFiles> files_;
  RevocationLists revocations_;
  std::string revocations_state_;
  BootTime next_revocation_check_;
  EventLoop::TimerId tick_ = 0;  // 0: not armed
  BootTime tick_due_;
  std::vector<std::unique_ptr<Acceptor>> tls_acceptors_;  // by door
  std::unique_ptr<Acceptor> plain_acceptor_;
  std::unique_ptr<EventLoop> loop_;
  std::vector<std::unique_ptr<AcceptLoop>> accept_loops_;
  std::thread thread_;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_RPC_TCP_DOOR_H_
