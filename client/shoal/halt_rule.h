// When a job is ended early: never | now|soon,fail|success|done=N|P%
//
// Thread-safety: as a plain value.
#ifndef SHOAL_CLIENT_SHOAL_HALT_RULE_H_
#define SHOAL_CLIENT_SHOAL_HALT_RULE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace shoal {

struct HaltRule {
  enum class When {
    kNever,
    kNow,   // what runs is terminated
    kSoon,  // nothing new is started, what runs is waited for
  };
  enum class What { kFail, kSuccess, kDone };

  When when = When::kNever;
  What what = What::kFail;
  int count = 0;    // 0 if `percent` counts
  int percent = 0;  // 1…100 of all ranks; reached with at least one

  // True once the job is to be ended. `total` is the number of ranks that there will be.
  bool IsReached(int succeeded, int failed, int total) const;

  // As it was written, "now,fail=1".
  std::string ToString() const;

  static HaltRule NowOnFirstFailure() { return {When::kNow, What::kFail, 1, 0}; }
  static HaltRule Never() { return {}; }
};

// INVALID_ARGUMENT with the grammar in the message.
absl::StatusOr<HaltRule> ParseHaltRule(absl::string_view text);

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_HALT_RULE_H_
