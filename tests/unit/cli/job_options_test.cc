#include "client/cli/job_options.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace shoal::cli {
namespace {

using ::testing::ElementsAre;

TEST(MergeEnvironment, AnAgentOfOurOwnGetsAllOfIt) {
  EXPECT_THAT(MergeEnvironment({"A=1", "SECRET=x"}, true, {}), ElementsAre("A=1", "SECRET=x"));
}

TEST(MergeEnvironment, AnyOtherGetsWhatATerminalNeeds) {
  EXPECT_THAT(
      MergeEnvironment({"SECRET=x", "TERM=xterm", "LANG=C", "LC_ALL=C", "LCX=1"}, false, {}),
      ElementsAre("LANG=C", "LC_ALL=C", "TERM=xterm"));
}

TEST(MergeEnvironment, WhatIsGivenWinsAndEachKeyStandsOnce) {
  EXPECT_THAT(MergeEnvironment({"A=1", "A=2", "B=1"}, true, {"B=2", "C=", "B=3"}),
              ElementsAre("A=2", "B=3", "C="));
}

TEST(MergeEnvironment, DropsWhatNoAgentWouldTake) {
  EXPECT_THAT(MergeEnvironment({"=x", "nothing", "A==b"}, true, {}), ElementsAre("A==b"));
}

TEST(ResolveEnvironment, ANameTakesItsValueFromHere) {
  const auto resolved = ResolveEnvironment({"TOKEN", "A=1", "B="}, {"A=9", "TOKEN=x=y", "C=3"});
  ASSERT_TRUE(resolved.ok()) << resolved.status();
  EXPECT_THAT(*resolved, ElementsAre("TOKEN=x=y", "A=1", "B="));
}

TEST(ResolveEnvironment, WhatIsNotThereOrHasNoNameIsAnError) {
  EXPECT_EQ(ResolveEnvironment({"TOKEN"}, {"TOKENS=1"}).status().message(),
            "--env TOKEN: there is no such variable here");
  for (const char* entry : {"", "=x"}) {
    EXPECT_EQ(ResolveEnvironment({entry}, {"=x"}).status().message(),
              absl::StrCat("--env \"", entry, "\" is not of the form KEY or KEY=VALUE"));
  }
}

}  // namespace
}  // namespace shoal::cli
