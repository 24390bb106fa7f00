#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "shoal/halt_rule.h"

namespace shoal {
namespace {

struct Case {
  const char* rule;
  int succeeded, failed, total;
  bool reached;
};

class HaltRuleReached : public testing::TestWithParam<Case> {};

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
    testing::Values(Case{"never", 0, 9, 9, false}, Case{"now,fail=1", 9, 0, 10, false},
                    Case{"now,fail=1", 0, 1, 10, true}, Case{"now,fail=3", 5, 2, 10, false},
                    Case{"now,fail=3", 5, 3, 10, true}, Case{"soon,success=2", 1, 7, 10, false},
                    Case{"soon,success=2", 2, 0, 10, true}, Case{"now,done=4", 2, 2, 10, true},
                    Case{"now,done=4", 2, 1, 10, false}, Case{"now,fail=10%", 0, 0, 5, false},
                    Case{"now,fail=10%", 0, 1, 5, true}, Case{"now,fail=50%", 0, 2, 5, false},
                    Case{"now,fail=50%", 0, 3, 5, true}, Case{"now,done=100%", 4, 1, 5, true},
                    Case{"now,done=100%", 4, 0, 5, false}));

class HaltRuleRefuses : public testing::TestWithParam<const char*> {};

TEST_P(HaltRuleRefuses, WithTheGrammar) {
  auto rule = ParseHaltRule(GetParam());
  ASSERT_EQ(rule.status().code(), absl::StatusCode::kInvalidArgument) << GetParam();
  EXPECT_THAT(std::string(rule.status().message()),
              testing::HasSubstr("now|soon,fail|success|done=N|P%"));
}

INSTANTIATE_TEST_SUITE_P(Texts, HaltRuleRefuses,
                         testing::Values("", "now", "never,fail=1", "later,fail=1", "now,fail",
                                         "now,fail=", "now,fail=0", "now,fail=-1", "now,fail=+1",
                                         "now,fail=1x", "now,fail=0%", "now,fail=101%",
                                         "now,fail=%", "now,crash=1", "now,fail=99999999999",
                                         " now,fail=1"));

}  // namespace
}  // namespace shoal
