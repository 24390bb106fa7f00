// The identity that a client shows to agents, and which agents it may call without one.
//
// Unix sockets need no credentials: the agent gets the peer's uid from the kernel. TCP is mutual
// TLS; plaintext goes to loopback addresses only, and only while there is no certificate.
//
// Ownership:     a value.
// Thread-safety: as a plain value.
#ifndef SHOAL_CLIENT_SHOAL_CREDENTIALS_H_
#define SHOAL_CLIENT_SHOAL_CREDENTIALS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shoal/host_list.h"

namespace shoal {

// PEM files. All three or none.
struct TlsFiles {
  std::string cert_file;  // the client's certificate, then its chain
  std::string key_file;   // its private key
  std::string ca_file;    // the CA of the agents' certificates
};

class Credentials {
 public:
  // Without a certificate: Unix sockets, and plaintext to loopback.
  Credentials() = default;

  // Reads the three files. INVALID_ARGUMENT: only some are given; NOT_FOUND or FAILED_PRECONDITION:
  // one cannot be read, holds no certificate or no private key without a passphrase, or key and
  // certificate do not belong together; the message names it. No file at all is Credentials().
  // Blocking: reads the files.
  //
  // A Host looks at the files again around each new connection: what they hold then is shown from
  // there on, if it is of use.
  static absl::StatusOr<Credentials> Load(const TlsFiles& files);

  // As Load(), with $SHOAL_TLS_CERT, $SHOAL_TLS_KEY and $SHOAL_TLS_CA for each file that is not
  // given.
  static absl::StatusOr<Credentials> FromEnvironment(TlsFiles files = {});

  bool has_certificate() const { return !cert_pem_.empty(); }

  // OK, or FAILED_PRECONDITION with a sentence that says what is missing to speak to `address`.
  absl::Status MaySpeakTo(const HostAddress& address) const;

  const std::string& cert_pem() const { return cert_pem_; }
  const std::string& key_pem() const { return key_pem_; }
  const std::string& ca_pem() const { return ca_pem_; }
  // What they were read from; empty without a certificate.
  const TlsFiles& files() const { return files_; }

 private:
  std::string cert_pem_;
  std::string key_pem_;
  std::string ca_pem_;
  TlsFiles files_;
};

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_CREDENTIALS_H_
