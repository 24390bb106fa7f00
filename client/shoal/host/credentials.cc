#include "shoal/credentials.h"

#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "common/status.h"
#include "common/tls_identity.h"

namespace shoal {
namespace {

void FillFromEnvironment(const char* variable, std::string* file) {
  const char* value = std::getenv(variable);
  if (file->empty() && value != nullptr) *file = value;
}

}  // namespace

absl::StatusOr<Credentials> Credentials::Load(const TlsFiles& files) {
  std::vector<absl::string_view> missing;
  if (files.cert_file.empty()) missing.push_back("the certificate (SHOAL_TLS_CERT)");
  if (files.key_file.empty()) missing.push_back("its private key (SHOAL_TLS_KEY)");
  if (files.ca_file.empty()) missing.push_back("the certificate authority (SHOAL_TLS_CA)");
  if (missing.size() == 3) return Credentials();
  if (!missing.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("TLS needs three files; missing: ", absl::StrJoin(missing, ", ")));
  }
  SHOAL_ASSIGN_OR_RETURN(
      TlsIdentity identity,
      ReadTlsIdentity({files.cert_file, files.key_file, files.ca_file},
                      {"the certificate", "the private key", "the certificate authority"},
                      TlsRole::kClient));
  Credentials credentials;
  credentials.cert_pem_ = std::move(identity.certificate);
  credentials.key_pem_ = std::move(identity.key);
  credentials.ca_pem_ = std::move(identity.ca);
  credentials.files_ = files;
  return credentials;
}

absl::StatusOr<Credentials> Credentials::FromEnvironment(TlsFiles files) {
  FillFromEnvironment("SHOAL_TLS_CERT", &files.cert_file);
  FillFromEnvironment("SHOAL_TLS_KEY", &files.key_file);
  FillFromEnvironment("SHOAL_TLS_CA", &files.ca_file);
  return Load(files);
}

absl::Status Credentials::MaySpeakTo(const HostAddress& address) const {
  if (address.is_unix() || has_certificate() || address.is_loopback()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("host \"", address.name,
                   "\" is reached over TCP, which needs a certificate: set SHOAL_TLS_CERT, "
                   "SHOAL_TLS_KEY and SHOAL_TLS_CA"));
}

}  // namespace shoal
