#include "common/tls_identity.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <unistd.h>

#include <cstddef>
#include <memory>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "common/unique_fd.h"

namespace shoal {
namespace {

using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;

constexpr size_t kMaxBytes = size_t{1} << 20;

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

absl::Status Unusable(absl::string_view name, const std::string& path, absl::string_view what) {
  ERR_clear_error();
  return absl::FailedPreconditionError(absl::StrCat(name, " ", path, " ", what));
}

absl::StatusOr<std::string> Read(absl::string_view name, const std::string& path) {
  const std::string operation = absl::StrCat("read ", name, " ", path);
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return ErrnoStatus(errno, operation);
  std::string text;
  char buffer[16384];
  while (true) {
    const ssize_t got = read(fd.get(), buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus(errno, operation);
    if (got == 0) return text;
    text.append(buffer, static_cast<size_t>(got));
    if (text.size() > kMaxBytes) return Unusable(name, path, "is larger than 1 MiB");
  }
}

}  // namespace

absl::StatusOr<TlsIdentity> ReadTlsIdentity(const TlsPaths& paths, const TlsNames& names) {
  TlsIdentity identity;
  SHOAL_ASSIGN_OR_RETURN(identity.certificate, Read(names.certificate, paths.certificate));
  SHOAL_ASSIGN_OR_RETURN(identity.key, Read(names.key, paths.key));
  SHOAL_ASSIGN_OR_RETURN(identity.ca, Read(names.ca, paths.ca));
  Certificate certificate = ParseCertificate(identity.certificate);
  if (certificate == nullptr) {
    return Unusable(names.certificate, paths.certificate, "holds no PEM certificate");
  }
  Key key = ParseKey(identity.key);
  if (key == nullptr) {
    return Unusable(names.key, paths.key, "holds no PEM private key without a passphrase");
  }
  if (ParseCertificate(identity.ca) == nullptr) {
    return Unusable(names.ca, paths.ca, "holds no PEM certificate");
  }
  if (X509_check_private_key(certificate.get(), key.get()) != 1) {
    return Unusable(names.certificate, paths.certificate,
                    absl::StrCat("and ", names.key, " ", paths.key, " do not belong together"));
  }
  return identity;
}

}  // namespace shoal
