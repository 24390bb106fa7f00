#include "shoal/wire/agent_certificate.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <functional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/certificate.h"
#include "common/escape.h"

namespace shoal {
namespace {

// "[::1]:7420" → "::1"
std::string HostOf(absl::string_view target) {
  if (absl::ConsumePrefix(&target, "[")) return std::string(target.substr(0, target.find(']')));
  const size_t colon = target.find(':');
  const bool has_port = colon != absl::string_view::npos && colon == target.rfind(':');
  return std::string(has_port ? target.substr(0, colon) : target);
}

// "node1, 10.0.0.1"
std::string NamesOf(X509* certificate) {
  std::unique_ptr<GENERAL_NAMES, decltype(&GENERAL_NAMES_free)> found(
      static_cast<GENERAL_NAMES*>(
          X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)),
      &GENERAL_NAMES_free);
  std::vector<std::string> names;
  for (int i = 0; found != nullptr && i < sk_GENERAL_NAME_num(found.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(found.get(), i);
    if (name->type == GEN_DNS) {
      names.push_back(
          EscapeForMessage({reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
                            static_cast<size_t>(ASN1_STRING_length(name->d.dNSName))}));
    } else if (name->type == GEN_IPADD && (ASN1_STRING_length(name->d.iPAddress) == 4 ||
                                           ASN1_STRING_length(name->d.iPAddress) == 16)) {
      const int family = ASN1_STRING_length(name->d.iPAddress) == 4 ? AF_INET : AF_INET6;
      char text[INET6_ADDRSTRLEN] = "?";
      inet_ntop(family, ASN1_STRING_get0_data(name->d.iPAddress), text, sizeof(text));
      names.emplace_back(text);
    }
  }
  return absl::StrJoin(names, ", ");
}

class AgentVerifier final : public grpc::experimental::ExternalCertificateVerifier {
 public:
  bool Verify(grpc::experimental::TlsCustomVerificationCheckRequest* request,
              std::function<void(grpc::Status)> callback, grpc::Status* sync_status) override {
    static_cast<void>(callback);
    const grpc::string_ref pem = request->peer_cert();
    const grpc::string_ref target = request->target_name();
    const absl::Status status =
        CheckAgentCertificate({pem.data(), pem.size()}, {target.data(), target.size()});
    if (!status.ok()) {
      *sync_status = grpc::Status(grpc::StatusCode::UNAUTHENTICATED, std::string(status.message()));
    }
    return true;
  }
  void Cancel(grpc::experimental::TlsCustomVerificationCheckRequest*) override {}
};

}  // namespace

absl::Status CheckAgentCertificate(absl::string_view pem, absl::string_view target) {
  const std::vector<Certificate> chain = ParseCertificates(pem);
  const std::string host = HostOf(target);
  if (chain.empty()) return absl::UnauthenticatedError("the agent's certificate cannot be read");
  X509* own = chain.front().get();
  const bool is_for_host = X509_check_ip_asc(own, host.c_str(), 0) == 1 ||
                           X509_check_host(own, host.data(), host.size(),
                                           X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, nullptr) == 1;
  ERR_clear_error();
  if (is_for_host) return absl::OkStatus();
  const std::string names = NamesOf(own);
  return absl::UnauthenticatedError(absl::StrCat(
      "the agent's certificate is not for ", EscapeForMessage(host),
      names.empty()
          ? ": it names no host as its subject alternative name (a common name does not count)"
          : absl::StrCat(" but for ", names)));
}

std::shared_ptr<grpc::experimental::CertificateVerifier> MakeAgentVerifier() {
#ifdef __clang_analyzer__
  return nullptr;  // It takes what gRPC frees by a callback for a leak, in gRPC's own header.
#else
  return grpc::experimental::ExternalCertificateVerifier::Create<AgentVerifier>();
#endif
}

}  // namespace shoal
