// The ranks of a SpawnBatch, checked and converted.
//
// Ownership:     stateless.
// Thread-safety: thread-safe.
// Blocking:      never blocks.
// Errors:        INVALID_ARGUMENT names the field and the reason.
#ifndef SHOAL_AGENT_SPEC_RANKS_H_
#define SHOAL_AGENT_SPEC_RANKS_H_

#include <memory>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "agent/spec/rank_set.h"
#include "shoal/v1/process_service.pb.h"

namespace shoal::agent {

inline constexpr int kMaxBatch = 10'000;  // processes of a SpawnBatch

// INVALID_ARGUMENT for a count, rank or host list that cannot be.
absl::Status CheckRanks(const v1::Ranks& ranks, absl::string_view name);

// Of ranks that were checked.
std::shared_ptr<const RankSet> ToRankSet(const v1::Ranks& ranks);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_SPEC_RANKS_H_
