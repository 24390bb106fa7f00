// Checks that an agent's certificate, which gRPC has verified to be of the CA, is for the host that was
// asked for: by its subject alternative names alone. gRPC itself takes the common name where there are
// none, and a common name may be anything.
//
// Ownership:     the verifier is shared by the channels that use it.
// Thread-safety: thread-safe.
// Blocking:      never blocks.
// Errors:        UNAUTHENTICATED: it is for other hosts, or names none.
#ifndef SHOAL_CLIENT_SHOAL_WIRE_AGENT_CERTIFICATE_H_
#define SHOAL_CLIENT_SHOAL_WIRE_AGENT_CERTIFICATE_H_

#include <grpcpp/security/tls_certificate_verifier.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace shoal {

// `target` is a host name or an IP address, with or without port.
absl::Status CheckAgentCertificate(absl::string_view pem, absl::string_view target);

std::shared_ptr<grpc::experimental::CertificateVerifier> MakeAgentVerifier();

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_WIRE_AGENT_CERTIFICATE_H_
