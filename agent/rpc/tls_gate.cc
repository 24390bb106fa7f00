#include "agent/rpc/tls_gate.h"

#include <grpc/grpc_security_constants.h>

#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "agent/core/call_words.h"
#include "agent/net/client_certificate.h"
#include "agent/rpc/call_audit.h"
#include "agent/rpc/status_to_grpc.h"
#include "common/boot_time.h"
#include "common/certificate.h"
#include "common/escape.h"

namespace shoal::agent {
namespace {

constexpr char kPath[] = ":path";
constexpr char kConnectionEnds[] = "this connection is being ended";
constexpr char kTag[] = "shoal_connection";

absl::string_view PropertyOf(const grpc::AuthContext& context, const char* name) {
  const std::vector<grpc::string_ref> values = context.FindPropertyValues(name);
  if (values.empty()) return "";
  return {values.front().data(), values.front().size()};
}

// The certificate, then what else the client sent of its chain.
std::string PemOf(const grpc::AuthContext& context) {
  return absl::StrCat(PropertyOf(context, GRPC_X509_PEM_CERT_PROPERTY_NAME),
                      PropertyOf(context, GRPC_X509_PEM_CERT_CHAIN_PROPERTY_NAME));
}

}  // namespace

void Tls::SetRevocations(RevocationLists revocations) {
  MutexLock lock(&mu_);
  revocations_ = std::move(revocations);
  connections_->EndRevoked(
      [this](const std::vector<Certificate>& chain)
          ABSL_NO_THREAD_SAFETY_ANALYSIS { return revocations_.IsRevoked(chain); });
}

TcpConnections::Id Tls::TagOf(const grpc::AuthContext& context) const {
  TcpConnections::Id id = 0;
  const absl::string_view tag = PropertyOf(context, kTag);
  return absl::SimpleAtoi(tag, &id) ? id : 0;
}

TcpConnections::Id Tls::Enter(size_t door, grpc::AuthContext* context) {
  Holder holder;
  holder.caller.name = "(none)";
  const BootTime now = BootTime::Now();
  BootTime expiry = BootTime::InfiniteFuture();
  const std::string pem = PemOf(*context);
  absl::StatusOr<ClientCertificate> certificate = ReadClientCertificate(pem);
  holder.refusal = certificate.status();
  if (const std::vector<Certificate> shown = ParseCertificates(pem); !shown.empty()) {
    holder.caller.serial = SerialOf(*shown.front());
  }
  if (certificate.ok()) {
    expiry = now + certificate->time_left;
    holder.caller.name = certificate->identity;
    holder.caller.kind = certificate->kind;
    holder.caller.evidence = certificate->evidence;
    holder.chain = std::move(certificate->chain);
    if (revocations_.IsRevoked(holder.chain)) {
      holder.refusal = absl::PermissionDeniedError("the client's certificate was revoked");
    } else if (!allowed_.Allows(certificate->identity)) {
      holder.refusal = absl::PermissionDeniedError(
          "no --allow-identity names it; add it to the agent's, or show another certificate");
    }
  }
  const TcpConnections::Id id = connections_->FirstCall(door, std::move(holder), expiry, now);
  if (id != 0) context->AddProperty(kTag, absl::StrCat(id));
  return id;
}

absl::Status Tls::Admit(size_t door, grpc::AuthContext* context, absl::string_view path) {
  TcpConnections::Id id = 0;
  {
    MutexLock lock(&mu_);
    id = TagOf(*context);
    if (id == 0) id = Enter(door, context);
  }
  const std::shared_ptr<const Holder> holder = connections_->Find(id);
  if (holder == nullptr) return absl::UnavailableError(kConnectionEnds);
  connections_->CountCall(id, BootTime::Now());
  if (holder->refusal.ok()) return absl::OkStatus();
  const absl::string_view method = path.substr(path.rfind('/') + 1);
  const std::string identity = EscapeForMessage(holder->caller.name, 256);
  absl::Status refusal(holder->refusal.code(),
                       absl::StrCat("identity ", identity, " may not ", WordsOfCall(path), ": ",
                                    holder->refusal.message()));
  auditor_->Refused(holder->caller, method, refusal);
  return refusal;
}

std::shared_ptr<const Holder> Tls::HolderOf(const grpc::AuthContext& context) const {
  TcpConnections::Id id = 0;
  {
    MutexLock lock(&mu_);
    id = TagOf(context);
  }
  return connections_->Find(id);
}

grpc::Status TlsGate::Process(const InputMetadata& metadata, grpc::AuthContext* context,
                              OutputMetadata* consumed, OutputMetadata* response) {
  static_cast<void>(consumed);
  static_cast<void>(response);
  const auto path = metadata.find(kPath);
  absl::string_view method;
  if (path != metadata.end()) method = {path->second.data(), path->second.size()};
  const absl::Status admitted = tls_->Admit(door_, context, method);
  // Of the connection, not of the call: another one may serve it.
  if (absl::IsUnavailable(admitted)) {
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, std::string(admitted.message()));
  }
  return ToGrpc(admitted);
}

}  // namespace shoal::agent
