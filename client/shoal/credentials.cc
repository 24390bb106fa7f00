#include "shoal/credentials.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "common/status.h"
#include "common/unique_fd.h"

namespace shoal {
namespace {

constexpr size_t kMaxPemBytes = size_t{1} << 20;

// The text of a PEM file. `what` names it in messages: "the certificate".
absl::StatusOr<std::string> ReadPem(absl::string_view what, const std::string& path) {
  std::string operation = absl::StrCat("read ", what, " ", path);
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return ErrnoStatus(errno, operation);
  std::string text;
  char buffer[16384];
  while (true) {
    ssize_t got = read(fd.get(), buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus(errno, operation);
    if (got == 0) break;
    text.append(buffer, static_cast<size_t>(got));
    if (text.size() > kMaxPemBytes) {
      return absl::FailedPreconditionError(absl::StrCat(operation, ": larger than 1 MiB"));
    }
  }
  if (!absl::StrContains(text, "-----BEGIN ")) {
    return absl::FailedPreconditionError(absl::StrCat(operation, ": there is no PEM block in it"));
  }
  return text;
}

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
  Credentials credentials;
  if (missing.size() == 3) return credentials;
  if (!missing.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("TLS needs three files; missing: ", absl::StrJoin(missing, ", ")));
  }
  SHOAL_ASSIGN_OR_RETURN(credentials.cert_pem_, ReadPem("the certificate", files.cert_file));
  SHOAL_ASSIGN_OR_RETURN(credentials.key_pem_, ReadPem("the private key", files.key_file));
  SHOAL_ASSIGN_OR_RETURN(credentials.ca_pem_, ReadPem("the certificate authority", files.ca_file));
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
