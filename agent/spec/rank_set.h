// What the ranks of one SpawnBatch share, and what each is told of it by its environment.
//
// Ownership:     plain data, shared by the ranks until each has started: the list of hosts is in memory
//                once, however many ranks there are.
// Thread-safety: constant once built.
// Blocking:      never blocks.
// Errors:        none.
#ifndef SHOAL_AGENT_SPEC_RANK_SET_H_
#define SHOAL_AGENT_SPEC_RANK_SET_H_

#include <string>
#include <vector>

namespace shoal::agent {

struct RankSet {
  int first_rank = 0;
  int count = 0;
  int world_size = 0;
  int host_rank = 0;
  std::string hosts = {};  // comma-separated
};

// SHOAL_RANK=… and the rest for this rank of the world.
std::vector<std::string> RankEnvironment(const RankSet& ranks, int rank);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_SPEC_RANK_SET_H_
