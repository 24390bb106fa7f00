#include "common/spelling.h"

#include <gtest/gtest.h>

namespace shoal {
namespace {

const std::vector<std::string> kVerbs = {"start", "stop", "status", "logs", "ps"};

TEST(Spelling, TheClosestWordIsMeant) {
  EXPECT_EQ(ClosestTo("strat", kVerbs), "start");
  EXPECT_EQ(ClosestTo("stpo", kVerbs), "stop");
  EXPECT_EQ(ClosestTo("log", kVerbs), "logs");
  EXPECT_EQ(ClosestTo("statsu", kVerbs), "status");
  EXPECT_EQ(DidYouMean("statr", kVerbs), "did you mean \"start\"?");
}

TEST(Spelling, AWordThatIsFarFromAllMeansNone) {
  for (const char* word : {"", "x", "kill", "sp", "restarted-all"}) {
    EXPECT_EQ(ClosestTo(word, kVerbs), "") << word;
    EXPECT_EQ(DidYouMean(word, kVerbs), "") << word;
  }
  EXPECT_EQ(ClosestTo(std::string(100'000, 's'), kVerbs), "");
}

}  // namespace
}  // namespace shoal
