#include "client/cli/log_merge.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace shoal::cli {
namespace {

using ::testing::ElementsAre;

absl::Time Second(int second) { return absl::FromUnixSeconds(second); }

std::vector<std::string> TakeAll(LogMerge<std::string>* merge) {
  std::vector<std::string> taken;
  while (std::optional<std::string> item = merge->Take()) taken.push_back(*item);
  return taken;
}

TEST(LogMerge, GivesOutTheOldestOnceNoSourceCanHaveAnOlderOne) {
  LogMerge<std::string> merge({absl::ZeroDuration(), absl::ZeroDuration()});
  merge.Put(0, Second(1), "a1");
  merge.Put(0, Second(3), "a3");
  EXPECT_THAT(TakeAll(&merge), ElementsAre());
  merge.Put(1, Second(2), "b2");
  EXPECT_THAT(TakeAll(&merge), ElementsAre("a1", "b2"));
  merge.Put(1, Second(4), "b4");
  EXPECT_THAT(TakeAll(&merge), ElementsAre("a3"));
  merge.SetAway(0, true);
  EXPECT_THAT(TakeAll(&merge), ElementsAre("b4"));
}

TEST(LogMerge, OfOneTimeTheFirstSourceIsFirst) {
  LogMerge<std::string> merge({absl::ZeroDuration(), absl::ZeroDuration()});
  merge.Put(1, Second(1), "b");
  merge.Put(0, Second(1), "a");
  merge.SetAway(0, true);
  merge.SetAway(1, true);
  EXPECT_THAT(TakeAll(&merge), ElementsAre("a", "b"));
}

TEST(LogMerge, AClockThatIsAheadIsSetBack) {
  LogMerge<std::string> merge({absl::Seconds(10), absl::ZeroDuration()});
  merge.Put(0, Second(11), "a1");
  merge.Put(0, Second(13), "a3");
  merge.Put(1, Second(2), "b2");
  merge.SetAway(0, true);
  merge.SetAway(1, true);
  EXPECT_THAT(TakeAll(&merge), ElementsAre("a1", "b2", "a3"));
}

TEST(LogMerge, WhatHasNoTimeFollowsWhatItsSourceHasSentBefore) {
  LogMerge<std::string> merge({absl::ZeroDuration(), absl::ZeroDuration()});
  merge.Put(0, Second(5), "a5");
  merge.Put(0, absl::InfinitePast(), "end of a");
  merge.Put(1, Second(6), "b6");
  merge.SetAway(0, true);
  EXPECT_THAT(TakeAll(&merge), ElementsAre("a5", "end of a", "b6"));
}

TEST(LogMerge, ASourceThatIsAwayIsWaitedForOnceItIsBack) {
  LogMerge<std::string> merge({absl::ZeroDuration(), absl::ZeroDuration()});
  merge.Put(0, Second(5), "a5");
  merge.SetAway(1, true);
  EXPECT_THAT(TakeAll(&merge), ElementsAre("a5"));
  merge.Put(0, Second(7), "a7");
  merge.SetAway(1, false);
  EXPECT_THAT(TakeAll(&merge), ElementsAre());
  merge.Put(1, Second(4), "b4");
  merge.SetAway(1, true);
  EXPECT_THAT(TakeAll(&merge), ElementsAre("b4", "a7"));
}

}  // namespace
}  // namespace shoal::cli
