#include "agent/core/request_log.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "agent/core/reason.h"
#include "common/ids.h"
#include "common/status.h"

namespace shoal::agent {
namespace {

constexpr int kGoPerCall = 64;
constexpr size_t kOutcomesPerWeight = 16;

size_t WeightOf(const LoggedRequest& request) {
  return 1 + request.decision.outcomes.size() / kOutcomesPerWeight;
}

absl::string_view NameOf(RequestKind kind) {
  switch (kind) {
    case RequestKind::kUnknown:
      break;
    case RequestKind::kSpawn:
      return "Spawn";
    case RequestKind::kSignal:
      return "Signal";
    case RequestKind::kUpdate:
      return "Update";
    case RequestKind::kDelete:
      return "Delete";
    case RequestKind::kOpenSession:
      return "Open";
    case RequestKind::kCreateTemplate:
      return "TemplateService.Create";
    case RequestKind::kDeleteTemplates:
      return "TemplateService.Delete";
    case RequestKind::kTakeover:
      return "Takeover";
  }
  return "another call";
}

// A repeat must be the same call.
absl::Status CheckSame(const LoggedRequest& known, RequestKind kind, const LoggedCall& call) {
  if (known.kind == RequestKind::kUnknown) {
    return absl::FailedPreconditionError(
        "request_id was served before and what it started was deleted since; use a new one");
  }
  if (known.kind != kind) {
    return absl::AlreadyExistsError(absl::StrCat("request_id reused by another call (",
                                                 NameOf(known.kind), " then, ", NameOf(kind),
                                                 " now)"));
  }
  if (known.fingerprint.empty() || known.fingerprint == call.fingerprint) return absl::OkStatus();
  return absl::AlreadyExistsError(absl::StrCat(
      "request_id reused with a different ", kind == RequestKind::kSpawn ? "spec" : "request", " (",
      absl::BytesToHexString(known.fingerprint.substr(0, 6)), " then, ",
      absl::BytesToHexString(call.fingerprint.substr(0, 6)), " now)"));
}

// The same call may succeed at another time.
bool IsForWantOfSomething(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsResourceExhausted(status) ||
         status.GetPayload(kReasonPayload) == absl::Cord(kReasonBlobMissing);
}

}  // namespace

absl::StatusOr<const LoggedRequest*> RequestLog::Begin(RequestKind kind, const LoggedCall& call,
                                                       const std::string& session_id) {
  if (const Row* known = FindRow(call.owner(), call.request_id)) {
    SHOAL_RETURN_IF_ERROR(CheckSame(known->request, kind, call));
    return &known->request;
  }
  SHOAL_RETURN_IF_ERROR(CheckNew(call, IdTimeOf(call.request_id), session_id));
  LoggedRequest request;
  request.owner = call.owner();
  request.request_id = call.request_id;
  request.kind = kind;
  request.fingerprint = call.fingerprint;
  request.session_id = session_id;
  request.log_time = clock_->Now();
  Row* row = Add(std::move(request));
  row->is_new = true;
  Touch(*row);
  LetOldestGo(call.owner());
  return nullptr;
}

absl::Status RequestLog::CheckNew(const LoggedCall& call, absl::Time id_time,
                                  const std::string& session_id) const {
  const absl::Time now = clock_->Now();
  if (id_time > now + limits_.kept) {
    return WithReason(kReasonRequestIdTime,
                      absl::FailedPreconditionError(
                          absl::StrCat("request_id is from the future, by ",
                                       absl::FormatDuration(id_time - now), ": set the clocks")));
  }
  for (const Scope& scope : {Scope(call.owner(), session_id), Scope()}) {
    const auto horizon = horizons_.find(scope);
    if (horizon == horizons_.end() || id_time > horizon->second) continue;
    return WithReason(
        kReasonRequestIdTime,
        absl::FailedPreconditionError(absl::StrCat(
            "request_id too old: made ", absl::FormatDuration(now - id_time),
            " ago, what became of it is kept for ", absl::FormatDuration(now - horizon->second))));
  }
  return absl::OkStatus();
}

absl::Time RequestLog::IdTimeOf(const std::string& request_id) const {
  return TimeOfRequestId(request_id).value_or(clock_->Now());
}

const LoggedRequest* RequestLog::Find(const LoggedCall& call) const {
  const Row* row = FindRow(call.owner(), call.request_id);
  return row == nullptr ? nullptr : &row->request;
}

void RequestLog::Decide(const LoggedCall& call, Decision decision) {
  Row* row = FindRow(call.owner(), call.request_id);
  if (row == nullptr || row->request.is_decided) return;
  if (IsForWantOfSomething(decision.status)) return Forget(call);
  row->request.is_decided = true;
  row->request.decision = std::move(decision);
  owners_[call.owner()].weight += WeightOf(row->request) - row->weight;
  row->weight = WeightOf(row->request);
  Touch(*row);
}

void RequestLog::Forget(const LoggedCall& call) {
  const Key key(call.owner(), call.request_id);
  if (!rows_.contains(key)) return;
  Drop(key);
}

void RequestLog::AddProcess(const ProcessEntry& process) {
  Row* row = FindRow(process.owner, process.request_id);
  if (row == nullptr) return;
  Unlink(*row);
  ++row->processes;
  if (std::erase(row->request.unstarted, process.request_index) > 0) Touch(*row);
}

void RequestLog::RemoveProcess(const ProcessEntry& process, bool unstarted) {
  Row* row = FindRow(process.owner, process.request_id);
  if (row == nullptr || row->processes == 0) return;
  --row->processes;
  Link(*row);
  if (!unstarted) return;
  row->request.unstarted.push_back(process.request_index);
  Touch(*row);
}

void RequestLog::ForgetSession(const SessionEntry& session) {
  const auto found = by_session_.find(session.id);
  if (found != by_session_.end()) {
    const std::set<Key> keys = std::move(found->second);
    by_session_.erase(found);
    for (const Key& key : keys) {
      Drop(key);
    }
  }
  const Scope scope(session.owner, session.id);
  if (horizons_.erase(scope) > 0) touched_horizons_.insert(scope);
}

void RequestLog::Restore(LoggedRequest request) {
  if (FindRow(request.owner, request.request_id) == nullptr) Add(std::move(request));
}

void RequestLog::Restore(const RequestHorizon& horizon) {
  horizons_[{horizon.owner, horizon.session_id}] = horizon.time;
}

void RequestLog::Adopt(LoggedRequest request) {
  if (FindRow(request.owner, request.request_id) == nullptr) Touch(*Add(std::move(request)));
}

RequestLog::Row* RequestLog::FindRow(const std::string& owner,
                                     const std::string& request_id) const {
  const auto found = rows_.find(Key(owner, request_id));
  return found == rows_.end() ? nullptr : found->second.get();
}

RequestLog::Row* RequestLog::Add(LoggedRequest request) {
  const Key key(request.owner, request.request_id);
  auto row = std::make_unique<Row>();
  row->id_time = IdTimeOf(request.request_id);
  row->request = std::move(request);
  if (!row->request.session_id.empty()) by_session_[row->request.session_id].insert(key);
  row->weight = WeightOf(row->request);
  owners_[key.first].weight += row->weight;
  Link(*row);
  return (rows_[key] = std::move(row)).get();
}

void RequestLog::Erase(const Key& key) {
  const auto found = rows_.find(key);
  const Row& row = *found->second;
  Unlink(row);
  if (const auto of = by_session_.find(row.request.session_id); of != by_session_.end()) {
    of->second.erase(key);
    if (of->second.empty()) by_session_.erase(of);
  }
  Owner& of = owners_[key.first];
  of.weight -= row.weight;
  if (of.weight == 0) owners_.erase(key.first);
  rows_.erase(found);
}

std::set<RequestLog::Order>& RequestLog::OrderOf(const Row& row) {
  Owner& of = owners_[row.request.owner];
  return row.request.session_id.empty() ? of.others : of.of_sessions;
}

void RequestLog::Link(const Row& row) {
  if (row.processes == 0) OrderOf(row).insert({row.id_time, row.request.request_id});
}

void RequestLog::Unlink(const Row& row) {
  OrderOf(row).erase({row.id_time, row.request.request_id});
}

void RequestLog::Drop(const Key& key) {
  Erase(key);
  touched_.insert(key);
}

RequestLog::Row* RequestLog::OldestOf(const std::string& owner, const Owner& of) const {
  const Order* oldest = of.of_sessions.empty() ? nullptr : &*of.of_sessions.begin();
  if (!of.others.empty()) {
    const Order& other = *of.others.begin();
    const absl::Duration age = clock_->Now() - FindRow(owner, other.second)->request.log_time;
    // Also if the clock was set back.
    const bool may_go = absl::AbsDuration(age) >= limits_.kept;
    if (may_go && (oldest == nullptr || other < *oldest)) oldest = &other;
  }
  if (oldest == nullptr) return nullptr;
  Row* row = FindRow(owner, oldest->second);
  return row->is_new ? nullptr : row;
}

void RequestLog::LetOldestGo(const std::string& owner) {
  const Owner& of = owners_[owner];
  for (int i = 0; i < kGoPerCall && of.weight > limits_.rows_per_owner; ++i) {
    const Row* oldest = OldestOf(owner, of);
    if (oldest == nullptr) return;
    const Scope scope(owner, oldest->request.session_id);
    absl::Time& horizon = horizons_.try_emplace(scope, absl::InfinitePast()).first->second;
    horizon = std::max(horizon, oldest->id_time);
    touched_horizons_.insert(scope);
    Drop({owner, oldest->request.request_id});
  }
}

void RequestLog::Save() {
  for (const Key& key : touched_) {
    if (const Row* row = FindRow(key.first, key.second)) {
      store_->PutRequest(row->request);
    } else {
      store_->DeleteRequest(key.first, key.second);
    }
  }
  for (const Scope& scope : touched_horizons_) {
    if (const auto horizon = horizons_.find(scope); horizon != horizons_.end()) {
      store_->PutHorizon({scope.first, scope.second, horizon->second});
    } else {
      store_->DeleteHorizon(scope.first, scope.second);
    }
  }
}

void RequestLog::OnCommit(const absl::Status& committed) {
  const std::set<Key> touched = std::exchange(touched_, {});
  std::set<Scope> horizons = std::exchange(touched_horizons_, {});
  if (!committed.ok()) unsaved_horizons_.merge(horizons);
  for (const Key& key : touched) {
    Row* row = FindRow(key.first, key.second);
    const bool is_new = row != nullptr && std::exchange(row->is_new, false);
    if (committed.ok()) continue;
    if (is_new) {
      Erase(key);
    } else {
      unsaved_.insert(key);
    }
  }
}

void RequestLog::SaveAgain() {
  touched_.merge(std::exchange(unsaved_, {}));
  touched_horizons_.merge(std::exchange(unsaved_horizons_, {}));
}

}  // namespace shoal::agent
