// What a verified certificate of a client says of its holder: one identity, and until when.
//
// The identity is its one SPIFFE id; if it has no URI, its one DNS name. A common name is none: any
// CA may write anything there.
//
// Ownership:     values.
// Thread-safety: thread-safe.
// Blocking:      never blocks.
// Errors:        PERMISSION_DENIED, with what is wrong with the certificate.
#ifndef SHOAL_AGENT_NET_CLIENT_CERTIFICATE_H_
#define SHOAL_AGENT_NET_CLIENT_CERTIFICATE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "agent/core/caller.h"
#include "common/certificate.h"

namespace shoal::agent {

struct ClientCertificate {
  CallerKind kind = CallerKind::kUnknown;  // kSpiffe or kDnsName
  std::string identity;                    // as Caller::name
  Evidence evidence = Evidence::kNone;
  std::string serial;              // in hexadecimal digits
  absl::Duration time_left;        // until the first of the chain expires
  std::vector<Certificate> chain;  // itself first
};

// `pem` is the certificate, with or without what the client sent of its chain. gRPC has verified it.
absl::StatusOr<ClientCertificate> ReadClientCertificate(absl::string_view pem);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_NET_CLIENT_CERTIFICATE_H_
