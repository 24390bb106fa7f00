#include "shoal/halt_rule.h"

#include <algorithm>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/escape.h"

namespace shoal {
namespace {

absl::Status Malformed(absl::string_view text, absl::string_view reason) {
  return absl::InvalidArgumentError(
      absl::StrCat("halt rule \"", EscapeForMessage(text), "\": ", reason,
                   "; it is never | now|soon,fail|success|done=N|P%, such as now,fail=1"));
}

constexpr int kMaxCount = 1 << 30;

}  // namespace

bool HaltRule::IsReached(int succeeded, int failed, int total) const {
  if (when == When::kNever) return false;
  int seen = what == What::kFail ? failed : what == What::kSuccess ? succeeded : succeeded + failed;
  if (count > 0) return seen >= count;
  return seen > 0 && int64_t{seen} * 100 >= int64_t{total} * percent;
}

std::string HaltRule::ToString() const {
  if (when == When::kNever) return "never";
  absl::string_view event = what == What::kFail      ? "fail"
                            : what == What::kSuccess ? "success"
                                                     : "done";
  return absl::StrCat(when == When::kNow ? "now," : "soon,", event, "=",
                      count > 0 ? absl::StrCat(count) : absl::StrCat(percent, "%"));
}

absl::StatusOr<HaltRule> ParseHaltRule(absl::string_view text) {
  HaltRule rule;
  if (text == "never") return rule;
  std::vector<absl::string_view> halves = absl::StrSplit(text, absl::MaxSplits(',', 1));
  if (halves[0] == "now") {
    rule.when = HaltRule::When::kNow;
  } else if (halves[0] == "soon") {
    rule.when = HaltRule::When::kSoon;
  } else {
    return Malformed(text, "it begins with never, now or soon");
  }
  if (halves.size() != 2) return Malformed(text, "what is to be counted is missing");
  std::vector<absl::string_view> event = absl::StrSplit(halves[1], absl::MaxSplits('=', 1));
  if (event[0] == "fail") {
    rule.what = HaltRule::What::kFail;
  } else if (event[0] == "success") {
    rule.what = HaltRule::What::kSuccess;
  } else if (event[0] == "done") {
    rule.what = HaltRule::What::kDone;
  } else {
    return Malformed(text, "what is counted is fail, success or done");
  }
  if (event.size() != 2) return Malformed(text, "the number is missing");
  absl::string_view number = event[1];
  bool is_percent = absl::EndsWith(number, "%");
  if (is_percent) number.remove_suffix(1);
  int value = 0;
  bool digits = !number.empty() && std::all_of(number.begin(), number.end(),
                                               [](char c) { return c >= '0' && c <= '9'; });
  if (!digits || !absl::SimpleAtoi(number, &value) || value < 1 ||
      value > (is_percent ? 100 : kMaxCount)) {
    return Malformed(text, is_percent ? "the share is 1% to 100%" : "the number is 1 or more");
  }
  (is_percent ? rule.percent : rule.count) = value;
  return rule;
}

}  // namespace shoal
