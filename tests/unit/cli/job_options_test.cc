#include "client/cli/job_options.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace shoal::cli {
namespace {

using ::testing::ElementsAre;

TEST(MergeEnvironment, TheUnixSocketGetsAllOfIt) {
  EXPECT_THAT(MergeEnvironment({"A=1", "SECRET=x"}, true, {}), ElementsAre("A=1", "SECRET=x"));
}

TEST(MergeEnvironment, TcpGetsWhatATerminalNeeds) {
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

}  // namespace
}  // namespace shoal::cli
