#include "common/tls_identity.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "common/certificate.h"
#include "common/read_whole.h"
#include "common/status.h"
#include "common/unique_fd.h"

namespace shoal {
namespace {

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;

constexpr size_t kMaxBytes = size_t{1} << 20;

Bio BioOf(const std::string& pem) {
  return Bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free);
}

// A key with a passphrase is refused instead of asked for on the terminal.
int NoPassphrase(char*, int, int, void*) { return 0; }

Key ParseKey(const std::string& pem) {
  return Key(PEM_read_bio_PrivateKey(BioOf(pem).get(), nullptr, &NoPassphrase, nullptr),
             &EVP_PKEY_free);
}

absl::Status Unusable(absl::string_view name, const std::string& path, absl::string_view what) {
  ERR_clear_error();
  return absl::FailedPreconditionError(absl::StrCat(name, " ", path, " ", what));
}

// A key is to be read by its owner alone; one of root's may be shared with the group of the agent, as
// Debian's ssl-cert does it.
absl::Status CheckPrivate(absl::string_view name, const std::string& path,
                          const struct stat& file) {
  const mode_t others = file.st_uid == 0 && geteuid() != 0 ? S_IWGRP | S_IRWXO : S_IRWXG | S_IRWXO;
  if ((file.st_mode & others) == 0) return absl::OkStatus();
  return Unusable(name, path,
                  absl::StrFormat("is not private (mode %04o): chmod 600", file.st_mode & 07777));
}

enum class Kind { kPublic, kPrivate };

absl::StatusOr<std::string> Read(absl::string_view name, const std::string& path, Kind kind) {
  const std::string operation = absl::StrCat("cannot read ", name, " ", path);
  // Without O_NONBLOCK the open of a pipe waits until somebody writes to it.
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return ErrnoStatus(errno, operation);
  struct stat file {};
  if (fstat(fd.get(), &file) != 0) return ErrnoStatus(errno, operation);
  if (!S_ISREG(file.st_mode)) return Unusable(name, path, "is no regular file");
  if (kind == Kind::kPrivate) SHOAL_RETURN_IF_ERROR(CheckPrivate(name, path, file));
  absl::StatusOr<std::string> text = ReadWhole(fd.get(), kMaxBytes, operation);
  if (absl::IsOutOfRange(text.status())) return Unusable(name, path, "is larger than 1 MiB");
  return text;
}

std::string Shown(absl::Time time) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%S UTC", time, absl::UTCTimeZone());
}

// Why a certificate is of no use now, empty if it is valid.
std::string DateFault(const X509& certificate) {
  const absl::Time now = absl::Now();
  if (now < ValidFrom(certificate)) {
    return absl::StrCat("is not valid before ", Shown(ValidFrom(certificate)));
  }
  if (now > ValidUntil(certificate)) {
    return absl::StrCat("has expired: it was valid until ", Shown(ValidUntil(certificate)));
  }
  return "";
}

absl::Status CheckChain(absl::string_view name, const std::string& path, TlsRole role,
                        const std::vector<Certificate>& chain) {
  if (chain.empty()) return Unusable(name, path, "holds no PEM certificate");
  for (size_t i = 0; i < chain.size(); ++i) {
    if (const std::string fault = DateFault(*chain[i]); !fault.empty()) {
      return Unusable(
          name, path,
          i == 0 ? fault : absl::StrCat("has a chain whose number ", i + 1, " ", fault));
    }
    if (i > 0 && !IsSignedBy(chain[i - 1].get(), chain[i].get())) {
      return Unusable(name, path,
                      absl::StrCat("has a chain that is broken: certificate ", i + 1,
                                   " has not signed the one before it"));
    }
  }
  const bool is_server = role == TlsRole::kServer;
  if (X509_check_purpose(chain.front().get(),
                         is_server ? X509_PURPOSE_SSL_SERVER : X509_PURPOSE_SSL_CLIENT, 0) != 1) {
    return Unusable(name, path,
                    is_server ? "is not for a server: its use does not include serverAuth"
                              : "is not for a client: its use does not include clientAuth");
  }
  return absl::OkStatus();
}

absl::Status CheckAuthorities(absl::string_view name, const std::string& path,
                              const std::vector<Certificate>& authorities) {
  if (authorities.empty()) return Unusable(name, path, "holds no PEM certificate");
  if (std::any_of(authorities.begin(), authorities.end(),
                  [](const Certificate& one) { return DateFault(*one).empty(); })) {
    return absl::OkStatus();
  }
  return Unusable(name, path, DateFault(*authorities.front()));
}

}  // namespace

absl::StatusOr<TlsIdentity> ReadTlsIdentity(const TlsPaths& paths, const TlsNames& names,
                                            TlsRole role) {
  TlsIdentity identity;
  SHOAL_ASSIGN_OR_RETURN(identity.certificate,
                         Read(names.certificate, paths.certificate, Kind::kPublic));
  // Before anything is said of the other file, which is the wrong one, too.
  if (ParseCertificates(identity.certificate).empty() &&
      ParseKey(identity.certificate) != nullptr) {
    return Unusable(names.certificate, paths.certificate,
                    absl::StrCat("holds a private key and no certificate: it and ", names.key, " ",
                                 paths.key, " may have been swapped"));
  }
  SHOAL_ASSIGN_OR_RETURN(identity.key, Read(names.key, paths.key, Kind::kPrivate));
  SHOAL_ASSIGN_OR_RETURN(identity.ca, Read(names.ca, paths.ca, Kind::kPublic));
  const std::vector<Certificate> chain = ParseCertificates(identity.certificate);
  SHOAL_RETURN_IF_ERROR(CheckChain(names.certificate, paths.certificate, role, chain));
  const Key key = ParseKey(identity.key);
  if (key == nullptr) {
    return Unusable(names.key, paths.key, "holds no PEM private key without a passphrase");
  }
  if (X509_check_private_key(chain.front().get(), key.get()) != 1) {
    return Unusable(
        names.certificate, paths.certificate,
        absl::StrCat("and ", names.key, " ", paths.key,
                     " do not belong together: give the key that the certificate was made "
                     "for"));
  }
  SHOAL_RETURN_IF_ERROR(CheckAuthorities(names.ca, paths.ca, ParseCertificates(identity.ca)));
  return identity;
}

}  // namespace shoal
