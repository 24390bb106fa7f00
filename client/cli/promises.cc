#include "client/cli/promises.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "absl/strings/str_cat.h"

namespace shoal::cli {
namespace {

enum Index : size_t { kNoOrphan, kNoLostExit, kNoLostByte, kNeverTwice };

struct Ground {
  absl::string_view check;
  std::vector<Index> promises;
  bool is_for_failures_only = false;  // degraded it is slower, no more
};

// What each promise stands on; see agent/os/host_checks.h. Limits of descriptors and PIDs bound how many
// processes there may be, not what becomes of them.
const std::vector<Ground>& Grounds() {
  static const auto* const kGrounds =
      new std::vector<Ground>{{"cgroup", {kNoOrphan}},
                              {"subreaper", {kNoOrphan}},
                              {"kernel", {kNoOrphan}},
                              {"systemd", {kNoLostExit, kNoLostByte}},
                              {"run directory", {kNoLostExit}, /*is_for_failures_only=*/true},
                              {"state directory", {kNoLostExit, kNoLostByte, kNeverTwice}}};
  return *kGrounds;
}

int Badness(v1::Check::Result result) {
  switch (result) {
    case v1::Check::RESULT_OK:
      return 0;
    case v1::Check::RESULT_DEGRADED:
      return 2;
    case v1::Check::RESULT_FAILED:
      return 3;
    default:
      return 1;
  }
}

void Lower(const v1::Check& check, Promise* promise) {
  if (check.result() == v1::Check::RESULT_OK) return;
  if (Badness(check.result()) > Badness(promise->result)) promise->result = check.result();
  absl::StrAppend(&promise->because, promise->because.empty() ? "" : ", ", check.name());
}

}  // namespace

std::array<Promise, 4> PromisesOf(const v1::Host& facts) {
  std::array<Promise, 4> promises = {Promise{.name = "no orphan", .because = ""},
                                     Promise{.name = "no lost exit", .because = ""},
                                     Promise{.name = "no lost byte", .because = ""},
                                     Promise{.name = "never twice", .because = ""}};
  for (const v1::Check& check : facts.checks()) {
    for (const Ground& ground : Grounds()) {
      const bool is_bearable =
          ground.is_for_failures_only && check.result() != v1::Check::RESULT_FAILED;
      if (ground.check != check.name() || is_bearable) continue;
      for (const Index index : ground.promises) Lower(check, &promises[index]);
    }
  }
  return promises;
}

bool IsWell(const v1::Host& facts) {
  return std::all_of(facts.checks().begin(), facts.checks().end(),
                     [](const v1::Check& check) { return check.result() == v1::Check::RESULT_OK; });
}

}  // namespace shoal::cli
