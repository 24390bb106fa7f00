#include "agent/rpc/identity.h"

#include <grpc/grpc_security_constants.h>
#include <grpcpp/server_context.h>
#include <sys/stat.h>

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "agent/rpc/audit.h"
#include "agent/rpc/status_to_grpc.h"
#include "common/escape.h"

namespace shoal::agent {
namespace {

constexpr char kPath[] = ":path";

std::vector<std::string> PropertiesOf(const grpc::AuthContext& context, const char* name) {
  std::vector<std::string> values;
  for (const grpc::string_ref& value : context.FindPropertyValues(name)) {
    values.emplace_back(value.data(), value.size());
  }
  return values;
}

// The inode of the socket behind `fd`, 0 if there is none.
ino_t SocketOf(int fd) {
  struct stat status {};
  return fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode) ? status.st_ino : 0;
}

bool IsLoopback(absl::string_view peer) {
  return absl::StartsWith(peer, "ipv4:127.") || absl::StartsWith(peer, "ipv6:[::1]") ||
         absl::StartsWith(peer, "ipv6:%5B::1%5D");
}

}  // namespace

bool AllowedIdentities::Allows(absl::string_view identity) const {
  for (absl::string_view pattern : patterns_) {
    if (absl::ConsumeSuffix(&pattern, "*") ? absl::StartsWith(identity, pattern)
                                           : identity == pattern) {
      return true;
    }
  }
  return false;
}

CertificateNames NamesOf(const grpc::AuthContext& context) {
  constexpr std::pair<const char*, Evidence> kProperties[] = {
      {GRPC_PEER_URI_PROPERTY_NAME, Evidence::kCertificateUri},
      {GRPC_PEER_DNS_PROPERTY_NAME, Evidence::kCertificateDnsName},
      {GRPC_X509_CN_PROPERTY_NAME, Evidence::kCertificateCommonName},
  };
  for (const auto& [property, evidence] : kProperties) {
    std::vector<std::string> names = PropertiesOf(context, property);
    if (!names.empty()) return {std::move(names), evidence};
  }
  return {};
}

absl::string_view MethodOf(absl::string_view path) { return path.substr(path.rfind('/') + 1); }

void Callers::OnAccepted(int fd, uid_t uid, std::shared_ptr<const SocketPeer> peer) {
  MutexLock lock(&mu_);
  connections_[fd] = {uid, SocketOf(fd), std::move(peer)};
}

Caller Callers::Of(const grpc::CallbackServerContext& context) const {
  std::string peer = context.peer();
  absl::string_view number = peer;
  int fd = 0;
  if (absl::ConsumePrefix(&number, "fd:") && absl::SimpleAtoi(number, &fd)) {
    MutexLock lock(&mu_);
    auto found = connections_.find(fd);
    if (found == connections_.end()) return Caller();
    return {CallerKind::kUnixUser, absl::StrCat("uid:", found->second.uid),
            Evidence::kPeerCredentials, found->second.peer};
  }
  std::shared_ptr<const grpc::AuthContext> auth = context.auth_context();
  if (auth != nullptr && auth->IsPeerAuthenticated()) {
    const CertificateNames certificate = NamesOf(*auth);
    for (const std::string& name : certificate.names) {
      if (!allowed_.Allows(name)) continue;
      return {CallerKind::kTlsIdentity, EscapeForMessage(name, 256), certificate.evidence};
    }
    return Caller();
  }
  if (!IsLoopback(peer)) return Caller();
  return {CallerKind::kInsecureLoopback, "loopback", Evidence::kLoopbackAddress};
}

absl::StatusOr<Permit> Callers::Authorize(const grpc::CallbackServerContext& context,
                                          Verb verb) const {
  const Caller caller = Of(context);
  absl::StatusOr<Permit> permit = agent::Authorize(caller, verb, Target::Host());
  if (!permit.ok()) Audit(caller.name, NameOf(verb), "", permit.status());
  return permit;
}

absl::Status Callers::CheckTls(const grpc::AuthContext& context, absl::string_view path) const {
  const std::vector<std::string> names = NamesOf(context).names;
  for (const std::string& name : names) {
    if (allowed_.Allows(name)) return absl::OkStatus();
  }
  const std::string identity =
      names.empty() ? "(none)" : EscapeForMessage(absl::StrJoin(names, ","));
  absl::Status status = absl::PermissionDeniedError(
      absl::StrCat("identity ", identity, " may not ", EscapeForMessage(MethodOf(path)),
                   " on host ", host_name_, ": no --allow-identity names it"));
  Audit(identity, MethodOf(path), "", status);
  return status;
}

bool Callers::HasUnixConnections() const {
  MutexLock lock(&mu_);
  absl::erase_if(connections_,
                 [](const auto& one) { return one.second.socket != SocketOf(one.first); });
  return !connections_.empty();
}

grpc::Status TlsGate::Process(const InputMetadata& metadata, grpc::AuthContext* context,
                              OutputMetadata* consumed, OutputMetadata* response) {
  static_cast<void>(consumed);
  static_cast<void>(response);
  auto path = metadata.find(kPath);
  absl::string_view method;
  if (path != metadata.end()) method = {path->second.data(), path->second.size()};
  return ToGrpc(callers_->CheckTls(*context, method));
}

}  // namespace shoal::agent
