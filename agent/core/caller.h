// The caller of a request: its name, of which kind it is, and the evidence for that. It travels with
// every request.
//
// Ownership:     plain data.
// Thread-safety: constant once built.
// Blocking:      never blocks.
// Errors:        none.
#ifndef SHOAL_AGENT_CORE_CALLER_H_
#define SHOAL_AGENT_CORE_CALLER_H_

#include <memory>
#include <string>

#include "agent/core/model.h"

namespace shoal::agent {

enum class CallerKind {
  kUnknown,           // the connection came in by no way that this agent opened
  kUnixUser,          // "uid:1000", over the Unix socket
  kTlsIdentity,       // a name of the certificate that --allow-identity allows
  kInsecureLoopback,  // "loopback": any local user, in plain text
  kAgent,             // this agent, for what it watches itself
};

enum class Evidence {
  kNone,
  kPeerCredentials,        // SO_PEERCRED of the connection
  kCertificateUri,         // of a verified certificate
  kCertificateDnsName,     // the same, without URIs
  kCertificateCommonName,  // the same, without URIs and DNS names
  kLoopbackAddress,        // of the peer
};

struct Caller {
  CallerKind kind = CallerKind::kUnknown;
  std::string name = "unknown";  // what is made on request of the caller has this owner
  Evidence evidence = Evidence::kNone;
  std::shared_ptr<const SocketPeer> peer =
      nullptr;  // null: not over the Unix socket, or it is gone
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_CALLER_H_
