#include "agent/rpc/call_audit.h"

#include <algorithm>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"

namespace shoal::agent {
namespace {

constexpr size_t kMaxKnown = 256;

absl::string_view NameOf(CallerKind kind) {
  switch (kind) {
    case CallerKind::kUnknown:
      return "unknown";
    case CallerKind::kUnixUser:
      return "unix_user";
    case CallerKind::kSpiffe:
      return "spiffe";
    case CallerKind::kDnsName:
      return "dns_name";
    case CallerKind::kInsecureLoopback:
      return "insecure_loopback";
    case CallerKind::kAgent:
      return "agent";
  }
  return "unknown";
}

absl::string_view NameOf(grpc::StatusCode code) {
  static constexpr absl::string_view kNames[] = {"OK",
                                                 "CANCELLED",
                                                 "UNKNOWN",
                                                 "INVALID_ARGUMENT",
                                                 "DEADLINE_EXCEEDED",
                                                 "NOT_FOUND",
                                                 "ALREADY_EXISTS",
                                                 "PERMISSION_DENIED",
                                                 "RESOURCE_EXHAUSTED",
                                                 "FAILED_PRECONDITION",
                                                 "ABORTED",
                                                 "OUT_OF_RANGE",
                                                 "UNIMPLEMENTED",
                                                 "INTERNAL",
                                                 "UNAVAILABLE",
                                                 "DATA_LOSS",
                                                 "UNAUTHENTICATED"};
  const auto index = static_cast<size_t>(code);
  return index < std::size(kNames) ? kNames[index] : "UNKNOWN";
}

absl::string_view NameOf(absl::StatusCode code) {
  return NameOf(static_cast<grpc::StatusCode>(code));
}

void SetCaller(const Caller& caller, std::string process, AuditEntry* entry) {
  entry->caller = caller.name;
  entry->kind = std::string(NameOf(caller.kind));
  entry->serial = caller.serial;
  if (caller.kind == CallerKind::kUnixUser) {
    entry->uid = std::string(absl::StripPrefix(caller.name, "uid:"));
  }
  if (caller.peer == nullptr) return;
  entry->pid = absl::StrCat(caller.peer->pid);
  entry->process = std::move(process);
}

// Of a caller over TCP, without its port, else empty. Its connection is told by its address alone, or
// as gRPC does: "ipv4:10.0.0.7:51234", "ipv6:%5B::1%5D:51234".
std::string AddressOf(const Caller& caller) {
  if (caller.tcp_connection == 0 && !absl::StartsWith(caller.connection, "ipv")) return "";
  std::string plain =
      absl::StrReplaceAll(caller.connection, {{"%5B", "["}, {"%5D", "]"}, {"%25", "%"}});
  absl::string_view address = plain;
  if (!absl::ConsumePrefix(&address, "ipv4:") && !absl::ConsumePrefix(&address, "ipv6:")) {
    return plain;
  }
  address = address.substr(0, address.rfind(':'));
  if (absl::ConsumePrefix(&address, "[")) absl::ConsumeSuffix(&address, "]");
  return std::string(address);
}

// The call ended before a rule could be asked, for no fault of its own.
bool IsNoRefusal(grpc::StatusCode code) {
  return code == grpc::StatusCode::CANCELLED || code == grpc::StatusCode::UNAVAILABLE ||
         code == grpc::StatusCode::DEADLINE_EXCEEDED;
}

}  // namespace

void Auditor::Refused(const Caller& caller, absl::string_view method, const absl::Status& status) {
  AuditEntry entry;
  entry.event = "refused";
  SetCaller(caller, ProcessOf(caller), &entry);
  entry.address = AddressOf(caller);
  entry.method = std::string(method);
  entry.decision = "refused";
  entry.result = std::string(NameOf(status.code()));
  entry.reason = std::string(status.message());
  log_->Merge(std::move(entry));
}

void Auditor::Find(const Permit& permit, Supervisor* supervisor, ProcessTrees* trees) {
  const std::shared_ptr<const SocketPeer>& peer = permit.caller().peer;
  if (peer == nullptr || peer->process_ids.empty()) return;
  {
    MutexLock lock(&mu_);
    const auto found = known_.find(peer.get());
    if (found != known_.end() && !found->second.peer.expired()) return;
  }
  std::string process_id;
  for (const std::string& id : peer->process_ids) {
    const ProcessEntry* const process = supervisor->Find(permit, id);
    if (process == nullptr || process->IsTreeOver()) continue;
    const absl::StatusOr<std::vector<int>> members = trees->Members(*process);
    if (!members.ok()) return;  // asked again with the next call
    if (std::find(members->begin(), members->end(), peer->pid) == members->end()) continue;
    process_id = id;
    break;
  }
  MutexLock lock(&mu_);
  if (known_.size() >= kMaxKnown) {
    absl::erase_if(known_, [](const auto& one) { return one.second.peer.expired(); });
  }
  known_[peer.get()] = {peer, std::move(process_id)};
}

std::string Auditor::ProcessOf(const Caller& caller) const {
  if (caller.peer == nullptr || caller.peer->process_ids.empty()) return "";
  MutexLock lock(&mu_);
  const auto found = known_.find(caller.peer.get());
  return found == known_.end() || found->second.peer.expired() ? "" : found->second.process_id;
}

CallAudit::CallAudit(Auditor* auditor, const Permit& permit, absl::string_view method,
                     CallFacts facts)
    : auditor_(auditor),
      caller_(permit.caller()),
      method_(method),
      class_(ClassOf(permit.verb())),
      facts_(std::move(facts)) {}

void CallAudit::SetFacts(CallFacts facts) {
  MutexLock lock(&mu_);
  facts_ = std::move(facts);
}

AuditEntry CallAudit::Entry(absl::string_view event) const {
  AuditEntry entry;
  entry.event = std::string(event);
  SetCaller(caller_, auditor_->ProcessOf(caller_), &entry);
  entry.method = method_;
  entry.subject = facts_.subject;
  entry.argv_sha256 = facts_.argv_sha256;
  entry.request_id = facts_.request_id;
  return entry;
}

AuditEntry CallAudit::DecisionOf(const absl::Status& status) {
  decided_ = true;
  refused_ = !status.ok();
  AuditEntry entry = Entry("decision");
  entry.decision = refused_ ? "refused" : "allowed";
  if (!refused_) return entry;
  entry.event = "refused";
  entry.result = std::string(NameOf(status.code()));
  entry.reason = std::string(status.message());
  return entry;
}

void CallAudit::Decided(const absl::Status& status) {
  AuditEntry entry;
  {
    MutexLock lock(&mu_);
    if (decided_) return;
    entry = DecisionOf(status);
  }
  if (!status.ok()) return auditor_->log()->Merge(std::move(entry));
  if (class_ != AuditClass::kMerged) auditor_->log()->Write(std::move(entry));
}

bool CallAudit::IsRequired() const {
  return class_ == AuditClass::kLogged && auditor_->log()->is_required();
}

void CallAudit::DecidedThen(AuditLog::Written tell) {
  AuditLog::Written written = [tell = std::move(tell)](absl::Status status) mutable {
    tell(status.ok() ? status
                     : absl::Status(status.code(),
                                    absl::StrCat(status.message(),
                                                 "; the call was not carried out, since its line "
                                                 "must stand there first (--audit-required)")));
  };
  if (absl::Status status = auditor_->log()->status(); !status.ok()) return written(status);
  AuditEntry entry;
  {
    MutexLock lock(&mu_);
    entry = DecisionOf(absl::OkStatus());
  }
  auditor_->log()->WriteThen(std::move(entry), std::move(written));
}

void CallAudit::Finished(const grpc::Status& status, CallResult result) {
  AuditEntry entry;
  bool merge = class_ == AuditClass::kMerged;
  {
    MutexLock lock(&mu_);
    // It was said with the decision.
    if (refused_) return;
    const bool refused = status.error_code() == grpc::StatusCode::PERMISSION_DENIED ||
                         (!decided_ && !status.ok() && !IsNoRefusal(status.error_code()));
    entry = Entry(refused && !decided_ ? "refused" : "result");
    entry.decision = refused ? "refused" : decided_ || merge ? "allowed" : "";
    merge = merge || (refused && !decided_);
  }
  entry.ids = std::move(result.ids);
  entry.result = std::string(NameOf(status.error_code()));
  entry.reason = status.ok() ? std::move(result.failure) : status.error_message();
  if (merge) return auditor_->log()->Merge(std::move(entry));
  auditor_->log()->Write(std::move(entry));
}

}  // namespace shoal::agent
