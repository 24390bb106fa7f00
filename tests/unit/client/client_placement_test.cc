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
  EXPECT_EQ(PlaceTotal({1}, 0).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(PlaceTotal({}, 1).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(PlaceTotal({1}, kMaxRanks + 1).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(PlacePerHost(2, -1).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(PlacePerHost(0, 1).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(PlacePerHost(2, kMaxRanks).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(PlacePerSlot({0, 0}).status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace shoal
