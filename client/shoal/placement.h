// How many processes of a job each host gets. Ranks follow: contiguous, in the order of the hosts.
//
// Thread-safety: thread-safe.
#ifndef SHOAL_CLIENT_SHOAL_PLACEMENT_H_
#define SHOAL_CLIENT_SHOAL_PLACEMENT_H_

#include <vector>

#include "absl/status/statusor.h"
#include "shoal/v1/process_service.pb.h"

namespace shoal {

inline constexpr int kMaxRanks = 1 << 20;

// `n` processes: host after host is filled up to its slots. If `n` is more than all slots, every
// host gets the same multiple of its slots first and the rest is filled in as above; a host without
// slots gets none unless no host has any. INVALID_ARGUMENT: n < 1 or > kMaxRanks, or no hosts.
absl::StatusOr<std::vector<int>> PlaceTotal(const std::vector<int>& slots, int n);

// `k` on each of `hosts` hosts. INVALID_ARGUMENT as above.
absl::StatusOr<std::vector<int>> PlacePerHost(int hosts, int k);

// One per slot: `slots` itself. FAILED_PRECONDITION: there is none.
absl::StatusOr<std::vector<int>> PlacePerSlot(const std::vector<int>& slots);

// One per core of each host. FAILED_PRECONDITION: there is none.
absl::StatusOr<std::vector<int>> PlacePerCore(const std::vector<int>& cores);

// What each host is asked to start, parallel to `counts`: ranks go host by host, and `hosts` are
// the names of those that get some.
std::vector<v1::Ranks> RanksOf(const std::vector<int>& counts,
                               const std::vector<std::string>& names);

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_PLACEMENT_H_
