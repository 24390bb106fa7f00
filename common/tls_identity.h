// Certificate, private key and CA of one side of mutual TLS: read, and checked to be of use before
// gRPC has them.
//
// Ownership:     values.
// Thread-safety: thread-safe.
// Blocking:      on the file system.
// Errors:        name the file, and for a mismatch both: NOT_FOUND and others of open(2) and
//                read(2); FAILED_PRECONDITION: what is in it is of no use, or others can read a key.
#ifndef SHOAL_COMMON_TLS_IDENTITY_H_
#define SHOAL_COMMON_TLS_IDENTITY_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace shoal {

struct TlsPaths {
  std::string certificate;
  std::string key;
  std::string ca;
};

// What the files are called in messages, such as "--tls-cert" or "the certificate".
struct TlsNames {
  absl::string_view certificate;
  absl::string_view key;
  absl::string_view ca;
};

struct TlsIdentity {
  std::string certificate;  // PEM, with its chain
  std::string key;          // PEM, without a passphrase
  std::string ca;           // PEM
};

enum class TlsRole { kServer, kClient };

// All three are PEM; the key is its owner's alone, and that of the certificate; the certificate and
// those of its chain are valid now, each signed by the next, and the first one is for `role`; a
// certificate of the CA is valid now.
absl::StatusOr<TlsIdentity> ReadTlsIdentity(const TlsPaths& paths, const TlsNames& names,
                                            TlsRole role);

}  // namespace shoal

#endif  // SHOAL_COMMON_TLS_IDENTITY_H_
