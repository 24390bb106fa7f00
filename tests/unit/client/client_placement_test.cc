#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "shoal/placement.h"

namespace shoal {
namespace {

using ::testing::ElementsAre;

TEST(Placement, HostsAreFilledOneAfterTheOther) {
  EXPECT_THAT(*PlaceTotal({4, 4, 4}, 6), ElementsAre(4, 2, 0));
  EXPECT_THAT(*PlaceTotal({4, 4, 4}, 12), ElementsAre(4, 4, 4));
  EXPECT_THAT(*PlaceTotal({1}, 1), ElementsAre(1));
}

TEST(Placement, MoreThanAllSlotsIsSpreadInProportion) {
  EXPECT_THAT(*PlaceTotal({2, 4}, 9), ElementsAre(4, 5));
  EXPECT_THAT(*PlaceTotal({2, 0}, 5), ElementsAre(5, 0));
}

TEST(Placement, HostsWithoutSlotsShareWhenThereAreNoOthers) {
  EXPECT_THAT(*PlaceTotal({0, 0}, 3), ElementsAre(2, 1));
}

TEST(Placement, PerHostPerSlotAndPerCoreAreWhatTheySay) {
  EXPECT_THAT(*PlacePerHost(3, 2), ElementsAre(2, 2, 2));
  EXPECT_THAT(*PlacePerSlot({3, 0, 1}), ElementsAre(3, 0, 1));
  EXPECT_THAT(*PlacePerCore({8, 2}), ElementsAre(8, 2));
}

TEST(Placement, RefusesWhatIsNoJob) {
  const absl::Status no_host = absl::InvalidArgumentError("no host to place processes on");
  EXPECT_EQ(PlaceTotal({1}, 0).status(), absl::InvalidArgumentError("n = 0: at least one process"));
  EXPECT_EQ(PlaceTotal({}, 1).status(), no_host);
  EXPECT_EQ(PlaceTotal({1}, kMaxRanks + 1).status(),
            absl::InvalidArgumentError("n = 1048577: at most 1048576"));
  EXPECT_EQ(PlacePerHost(2, -1).status(),
            absl::InvalidArgumentError("n = -1: at least one process"));
  EXPECT_EQ(PlacePerHost(0, 1).status(), no_host);
  EXPECT_EQ(PlacePerHost(2, kMaxRanks).status(),
            absl::InvalidArgumentError("n = 2097152: at most 1048576"));
  EXPECT_EQ(PlacePerSlot({0, 0}).status(), absl::FailedPreconditionError("no host has a slot"));
  EXPECT_EQ(PlacePerCore({0}).status(), absl::FailedPreconditionError("no host has a core"));
}

TEST(RanksOf, GoHostByHostAndNameThoseThatGetSome) {
  std::vector<v1::Ranks> ranks = RanksOf({2, 0, 3}, {"a", "b", "c"});
  ASSERT_EQ(ranks.size(), 3u);
  for (const v1::Ranks& own : ranks) {
    EXPECT_EQ(own.world_size(), 5);
    EXPECT_EQ(std::vector<std::string>(own.hosts().begin(), own.hosts().end()),
              (std::vector<std::string>{"a", "c"}));
  }
  EXPECT_EQ(ranks[0].first_rank(), 0);
  EXPECT_EQ(ranks[0].count(), 2);
  EXPECT_EQ(ranks[0].host_rank(), 0);
  EXPECT_EQ(ranks[1].count(), 0);
  EXPECT_EQ(ranks[2].first_rank(), 2);
  EXPECT_EQ(ranks[2].count(), 3);
  EXPECT_EQ(ranks[2].host_rank(), 1);
}

}  // namespace
}  // namespace shoal
