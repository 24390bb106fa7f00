#include "shoal/wire/tls_trouble.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/escape.h"
#include "shoal/wire/wire_status.h"

namespace shoal {
namespace {

enum class File { kNone, kCertificate, kCa };

struct Row {
  absl::string_view sign;    // within what gRPC says of an attempt to connect
  absl::string_view before;  // the name of the file
  absl::string_view after;
  File file;
  bool with_certificate;  // that this program shows one
};

constexpr absl::string_view kClosedOnCertificate =
    "it closed the connection during the TLS handshake, as an agent does whose --tls-ca has not "
    "signed ";
constexpr absl::string_view kItsLog =
    ", or that has no room for another connection; its log says which";
constexpr absl::string_view kClosedOnPlaintext =
    "it closed the connection, which was plaintext: an agent that speaks TLS is shown a "
    "certificate (--tls-cert, "
    "--tls-key and --tls-ca, or SHOAL_TLS_CERT, SHOAL_TLS_KEY and SHOAL_TLS_CA)";

constexpr Row kRows[] = {
    {"certificate verify failed", "its certificate does not verify by ",
     ": another CA has signed it, or it is not valid now; give the CA of the agents (--tls-ca, "
     "SHOAL_TLS_CA), or the agent a certificate of this one",
     File::kCa, true},
    {"wrong version number",
     "it speaks no TLS on that port: an agent with --insecure-loopback is spoken to without a "
     "certificate (unset SHOAL_TLS_CERT, SHOAL_TLS_KEY and SHOAL_TLS_CA), and what else listens "
     "there is no agent",
     "", File::kNone, true},
    {"Socket closed", kClosedOnCertificate, kItsLog, File::kCertificate, true},
    {"Connection reset", kClosedOnCertificate, kItsLog, File::kCertificate, true},
    {"Socket closed", kClosedOnPlaintext, "", File::kNone, false},
    {"Connection reset", kClosedOnPlaintext, "", File::kNone, false},
};

std::string NameOf(File file, const Credentials& credentials) {
  if (file == File::kNone) return "";
  const TlsFiles& files = credentials.files();
  return EscapeForMessage(file == File::kCa ? files.ca_file : files.cert_file);
}

}  // namespace

std::string TellTlsTrouble(const grpc::Status& status, const Credentials& credentials) {
  if (!IsConnectFailure(status)) return "";
  for (const Row& row : kRows) {
    if (row.with_certificate != credentials.has_certificate() ||
        !absl::StrContains(status.error_message(), row.sign)) {
      continue;
    }
    return absl::StrCat(row.before, NameOf(row.file, credentials), row.after);
  }
  return "";
}

}  // namespace shoal
