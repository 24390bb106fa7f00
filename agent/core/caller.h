// The caller of a request: its name, of which kind it is, and the evidence for that. It travels with
// every request.
//
// Ownership:     plain data.
// Thread-safety: constant once built.
// Blocking:      never blocks.
// Errors:        none.
#ifndef SHOAL_AGENT_CORE_CALLER_H_
#define SHOAL_AGENT_CORE_CALLER_H_

#include <cstdint>
#include <memory>
#include <string>

#include "agent/core/model.h"

namespace shoal::agent {

enum class CallerKind {
  kUnknown,           // the connection came in by no way that this agent opened
  kUnixUser,          // "uid:1000", over the Unix socket
  kSpiffe,            // "spiffe://…", the one URI of a verified certificate
  kDnsName,           // "dns:…", the one DNS name of a verified certificate without URIs
  kInsecureLoopback,  // "loopback": any local user, in plain text
  kAgent,             // this agent, for what it watches itself
};

enum class Evidence {
  kNone,
  kPeerCredentials,     // SO_PEERCRED of the connection
  kCertificateUri,      // of a verified certificate
  kCertificateDnsName,  // the same, without URIs
  kLoopbackAddress,     // of the peer
};

struct Caller {
  CallerKind kind = CallerKind::kUnknown;
  std::string name = "unknown";  // what is made on request of the caller has this owner
  Evidence evidence = Evidence::kNone;
  // Null: not over the Unix socket, or it is gone.
  std::shared_ptr<const SocketPeer> peer = nullptr;
  std::string serial = "";      // of the certificate, in hexadecimal digits
  uint64_t tcp_connection = 0;  // of TcpConnections; 0: over the Unix socket
  std::string connection = "";  // tells connections of one caller apart, which take turns
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_CALLER_H_
