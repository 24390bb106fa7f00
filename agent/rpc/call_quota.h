// How many calls of each kind that stay open one identity has, and may have.
//
// Ownership:     created by main, outlives every call; a Lease is its holder's.
// Thread-safety: thread-safe.
// Blocking:      never blocks.
// Errors:        RESOURCE_EXHAUSTED: what it has, and the limit.
#ifndef SHOAL_AGENT_RPC_CALL_QUOTA_H_
#define SHOAL_AGENT_RPC_CALL_QUOTA_H_

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "agent/core/access.h"
#include "agent/core/quotas.h"
#include "common/mutex.h"

namespace shoal::agent {

class CallQuota {
 public:
  enum class Kind { kStream, kWideStream, kWait, kUpload, kInput };

  // A call counts as long as its lease is there. Shared by what may outlive the call and the call.
  class Lease {
   public:
    Lease(CallQuota* quota, std::pair<Kind, std::string> key)
        : quota_(quota), key_(std::move(key)) {}
    ~Lease() { quota_->GiveBack(key_); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

   private:
    CallQuota* const quota_;
    const std::pair<Kind, std::string> key_;
  };

  explicit CallQuota(Quotas limits) : limits_(limits) {}

  absl::StatusOr<std::shared_ptr<Lease>> Take(Kind kind, const Permit& permit);

 private:
  using Key = std::pair<Kind, std::string>;

  void GiveBack(const Key& key);

  const Quotas limits_;
  Mutex mu_;
  absl::flat_hash_map<Key, size_t> open_ ABSL_GUARDED_BY(mu_);
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_RPC_CALL_QUOTA_H_
