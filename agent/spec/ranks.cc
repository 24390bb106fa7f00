#include "agent/spec/ranks.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/spec/field_checks.h"
#include "agent/spec/spec_checks.h"
#include "common/status.h"

namespace shoal::agent {

absl::Status CheckRanks(const v1::Ranks& ranks, absl::string_view name) {
  if (ranks.count() < 1 || ranks.count() > kMaxBatch) {
    return absl::InvalidArgumentError(absl::StrCat("ranks.count is ", ranks.count(),
                                                   ", must be 1 to ", kMaxBatch, " on one host"));
  }
  if (ranks.first_rank() < 0 || ranks.host_rank() < 0) {
    return absl::InvalidArgumentError("ranks.first_rank and ranks.host_rank must not be negative");
  }
  int64_t end = int64_t{ranks.first_rank()} + ranks.count();
  if (ranks.world_size() < end) {
    return absl::InvalidArgumentError(absl::StrCat("ranks.world_size is ", ranks.world_size(),
                                                   ", but the ranks go to ", end - 1));
  }
  size_t longest = name.size() + 1 + absl::StrCat(end - 1).size();
  if (!name.empty() && longest > kMaxNameBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("name with its rank is ", longest, " bytes, limit ", kMaxNameBytes));
  }
  size_t bytes = 0;
  for (int i = 0; i < ranks.hosts_size(); ++i) {
    std::string field = absl::StrCat("ranks.hosts[", i, "]");
    SHOAL_RETURN_IF_ERROR(CheckNoNul(field, ranks.hosts(i)));
    bytes += ranks.hosts(i).size() + 1;
  }
  if (bytes > kMaxArgumentBytes - 32) {
    return absl::InvalidArgumentError(
        absl::StrCat("ranks.hosts are ", bytes, " bytes together, limit ", kMaxArgumentBytes - 32));
  }
  return absl::OkStatus();
}

std::shared_ptr<const RankSet> ToRankSet(const v1::Ranks& ranks) {
  return std::make_shared<const RankSet>(RankSet{.first_rank = ranks.first_rank(),
                                                 .count = ranks.count(),
                                                 .world_size = ranks.world_size(),
                                                 .host_rank = ranks.host_rank(),
                                                 .hosts = absl::StrJoin(ranks.hosts(), ",")});
}

}  // namespace shoal::agent
