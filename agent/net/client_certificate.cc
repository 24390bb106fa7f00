#include "agent/net/client_certificate.h"

#include <openssl/asn1.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "agent/net/allowed_identities.h"
#include "common/escape.h"

namespace shoal::agent {
namespace {

constexpr size_t kShownBytes = 64;

struct Names {
  std::vector<std::string> uris;
  std::vector<std::string> dns_names;
};

// With the zeros in them, which end no name here.
std::string TextOf(const ASN1_IA5STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<size_t>(ASN1_STRING_length(text))};
}

Names NamesOf(X509* certificate) {
  Names names;
  std::unique_ptr<GENERAL_NAMES, decltype(&GENERAL_NAMES_free)> found(
      static_cast<GENERAL_NAMES*>(
          X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)),
      &GENERAL_NAMES_free);
  for (int i = 0; found != nullptr && i < sk_GENERAL_NAME_num(found.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(found.get(), i);
    if (name->type == GEN_URI) names.uris.push_back(TextOf(name->d.uniformResourceIdentifier));
    if (name->type == GEN_DNS) names.dns_names.push_back(TextOf(name->d.dNSName));
  }
  return names;
}

absl::Status Refused(absl::string_view why) {
  return absl::PermissionDeniedError(absl::StrCat("the client's certificate ", why));
}

absl::Status Identify(const Names& names, ClientCertificate* certificate) {
  if (names.uris.size() > 1) {
    return Refused(absl::StrCat("has ", names.uris.size(), " URIs; an identity is exactly one"));
  }
  if (names.uris.size() == 1) {
    const std::string& uri = names.uris.front();
    if (uri.size() > kMaxSpiffeIdBytes) {
      return Refused(absl::StrCat("has a URI of ", uri.size(), " bytes, '",
                                  EscapeForMessage(uri, kShownBytes), "'; an identity has at most ",
                                  kMaxSpiffeIdBytes));
    }
    if (!IsSpiffeId(uri)) {
      return Refused(absl::StrCat("has the URI '", EscapeForMessage(uri),
                                  "', which is no SPIFFE id (spiffe://DOMAIN/SEGMENT/…)"));
    }
    certificate->kind = CallerKind::kSpiffe;
    certificate->evidence = Evidence::kCertificateUri;
    certificate->identity = uri;
    return absl::OkStatus();
  }
  if (names.dns_names.size() > 1) {
    return Refused(
        absl::StrCat("has ", names.dns_names.size(), " DNS names; an identity is exactly one"));
  }
  if (names.dns_names.empty()) {
    return Refused("has neither a URI nor a DNS name; its common name (CN) is no identity");
  }
  const std::string& name = names.dns_names.front();
  if (!IsDnsName(name)) {
    return Refused(absl::StrCat("has the DNS name '", EscapeForMessage(name), "', which is none"));
  }
  certificate->kind = CallerKind::kDnsName;
  certificate->evidence = Evidence::kCertificateDnsName;
  certificate->identity = DnsIdentity(name);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ClientCertificate> ReadClientCertificate(absl::string_view pem) {
  ClientCertificate certificate;
  certificate.chain = ParseCertificates(pem);
  if (certificate.chain.empty()) return Refused("cannot be read");
  X509* own = certificate.chain.front().get();
  if (absl::Status status = Identify(NamesOf(own), &certificate); !status.ok()) return status;
  certificate.serial = SerialOf(*own);
  absl::Time end = ValidUntil(*own);
  for (const Certificate& one : certificate.chain) end = std::min(end, ValidUntil(*one));
  certificate.time_left = end - absl::Now();
  if (certificate.time_left < absl::ZeroDuration()) return Refused("has expired");
  return certificate;
}

}  // namespace shoal::agent
