#include "agent/spec/ranks.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/spec/field_checks.h"
#include "agent/spec/spec_checks.h"
#include "common/status.h"

namespace shoal::agent {
namespace {

constexpr size_t kMaxRankHostBytes = size_t{64} << 20;  // every rank has its copy of the list

}  // namespace

absl::Status CheckRanks(const v1::Ranks& ranks, absl::string_view name) {
  if (ranks.count() < 1 || ranks.count() > kMaxBatch) {
    return absl::InvalidArgumentError(
        absl::StrCat("ranks.count is ", ranks.count(), ", must be 1 to ", kMaxBatch));
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
  if (bytes * static_cast<size_t>(ranks.count()) > kMaxRankHostBytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "ranks.hosts times ranks.count are ", bytes * static_cast<size_t>(ranks.count()),
        " bytes, limit ", kMaxRankHostBytes, ": spawn in several batches"));
  }
  return absl::OkStatus();
}

std::vector<std::string> RankEnvironment(const v1::Ranks& ranks, int index) {
  return {absl::StrCat("SHOAL_RANK=", ranks.first_rank() + index),
          absl::StrCat("SHOAL_WORLD_SIZE=", ranks.world_size()),
          absl::StrCat("SHOAL_LOCAL_RANK=", index),
          absl::StrCat("SHOAL_LOCAL_SIZE=", ranks.count()),
          absl::StrCat("SHOAL_HOST_RANK=", ranks.host_rank()),
          absl::StrCat("SHOAL_JOB_HOSTS=", absl::StrJoin(ranks.hosts(), ","))};
}

}  // namespace shoal::agent
