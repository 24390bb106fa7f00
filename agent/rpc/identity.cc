#include "agent/rpc/identity.h"

#include <grpcpp/security/auth_context.h>
#include <grpcpp/server_context.h>
#include <sys/stat.h>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "agent/rpc/call_audit.h"

namespace shoal::agent {
namespace {

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

Caller Callers::Loopback() {
  return {.kind = CallerKind::kInsecureLoopback,
          .name = "loopback",
          .evidence = Evidence::kLoopbackAddress};
}

void Callers::OnAccepted(int fd, uid_t uid, std::shared_ptr<const SocketPeer> peer) {
  MutexLock lock(&mu_);
  unix_connections_[fd] = {uid, SocketOf(fd), std::move(peer)};
}

Caller Callers::Of(const grpc::CallbackServerContext& context) const {
  std::string peer = context.peer();
  absl::string_view number = peer;
  int fd = 0;
  if (absl::ConsumePrefix(&number, "fd:") && absl::SimpleAtoi(number, &fd)) {
    MutexLock lock(&mu_);
    auto found = unix_connections_.find(fd);
    if (found == unix_connections_.end()) return Caller();
    return {.kind = CallerKind::kUnixUser,
            .name = absl::StrCat("uid:", found->second.uid),
            .evidence = Evidence::kPeerCredentials,
            .peer = found->second.peer};
  }
  std::shared_ptr<const grpc::AuthContext> auth = context.auth_context();
  if (auth != nullptr && auth->IsPeerAuthenticated()) {
    const std::shared_ptr<const Holder> holder = tls_.HolderOf(*auth);
    // One that is refused is known for the audit alone; its gate lets no call of it come this far.
    return holder == nullptr || !holder->refusal.ok() ? Caller() : holder->caller;
  }
  return IsLoopback(peer) ? Loopback() : Caller();
}

absl::StatusOr<Permit> Callers::Authorize(const grpc::CallbackServerContext& context, Verb verb) {
  Caller caller = Of(context);
  caller.connection = context.peer();
  if (caller.tcp_connection != 0) connections_.CountServed(caller.tcp_connection);
  absl::StatusOr<Permit> permit = agent::Authorize(caller, verb, Target::Host());
  if (!permit.ok()) auditor_->Refused(caller, NameOf(verb), permit.status());
  return permit;
}

void Callers::TellEnded(const TcpEvent& event) const {
  auditor_->log()->ConnectionsEnded(event.address, event.what, event.count);
}

bool Callers::HasUnixConnections() const {
  MutexLock lock(&mu_);
  absl::erase_if(unix_connections_,
                 [](const auto& one) { return one.second.socket != SocketOf(one.first); });
  return !unix_connections_.empty();
}

}  // namespace shoal::agent
