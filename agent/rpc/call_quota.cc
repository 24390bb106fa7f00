#include "agent/rpc/call_quota.h"

namespace shoal::agent {
namespace {

std::pair<size_t, absl::string_view> LimitOf(const Quotas& limits, CallQuota::Kind kind) {
  switch (kind) {
    case CallQuota::Kind::kStream:
      return {limits.streams, "open streams"};
    case CallQuota::Kind::kWideStream:
      return {limits.wide_streams, "open streams of processes by name, label or all"};
    case CallQuota::Kind::kWait:
      return {limits.waits, "open waits"};
    case CallQuota::Kind::kUpload:
      return {limits.uploads, "open uploads"};
    case CallQuota::Kind::kInput:
      return {limits.inputs, "open writes of input"};
  }
  return {0, "open calls"};
}

}  // namespace

absl::StatusOr<std::shared_ptr<CallQuota::Lease>> CallQuota::Take(Kind kind, const Permit& permit) {
  const auto [limit, what] = LimitOf(limits_, kind);
  Key key(kind, permit.owner());
  {
    MutexLock lock(&mu_);
    size_t& open = open_[key];
    if (open >= limit) {
      return QuotaExceeded(permit.owner(), what, static_cast<int64_t>(open),
                           static_cast<int64_t>(limit));
    }
    ++open;
  }
  return std::make_shared<Lease>(this, std::move(key));
}

void CallQuota::GiveBack(const Key& key) {
  MutexLock lock(&mu_);
  const auto found = open_.find(key);
  if (--found->second == 0) open_.erase(found);
}

}  // namespace shoal::agent
