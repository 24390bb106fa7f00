// The same answer from many ranks as one: --gather.
//
// Thread-safety: thread-safe.
#ifndef SHOAL_CLIENT_CLI_GATHER_H_
#define SHOAL_CLIENT_CLI_GATHER_H_

#include <string>
#include <vector>

namespace shoal::cli {

struct RankAnswer {
  int rank = 0;
  std::string host;
  std::string text;  // everything that it wrote
};

// One block for each different answer, in order of the first rank that gave it: a label, then the
// answer in a column of its own, aligned. The label: the hosts, folded, if all ranks of each gave
// that answer; else the ranks. `answers` are in order of rank.
// `shows_controls`: as of tagged lines on a terminal, where a carriage return would overwrite the label.
std::string RenderGathered(const std::vector<RankAnswer>& answers, bool shows_controls = false);

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_GATHER_H_
