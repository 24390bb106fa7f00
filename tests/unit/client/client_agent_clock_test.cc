#include <gtest/gtest.h>

#include "shoal/wire/agent_clock.h"

namespace shoal {
namespace {

BootTime Boot(int64_t seconds) { return BootTime() + absl::Seconds(500 + seconds); }
absl::Time At(int64_t seconds) { return absl::FromUnixSeconds(1'700'000'000 + seconds); }

TEST(AgentClockTest, IsThisMachinesUntilAnAnswerProvesAnother) {
  AgentClock clock(At(0), Boot(0));
  EXPECT_EQ(clock.At(Boot(0)), At(0));
  // A call that took a minute proves nothing.
  clock.Note(At(10), /*sent=*/Boot(0), /*answered=*/Boot(60));
  EXPECT_EQ(clock.At(Boot(0)), At(0));
  clock.Note(At(3600), Boot(0), Boot(1));
  EXPECT_EQ(clock.At(Boot(0)), At(3599));
  clock.Note(At(3700), Boot(100), Boot(100));
  EXPECT_EQ(clock.At(Boot(100)), At(3700));
}

TEST(AgentClockTest, FollowsAClockThatIsBehindOrSetBack) {
  AgentClock clock(At(0), Boot(0));
  clock.Note(At(100), Boot(0), Boot(0));
  clock.Note(At(-100), Boot(0), Boot(1));
  EXPECT_EQ(clock.At(Boot(0)), At(-100));
}

TEST(AgentClockTest, LeadsByWhatTheAgentIsAheadOfThisMachine) {
  AgentClock clock;
  EXPECT_LT(absl::AbsDuration(clock.Lead()), absl::Seconds(1));
  clock.Note(absl::Now() + absl::Hours(30), BootTime::Now(), BootTime::Now());
  EXPECT_LT(absl::AbsDuration(clock.Lead() - absl::Hours(30)), absl::Minutes(1));
}

TEST(AgentClockTest, IsReadAsExactlyAsAllAnswersTellTogether) {
  AgentClock clock(At(0), Boot(0));
  EXPECT_EQ(clock.Read().uncertainty, absl::InfiniteDuration());
  clock.Note(At(100), Boot(0), Boot(10));     // between 90 and 100 ahead
  clock.Note(At(115), Boot(20), Boot(22));    // between 93 and 95
  clock.Note(At(195), Boot(100), Boot(200));  // proves nothing new
  const absl::Duration half = (absl::Seconds(2) + absl::Milliseconds(1)) / 2;
  EXPECT_EQ(clock.Read().uncertainty, half);
  EXPECT_EQ(clock.Read().at_boot, At(93) - Boot(0).since_boot() + half);
}

TEST(AgentClockTest, ThatWasSetIsReadAnew) {
  AgentClock clock(At(0), Boot(0));
  clock.Note(At(100), Boot(0), Boot(0));
  clock.Note(At(3600), Boot(0), Boot(4));
  const absl::Duration half = (absl::Seconds(4) + absl::Milliseconds(1)) / 2;
  EXPECT_EQ(clock.Read().at_boot, At(3596) - Boot(0).since_boot() + half);
}

}  // namespace
}  // namespace shoal
