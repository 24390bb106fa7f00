// Names of a client's certificate, and --allow-identity: what an attacker with a certificate of the CA
// can choose, and what an administrator can mistype.
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/net/allowed_identities.h"
#include "agent/net/client_certificate.h"
#include "tests/fuzz/fuzz.h"

namespace shoal::agent {
namespace {

void RequireIdentity(absl::string_view identity) {
  for (char c : identity) fuzz::Require(c > ' ' && c < '\x7f', "an identity is printable");
  const bool is_spiffe = IsSpiffeId(identity);
  const bool is_dns = absl::StartsWith(identity, "dns:") && IsDnsName(identity.substr(4));
  fuzz::Require(is_spiffe != is_dns, "an identity is of one kind");
}

void TryCertificate(absl::string_view der) {
  const auto read = ReadClientCertificate(absl::StrCat(
      "-----BEGIN CERTIFICATE-----\n", absl::Base64Escape(der), "\n-----END CERTIFICATE-----\n"));
  if (!read.ok()) return fuzz::RequireReadable(read.status());
  RequireIdentity(read->identity);
}

void TryNames(absl::string_view text) {
  if (IsSpiffeId(text)) RequireIdentity(text);
  if (IsDnsName(text)) RequireIdentity(DnsIdentity(text));
  const auto allowed = AllowedIdentities::Parse({std::string(text)});
  if (!allowed.ok()) return fuzz::RequireReadable(allowed.status());
  fuzz::Require(!allowed->Allows(""), "none is nobody");
  fuzz::Require(!allowed->Allows("uid:0") || text == "*", "a user is no identity of a certificate");
  fuzz::Require(!allowed->Allows(absl::StrCat(text, "-evil")) || absl::StrContains(text, '*'),
                "an exact pattern allows itself alone");
}

}  // namespace
}  // namespace shoal::agent

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text = shoal::fuzz::ToText(data, size);
  if (!text.empty() && text.front() == '\x30') {
    shoal::agent::TryCertificate(text);  // as DER begins
  } else {
    shoal::agent::TryNames(text);
  }
  return 0;
}
