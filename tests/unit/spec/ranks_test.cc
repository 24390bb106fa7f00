// What ranks are told of themselves, and which cannot be: fault 23 of tests/README.md.
#include "agent/spec/ranks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace shoal::agent {
namespace {

using ::testing::HasSubstr;

TEST(Ranks, EachKnowsItself) {
  v1::Ranks ranks;
  ranks.set_first_rank(16);
  ranks.set_count(2);
  ranks.set_world_size(28);
  ranks.set_host_rank(1);
  ranks.add_hosts("node1");
  ranks.add_hosts("node2");
  ASSERT_TRUE(CheckRanks(ranks, "n").ok());
  EXPECT_THAT(RankEnvironment(*ToRankSet(ranks), 17),
              ::testing::ElementsAre("SHOAL_RANK=17", "SHOAL_WORLD_SIZE=28", "SHOAL_LOCAL_RANK=1",
                                     "SHOAL_LOCAL_SIZE=2", "SHOAL_HOST_RANK=1",
                                     "SHOAL_JOB_HOSTS=node1,node2"));
}

TEST(Ranks, ThatCannotBeAreInvalid) {
  v1::Ranks ranks;
  EXPECT_THAT(std::string(CheckRanks(ranks, "").message()), HasSubstr("ranks.count is 0"));
  ranks.set_count(10'001);
  EXPECT_FALSE(CheckRanks(ranks, "").ok());
  ranks.set_count(4);
  ranks.set_world_size(3);
  EXPECT_THAT(std::string(CheckRanks(ranks, "").message()), HasSubstr("ranks.world_size is 3"));
  ranks.set_world_size(4);
  EXPECT_TRUE(CheckRanks(ranks, std::string(126, 'n')).ok());
  EXPECT_FALSE(CheckRanks(ranks, std::string(127, 'n')).ok());
  ranks.add_hosts(std::string(200'000, 'h'));
  EXPECT_FALSE(CheckRanks(ranks, "").ok());
}

}  // namespace
}  // namespace shoal::agent
