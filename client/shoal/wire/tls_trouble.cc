#include "shoal/wire/tls_trouble.h"

#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "common/escape.h"
#include "shoal/wire/wire_status.h"

namespace shoal {
namespace {

// $cert and $ca stand for the files.
struct Row {
  absl::string_view sign;  // within what gRPC says of an attempt to connect
  bool with_certificate;   // that this program shows one
  absl::string_view told;
};

constexpr absl::string_view kClosedOnCertificate =
    "it closed the connection during the TLS handshake, as an agent does whose --tls-ca has not "
    "signed $cert, or "
    "that has no room for another connection; its log says which";
constexpr absl::string_view kClosedOnPlaintext =
    "it closed the connection, which was plaintext: an agent that speaks TLS is shown a "
    "certificate (--tls-cert, "
    "--tls-key and --tls-ca, or SHOAL_TLS_CERT, SHOAL_TLS_KEY and SHOAL_TLS_CA)";

constexpr Row kRows[] = {
    {"certificate verify failed", true,
     "its certificate does not verify by $ca: another CA has signed it, or it is not valid now; "
     "give the CA of the "
     "agents (--tls-ca, SHOAL_TLS_CA), or the agent a certificate of this one"},
    {"wrong version number", true,
     "it speaks no TLS on that port: an agent with --insecure-loopback is spoken to without a "
     "certificate (unset "
     "SHOAL_TLS_CERT, SHOAL_TLS_KEY and SHOAL_TLS_CA), and what else listens there is no agent"},
    {"Socket closed", true, kClosedOnCertificate},
    {"Connection reset", true, kClosedOnCertificate},
    {"Socket closed", false, kClosedOnPlaintext},
    {"Connection reset", false, kClosedOnPlaintext},
};

}  // namespace

std::string TellTlsTrouble(const grpc::Status& status, const Credentials& credentials) {
  if (!IsConnectFailure(status)) return "";
  for (const Row& row : kRows) {
    if (row.with_certificate != credentials.has_certificate() ||
        !absl::StrContains(status.error_message(), row.sign)) {
      continue;
    }
    return absl::StrReplaceAll(row.told,
                               {{"$cert", EscapeForMessage(credentials.files().cert_file)},
                                {"$ca", EscapeForMessage(credentials.files().ca_file)}});
  }
  return "";
}

}  // namespace shoal
