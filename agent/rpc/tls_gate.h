// Who calls over TLS, seen before the body of a call is parsed.
//
// gRPC shows a call's certificate here, but no address, and nothing else of its connection. So each
// connection comes by a door of its own (TcpConnections), and its first call gets its number as a
// property of gRPC's AuthContext, which all calls of one connection share. Once: a property is never
// freed in gRPC 1.51.
//
// Ownership:     TlsGate belongs to gRPC; Tls outlives the server.
// Thread-safety: thread-safe. gRPC does not guard the properties of an AuthContext; `mu_` does, so
//                nothing else reads or adds any.
// Blocking:      never blocks; the first call of a connection parses its certificate.
// Errors:        PERMISSION_DENIED, RESOURCE_EXHAUSTED, UNAVAILABLE; a refusal is audited.
#ifndef SHOAL_AGENT_RPC_TLS_GATE_H_
#define SHOAL_AGENT_RPC_TLS_GATE_H_

#include <grpcpp/security/auth_context.h>
#include <grpcpp/security/auth_metadata_processor.h>
#include <grpcpp/support/status.h>

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "agent/net/allowed_identities.h"
#include "agent/net/revocation_lists.h"
#include "agent/net/tcp_connections.h"
#include "common/mutex.h"

namespace shoal::agent {

class Auditor;

class Tls {
 public:
  // `connections` outlives it.
  Tls(AllowedIdentities allowed, TcpConnections* connections)
      : allowed_(std::move(allowed)), connections_(connections) {}

  // Where refusals are noted; before the first caller comes.
  void SetAuditor(Auditor* auditor) { auditor_ = auditor; }

  // Ends the connections of what is revoked now.
  void SetRevocations(RevocationLists revocations);

  // A call on a connection that came by `door`: OK, or "identity X may not Spawn: why".
  absl::Status Admit(size_t door, grpc::AuthContext* context, absl::string_view path);

  // The caller of a call that was admitted. Null: its connection has ended.
  std::shared_ptr<const Holder> HolderOf(const grpc::AuthContext& context) const;

 private:
  // 0: no call of this connection was seen before.
  TcpConnections::Id TagOf(const grpc::AuthContext& context) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  TcpConnections::Id Enter(size_t door, grpc::AuthContext* context)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const AllowedIdentities allowed_;
  TcpConnections* const connections_;
  Auditor* auditor_ = nullptr;

  mutable Mutex mu_;
  RevocationLists revocations_ ABSL_GUARDED_BY(mu_);
};

// Asks Tls for the calls of one door.
class TlsGate final : public grpc::AuthMetadataProcessor {
 public:
  TlsGate(Tls* tls, size_t door) : tls_(tls), door_(door) {}
  bool IsBlocking() const override { return false; }
  grpc::Status Process(const InputMetadata& metadata, grpc::AuthContext* context,
                       OutputMetadata* consumed, OutputMetadata* response) override;

 private:
  Tls* const tls_;
  const size_t door_;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_RPC_TLS_GATE_H_
