#include "agent/rpc/call_quota.h"

namespace shoal::agent {

absl::StatusOr<std::shared_ptr<CallQuota::Lease>> CallQuota::Take(Kind kind, const Permit& permit) {
  const size_t limit = kind == Kind::kStream ? limits_.streams
                       : kind == Kind::kWait ? limits_.waits
                                             : limits_.uploads;
  const absl::string_view what = kind == Kind::kStream ? "open streams"
                                 : kind == Kind::kWait ? "open waits"
                                                       : "open uploads";
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
