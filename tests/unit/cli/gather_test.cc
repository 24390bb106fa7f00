#include "client/cli/gather.h"

#include "client/cli/host_names.h"
#include "gtest/gtest.h"

namespace shoal::cli {
namespace {

TEST(RenderGathered, TheSameAnswerFromManyHostsIsOneLine) {
  std::vector<RankAnswer> answers;
  answers.reserve(16);
  for (int i = 0; i < 15; ++i) {
    answers.push_back({i, "node" + std::to_string(i + 1), "6.1.0-37-amd64\n"});
  }
  answers.push_back({15, "node16", "6.1.0-35-amd64\n"});
  EXPECT_EQ(RenderGathered(answers), "node[1-15]  6.1.0-37-amd64\nnode16      6.1.0-35-amd64\n");
}

TEST(RenderGathered, RanksOfOneHostThatDifferAreNamed) {
  EXPECT_EQ(RenderGathered({{0, "ant", "a\n"}, {1, "ant", "b\n"}, {2, "ant", "a\n"}}),
            "ranks 0,2  a\nrank 1     b\n");
}

TEST(RenderGathered, OnATerminalNoLineOverwritesItsLabel) {
  EXPECT_EQ(RenderGathered({{0, "ant", "a\rb\x1b[1m\r\n"}}, /*shows_controls=*/true),
            "ant  a\\rb\\x1b[1m\n");
}

TEST(RenderGathered, LinesAfterTheFirstAreAligned) {
  EXPECT_EQ(RenderGathered({{0, "ant", "a\nb\n"}, {1, "ant", "a\nb\n"}}), "ant  a\n     b\n");
}

TEST(RenderGathered, AnAnswerWithoutTextIsStillAnAnswer) {
  EXPECT_EQ(RenderGathered({{0, "ant", ""}}), "ant\n");
  EXPECT_EQ(RenderGathered({}), "");
}

TEST(FoldNames, DrawsNeighboursTogether) {
  EXPECT_EQ(FoldNames({"node1", "node2", "node3", "gpu1"}), "node[1-3],gpu1");
  EXPECT_EQ(FoldNames({"n09", "n10", "n11"}), "n[09-11]");
  EXPECT_EQ(FoldNames({"n9", "n10"}), "n[9-10]");
  EXPECT_EQ(FoldNames({"n1", "n3"}), "n1,n3");
  EXPECT_EQ(FoldNames({"n01", "n002"}), "n01,n002");
  EXPECT_EQ(FoldNames({"ant", "ant", "bee"}), "ant,bee");
  EXPECT_EQ(FoldNames({"10.0.0.1", "10.0.0.2"}), "10.0.0.1,10.0.0.2");
  EXPECT_EQ(FoldNames({"a:7420", "a:7421"}), "a:7420,a:7421");
  EXPECT_EQ(FoldNames({}), "");
}

TEST(FoldRanks, DrawsNeighboursTogether) {
  EXPECT_EQ(FoldRanks({0, 1, 2, 7}), "0-2,7");
  EXPECT_EQ(FoldRanks({3}), "3");
}

}  // namespace
}  // namespace shoal::cli
