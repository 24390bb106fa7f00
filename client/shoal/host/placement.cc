#include "shoal/placement.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>

#include "absl/strings/str_cat.h"

namespace shoal {
namespace {

absl::Status CheckTotal(int64_t n) {
  if (n < 1) return absl::InvalidArgumentError(absl::StrCat("n = ", n, ": at least one process"));
  if (n > kMaxRanks) {
    return absl::InvalidArgumentError(absl::StrCat("n = ", n, ": at most ", kMaxRanks));
  }
  return absl::OkStatus();
}

int64_t Sum(const std::vector<int>& counts) {
  return std::accumulate(counts.begin(), counts.end(), int64_t{0});
}

absl::StatusOr<std::vector<int>> AtLeastOne(const std::vector<int>& counts, const char* what) {
  int64_t total = Sum(counts);
  if (total == 0) return absl::FailedPreconditionError(absl::StrCat("no host has a ", what));
  absl::Status checked = CheckTotal(total);
  if (!checked.ok()) return checked;
  return counts;
}

}  // namespace

absl::StatusOr<std::vector<int>> PlaceTotal(const std::vector<int>& slots, int n) {
  absl::Status checked = CheckTotal(n);
  if (!checked.ok()) return checked;
  if (slots.empty()) return absl::InvalidArgumentError("no host to place processes on");
  std::vector<int> room = slots;
  if (Sum(room) == 0) room.assign(slots.size(), 1);
  int64_t total = Sum(room);
  int rounds = static_cast<int>(n / total);
  int rest = static_cast<int>(n % total);
  std::vector<int> counts(room.size(), 0);
  for (size_t i = 0; i < room.size(); ++i) {
    int extra = std::min(rest, room[i]);
    counts[i] = room[i] * rounds + extra;
    rest -= extra;
  }
  return counts;
}

absl::StatusOr<std::vector<int>> PlacePerHost(int hosts, int k) {
  if (hosts < 1) return absl::InvalidArgumentError("no host to place processes on");
  absl::Status checked = CheckTotal(k < 1 ? k : int64_t{k} * hosts);
  if (!checked.ok()) return checked;
  return std::vector<int>(static_cast<size_t>(hosts), k);
}

absl::StatusOr<std::vector<int>> PlacePerSlot(const std::vector<int>& slots) {
  return AtLeastOne(slots, "slot");
}

absl::StatusOr<std::vector<int>> PlacePerCore(const std::vector<int>& cores) {
  return AtLeastOne(cores, "core");
}

std::vector<v1::Ranks> RanksOf(const std::vector<int>& counts,
                               const std::vector<std::string>& names) {
  v1::Ranks common;
  for (size_t i = 0; i < counts.size(); ++i) {
    common.set_world_size(common.world_size() + counts[i]);
    if (counts[i] > 0) common.add_hosts(names[i]);
  }
  std::vector<v1::Ranks> ranks;
  int next_rank = 0;
  int next_host = 0;
  for (int count : counts) {
    v1::Ranks& own = ranks.emplace_back(common);
    own.set_count(count);
    own.set_first_rank(next_rank);
    own.set_host_rank(next_host);
    next_rank += count;
    if (count > 0) ++next_host;
  }
  return ranks;
}

}  // namespace shoal
