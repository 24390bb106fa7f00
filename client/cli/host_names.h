// Names of hosts as people write them.
//
// Thread-safety: thread-safe.
#ifndef SHOAL_CLIENT_CLI_HOST_NAMES_H_
#define SHOAL_CLIENT_CLI_HOST_NAMES_H_

#include <string>
#include <vector>

namespace shoal::cli {

// "node[1-3],gpu1" for node1, node2, node3, gpu1: neighbours that differ in a number at their end,
// without or with the same zeros in front, are drawn together. Keeps the order; a name given twice
// counts once.
std::string FoldNames(const std::vector<std::string>& names);

// "0-2,7" for 0, 1, 2, 7 in ascending order.
std::string FoldRanks(const std::vector<int>& ranks);

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_HOST_NAMES_H_
