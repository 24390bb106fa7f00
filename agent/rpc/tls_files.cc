#include "agent/rpc/tls_files.h"

#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "agent/os/descriptor.h"
#include "common/status.h"

namespace shoal::agent {
namespace {

using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;

Bio BioOf(const std::string& pem) {
  return Bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free);
}

// A key with a passphrase is refused instead of asked for on the terminal.
int NoPassphrase(char*, int, int, void*) { return 0; }

Certificate ParseCertificate(const std::string& pem) {
  return Certificate(PEM_read_bio_X509(BioOf(pem).get(), nullptr, &NoPassphrase, nullptr),
                     &X509_free);
}

Key ParseKey(const std::string& pem) {
  return Key(PEM_read_bio_PrivateKey(BioOf(pem).get(), nullptr, &NoPassphrase, nullptr),
             &EVP_PKEY_free);
}

absl::Status Unusable(absl::string_view flag, const std::string& path, absl::string_view what) {
  ERR_clear_error();
  return absl::FailedPreconditionError(absl::StrCat(flag, " ", path, " ", what));
}

absl::StatusOr<std::string> Read(absl::string_view flag, const std::string& path) {
  if (path.empty()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "--listen speaks TLS and needs --tls-cert, --tls-key and --tls-ca; ", flag, " is missing"));
  }
  absl::StatusOr<std::string> text = ReadSmallFile(AT_FDCWD, path);
  if (text.ok()) return text;
  return absl::Status(text.status().code(), absl::StrCat(flag, ": ", text.status().message()));
}

}  // namespace

absl::StatusOr<TlsFiles> ReadTlsFiles(const TlsPaths& paths) {
  TlsFiles files;
  SHOAL_ASSIGN_OR_RETURN(files.certificate, Read("--tls-cert", paths.certificate));
  SHOAL_ASSIGN_OR_RETURN(files.key, Read("--tls-key", paths.key));
  SHOAL_ASSIGN_OR_RETURN(files.ca, Read("--tls-ca", paths.ca));
  Certificate certificate = ParseCertificate(files.certificate);
  if (certificate == nullptr) {
    return Unusable("--tls-cert", paths.certificate, "holds no PEM certificate");
  }
  Key key = ParseKey(files.key);
  if (key == nullptr) {
    return Unusable("--tls-key", paths.key, "holds no PEM private key without a passphrase");
  }
  if (ParseCertificate(files.ca) == nullptr) {
    return Unusable("--tls-ca", paths.ca, "holds no PEM certificate");
  }
  if (X509_check_private_key(certificate.get(), key.get()) != 1) {
    return Unusable("--tls-cert", paths.certificate,
                    absl::StrCat("and --tls-key ", paths.key, " do not belong together"));
  }
  return files;
}

}  // namespace shoal::agent
