// X.509 certificates as PEM files hold them.
//
// Ownership:     values.
// Thread-safety: thread-safe.
// Blocking:      never blocks.
// Errors:        what is no certificate is left out.
#ifndef SHOAL_COMMON_CERTIFICATE_H_
#define SHOAL_COMMON_CERTIFICATE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

struct x509_st;  // X509 of OpenSSL

namespace shoal {

struct CertificateFree {
  void operator()(x509_st* certificate) const;
};
using Certificate = std::unique_ptr<x509_st, CertificateFree>;

// In their order, up to the first block that is no certificate.
std::vector<Certificate> ParseCertificates(absl::string_view pem);

// Frees what libcrypto keeps for the calling thread. A detached thread calls this while the program still waits for
// it: once libcrypto is taken down, the end of the thread frees nothing.
void FreeCryptoOfThread();

absl::Time ValidFrom(const x509_st& certificate);
absl::Time ValidUntil(const x509_st& certificate);

// Of its issuer: "4A0F…", in capital hexadecimal digits.
std::string SerialOf(const x509_st& certificate);

// `issuer` has signed `certificate`, and names itself as it is named there.
bool IsSignedBy(x509_st* certificate, x509_st* issuer);

}  // namespace shoal

#endif  // SHOAL_COMMON_CERTIFICATE_H_
