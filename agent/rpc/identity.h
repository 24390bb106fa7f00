// The callers of this agent: "uid:N" over the Unix socket, the identity of the certificate over TLS,
// "loopback" in plain text.
//
// Ownership:     created by main, outlives the server and every call.
// Thread-safety: thread-safe.
// Blocking:      never blocks.
// Errors:        PERMISSION_DENIED.
#ifndef SHOAL_AGENT_RPC_IDENTITY_H_
#define SHOAL_AGENT_RPC_IDENTITY_H_

#include <grpcpp/support/server_callback.h>
#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "agent/core/access.h"
#include "agent/core/caller.h"
#include "agent/net/tcp_connections.h"
#include "agent/rpc/tls_gate.h"
#include "common/boot_time.h"
#include "common/mutex.h"

namespace shoal::agent {

class Auditor;

class Callers {
 public:
  explicit Callers(AllowedIdentities allowed, TcpLimits limits = {})
      : connections_(limits), tls_(std::move(allowed), &connections_) {}

  TcpConnections& connections() { return connections_; }
  Tls& tls() { return tls_; }

  // "loopback": every local user.
  static Caller Loopback();

  // Where refusals are noted; before the first caller comes.
  void SetAuditor(Auditor* auditor) {
    auditor_ = auditor;
    tls_.SetAuditor(auditor);
  }

  // Connections that TcpConnections has ended, for the audit.
  void TellEnded(const TcpEvent& event) const;

  // A connection of `uid` on the Unix socket, before gRPC is given `fd`. A descriptor number that
  // is used again is told again. `peer` may be null.
  void OnAccepted(int fd, uid_t uid, std::shared_ptr<const SocketPeer> peer);

  // Asks whether the caller of `context` may call this on this host; a refusal is audited.
  absl::StatusOr<Permit> Authorize(const grpc::CallbackServerContext& context, Verb verb);

  // The client has reset the call: too many of them end its connection.
  void OnReset(const Permit& permit) {
    const uint64_t id = permit.caller().tcp_connection;
    if (id != 0) connections_.CountMiss(id, BootTime::Now());
  }

  // Whether a connection given to OnAccepted is still open.
  bool HasUnixConnections() const;

 private:
  struct UnixConnection {
    uid_t uid;
    ino_t socket;  // tells a reused descriptor number from the connection
    std::shared_ptr<const SocketPeer> peer;
  };

  Caller Of(const grpc::CallbackServerContext& context) const;

  TcpConnections connections_;
  Tls tls_;
  Auditor* auditor_ = nullptr;

  mutable Mutex mu_;
  mutable absl::flat_hash_map<int, UnixConnection> unix_connections_ ABSL_GUARDED_BY(mu_);
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_RPC_IDENTITY_H_
