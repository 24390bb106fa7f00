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

std::vector<std::string> NamesOf(const grpc::AuthContext& context) {
  for (const char* property :
       {GRPC_PEER_URI_PROPERTY_NAME, GRPC_PEER_DNS_PROPERTY_NAME, GRPC_X509_CN_PROPERTY_NAME}) {
    std::vector<std::string> names = PropertiesOf(context, property);
    if (!names.empty()) return names;
  }
  return {};
}

absl::string_view MethodOf(absl::string_view path) { return path.substr(path.rfind('/') + 1); }

void Callers::OnAccepted(int fd, uid_t uid) {
  absl::MutexLock lock(&mu_);
  connections_[fd] = {uid, SocketOf(fd)};
}

std::string Callers::Of(const grpc::CallbackServerContext& context) const {
  std::string peer = context.peer();
  absl::string_view number = peer;
  int fd = 0;
  if (absl::ConsumePrefix(&number, "fd:") && absl::SimpleAtoi(number, &fd)) {
    absl::MutexLock lock(&mu_);
    auto found = connections_.find(fd);
    return found == connections_.end() ? "unknown" : absl::StrCat("uid:", found->second.uid);
  }
  std::shared_ptr<const grpc::AuthContext> auth = context.auth_context();
  if (auth != nullptr && auth->IsPeerAuthenticated()) {
    for (std::string& name : NamesOf(*auth)) {
      if (allowed_.Allows(name)) return EscapeForMessage(name, 256);
    }
    return "unknown";
  }
  return IsLoopback(peer) ? "loopback" : "unknown";
}

absl::Status Callers::CheckTls(const grpc::AuthContext& context, absl::string_view path) const {
  std::vector<std::string> names = NamesOf(context);
  for (const std::string& name : names) {
    if (allowed_.Allows(name)) return absl::OkStatus();
  }
  std::string who = names.empty() ? "(none)" : EscapeForMessage(absl::StrJoin(names, ","));
  absl::Status status = absl::PermissionDeniedError(
      absl::StrCat("identity ", who, " may not ", EscapeForMessage(MethodOf(path)), " on host ",
                   host_name_, ": no --allow-identity names it"));
  Audit(who, MethodOf(path), "", status);
  return status;
}

bool Callers::HasUnixConnections() const {
  absl::MutexLock lock(&mu_);
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
