// The ranks of a SpawnBatch: what each is told of itself by its environment.
//
// Ownership:     stateless.
// Thread-safety: thread-safe.
// Blocking:      never blocks.
// Errors:        INVALID_ARGUMENT names the field and the reason.
#ifndef SHOAL_AGENT_SPEC_RANKS_H_
#define SHOAL_AGENT_SPEC_RANKS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "shoal/v1/process_service.pb.h"

namespace shoal::agent {

inline constexpr int kMaxBatch = 10'000;  // processes of a SpawnBatch

// INVALID_ARGUMENT for a count, rank or host list that cannot be.
absl::Status CheckRanks(const v1::Ranks& ranks, absl::string_view name);

// SHOAL_RANK=… and the rest for process `index` of `ranks`.
std::vector<std::string> RankEnvironment(const v1::Ranks& ranks, int index);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_SPEC_RANKS_H_
