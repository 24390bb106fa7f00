#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "shoal/halt_rule.h"

namespace shoal {
namespace {

struct Case {
  const char* rule;
  int succeeded, failed, total;
  bool reached;
};

class HaltRuleReached : public ::testing::TestWithParam<Case> {};

TEST_P(HaltRuleReached, ExactlyWhenItSays) {
  const Case& c = GetParam();
  auto rule = ParseHaltRule(c.rule);
  ASSERT_TRUE(rule.ok()) << rule.status();
  EXPECT_EQ(rule->IsReached(c.succeeded, c.failed, c.total), c.reached)
      << c.rule << " " << c.succeeded << " " << c.failed << " " << c.total;
  EXPECT_EQ(rule->ToString(), c.rule);
}

INSTANTIATE_TEST_SUITE_P(
    Rules, HaltRuleReached,
    ::testing::Values(Case{"never", 0, 9, 9, false}, Case{"now,fail=1", 9, 0, 10, false},
                      Case{"now,fail=1", 0, 1, 10, true}, Case{"now,fail=3", 5, 2, 10, false},
                      Case{"now,fail=3", 5, 3, 10, true}, Case{"soon,success=2", 1, 7, 10, false},
                      Case{"soon,success=2", 2, 0, 10, true}, Case{"now,done=4", 2, 2, 10, true},
                      Case{"now,done=4", 2, 1, 10, false}, Case{"now,fail=10%", 0, 0, 5, false},
                      Case{"now,fail=10%", 0, 1, 5, true}, Case{"now,fail=50%", 0, 2, 5, false},
                      Case{"now,fail=50%", 0, 3, 5, true}, Case{"now,done=100%", 4, 1, 5, true},
                      Case{"now,done=100%", 4, 0, 5, false}));

struct Refusal {
  const char* rule;
  const char* reason;
};

class HaltRuleRefuses : public ::testing::TestWithParam<Refusal> {};

TEST_P(HaltRuleRefuses, WithTheReasonAndTheGrammar) {
  auto rule = ParseHaltRule(GetParam().rule);
  ASSERT_EQ(rule.status().code(), absl::StatusCode::kInvalidArgument) << GetParam().rule;
  EXPECT_EQ(rule.status().message(),
            absl::StrCat("halt rule \"", GetParam().rule, "\": ", GetParam().reason,
                         "; it is never | now|soon,fail|success|done=N|P%, such as now,fail=1"));
}

constexpr char kBeginning[] = "it begins with never, now or soon";
constexpr char kNoNumber[] = "the number is 1 or more";
constexpr char kNoShare[] = "the share is 1% to 100%";

INSTANTIATE_TEST_SUITE_P(
    Texts, HaltRuleRefuses,
    ::testing::Values(Refusal{"", kBeginning}, Refusal{"never,fail=1", kBeginning},
                      Refusal{"later,fail=1", kBeginning}, Refusal{" now,fail=1", kBeginning},
                      Refusal{"now", "what is to be counted is missing"},
                      Refusal{"now,crash=1", "what is counted is fail, success or done"},
                      Refusal{"now,fail", "the number is missing"}, Refusal{"now,fail=", kNoNumber},
                      Refusal{"now,fail=0", kNoNumber}, Refusal{"now,fail=-1", kNoNumber},
                      Refusal{"now,fail=+1", kNoNumber}, Refusal{"now,fail=1x", kNoNumber},
                      Refusal{"now,fail=99999999999", kNoNumber}, Refusal{"now,fail=0%", kNoShare},
                      Refusal{"now,fail=101%", kNoShare}, Refusal{"now,fail=%", kNoShare}));

}  // namespace
}  // namespace shoal
