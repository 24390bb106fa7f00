// The callers of this agent: "uid:N" over the Unix socket, the allowed name of the certificate over
// TLS, "loopback" in plain text.
//
// Ownership:     created by the server, outlives every call.
// Thread-safety: thread-safe.
// Blocking:      never blocks.
// Errors:        PERMISSION_DENIED.
#ifndef SHOAL_AGENT_RPC_IDENTITY_H_
#define SHOAL_AGENT_RPC_IDENTITY_H_

#include <grpcpp/security/auth_context.h>
#include <grpcpp/security/auth_metadata_processor.h>
#include <grpcpp/support/server_callback.h>
#include <grpcpp/support/status.h>
#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/core/access.h"
#include "agent/core/caller.h"
#include "common/mutex.h"

namespace shoal::agent {

// The identities that TCP serves: exact names, or prefixes that end in '*'.
class AllowedIdentities {
 public:
  explicit AllowedIdentities(std::vector<std::string> patterns) : patterns_(std::move(patterns)) {}
  bool Allows(absl::string_view identity) const;
  bool empty() const { return patterns_.empty(); }

 private:
  std::vector<std::string> patterns_;
};

// What a verified certificate calls its holder: its URIs (SPIFFE), else its DNS names, else its
// common name.
struct CertificateNames {
  std::vector<std::string> names;
  Evidence evidence = Evidence::kNone;
};
CertificateNames NamesOf(const grpc::AuthContext& context);

// "/shoal.v1.ProcessService/Spawn" → "Spawn".
absl::string_view MethodOf(absl::string_view path);

class Callers {
 public:
  Callers(AllowedIdentities allowed, std::string host_name)
      : allowed_(std::move(allowed)), host_name_(std::move(host_name)) {}

  // A connection of `uid` on the Unix socket, before gRPC is given `fd`. A descriptor number that
  // is used again is told again. `peer` may be null.
  void OnAccepted(int fd, uid_t uid, std::shared_ptr<const SocketPeer> peer);

  // Asks whether the caller of `context` may call this on this host; a refusal is audited.
  absl::StatusOr<Permit> Authorize(const grpc::CallbackServerContext& context, Verb verb) const;

  // OK, or PERMISSION_DENIED "identity X may not Spawn on host Y".
  absl::Status CheckTls(const grpc::AuthContext& context, absl::string_view path) const;

  // Whether a connection given to OnAccepted is still open.
  bool HasUnixConnections() const;

 private:
  struct Connection {
    uid_t uid;
    ino_t socket;  // tells a reused descriptor number from the connection
    std::shared_ptr<const SocketPeer> peer;
  };

  Caller Of(const grpc::CallbackServerContext& context) const;

  const AllowedIdentities allowed_;
  const std::string host_name_;

  mutable Mutex mu_;
  mutable absl::flat_hash_map<int, Connection> connections_ ABSL_GUARDED_BY(mu_);
};

// Asks Callers before the body of a TLS call is parsed. Adds no property: that leaks in gRPC 1.51.
class TlsGate final : public grpc::AuthMetadataProcessor {
 public:
  explicit TlsGate(const Callers* callers) : callers_(callers) {}
  bool IsBlocking() const override { return false; }
  grpc::Status Process(const InputMetadata& metadata, grpc::AuthContext* context,
                       OutputMetadata* consumed, OutputMetadata* response) override;

 private:
  const Callers* const callers_;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_RPC_IDENTITY_H_
