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

TEST(RenderGathered, RanksThatWroteNothingAndThatFailedAreNotClaimed) {
  EXPECT_EQ(RenderGathered({{0, "ant", ""}}), "ant  [no output]\n");
  EXPECT_EQ(RenderGathered({{0, "ant", "6.1\n"},
                            {1, "ant", ""},
                            {2, "bee", "6.1\n", 0, 0, "exit code 3"},
                            {3, "bee", "", 0, 0, "exit code 3"}}),
            "rank 0  6.1\n"
            "rank 1  [no output]\n"
            "rank 2  6.1\n"
            "        [exit code 3]\n"
            "rank 3  [exit code 3]\n");
  EXPECT_EQ(RenderGathered({}), "");
}

TEST(GatheredAnswers, KeepsABoundedPartAndKnowsWhatDiffersBeyond) {
  constexpr int kWorld = 1 << 20;  // 4 KiB each
  GatheredAnswers gathered(kWorld);
  const std::string most(4096, 'x');
  for (int rank : {0, 1, 2}) gathered.Add(rank, most);
  gathered.Add(0, "same");
  gathered.Add(1, "sa");
  gathered.Add(1, "me");
  gathered.Add(2, "else");
  gathered.SetEnd(3, "exit code 1");
  std::vector<RankAnswer> answers = gathered.Take();
  ASSERT_EQ(answers.size(), size_t{kWorld});
  answers.resize(4);
  EXPECT_EQ(answers[0].text, most);
  EXPECT_EQ(answers[0].more_bytes, 4);
  for (RankAnswer& answer : answers) answer.host = "ant";
  EXPECT_EQ(RenderGathered(answers), "ranks 0-1  " + most + "\n           [4 bytes more]\n" +
                                         "rank 2     " + most + "\n           [4 bytes more]\n" +
                                         "rank 3     [exit code 1]\n");
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
