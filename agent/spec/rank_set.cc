#include "agent/spec/rank_set.h"

#include "absl/strings/str_cat.h"

namespace shoal::agent {

std::vector<std::string> RankEnvironment(const RankSet& ranks, int rank) {
  return {absl::StrCat("SHOAL_RANK=", rank),
          absl::StrCat("SHOAL_WORLD_SIZE=", ranks.world_size),
          absl::StrCat("SHOAL_LOCAL_RANK=", rank - ranks.first_rank),
          absl::StrCat("SHOAL_LOCAL_SIZE=", ranks.count),
          absl::StrCat("SHOAL_HOST_RANK=", ranks.host_rank),
          absl::StrCat("SHOAL_JOB_HOSTS=", ranks.hosts)};
}

}  // namespace shoal::agent
