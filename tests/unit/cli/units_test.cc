#include "client/cli/units.h"

#include "absl/time/clock.h"
#include "gtest/gtest.h"

namespace shoal::cli {
namespace {

TEST(FormatSpan, HasTheUnitThatFits) {
  EXPECT_EQ(FormatSpan(absl::Milliseconds(20)), "0.02 s");
  EXPECT_EQ(FormatSpan(absl::ZeroDuration()), "0.00 s");
  EXPECT_EQ(FormatSpan(absl::Seconds(5)), "5 s");
  EXPECT_EQ(FormatSpan(absl::Seconds(41.2)), "41.2 s");
  EXPECT_EQ(FormatSpan(absl::Seconds(59.97)), "1 min");
  EXPECT_EQ(FormatSpan(absl::Seconds(192)), "3 min 12 s");
  EXPECT_EQ(FormatSpan(absl::Minutes(125)), "2 h 5 min");
  EXPECT_EQ(FormatSpan(absl::Hours(24 * 41 + 3)), "41 d 3 h");
  EXPECT_EQ(FormatSpan(absl::Seconds(-3)), "0.00 s");
  EXPECT_EQ(FormatSpan(absl::InfiniteDuration()), "for ever");
}

TEST(FormatAge, IsOneNumberAndOneLetter) {
  EXPECT_EQ(FormatAge(absl::Seconds(12)), "12s");
  EXPECT_EQ(FormatAge(absl::Seconds(125)), "2m");
  EXPECT_EQ(FormatAge(absl::Hours(5)), "5h");
  EXPECT_EQ(FormatAge(absl::Hours(24 * 41)), "41d");
  EXPECT_EQ(FormatAge(absl::Seconds(-1)), "0s");
}

TEST(FormatBytes, HasAtMostThreeDigitsBeforeTheUnit) {
  EXPECT_EQ(FormatBytes(0), "0 bytes");
  EXPECT_EQ(FormatBytes(1), "1 byte");
  EXPECT_EQ(FormatBytes(312), "312 bytes");
  EXPECT_EQ(FormatBytes(int64_t{18} << 20), "18 MiB");
  EXPECT_EQ(FormatBytes((int64_t{12} << 20) / 10), "1.2 MiB");
  EXPECT_EQ(FormatBytes(int64_t{4} << 30), "4.0 GiB");
  EXPECT_EQ(FormatBytes(1023), "1.0 KiB");
}

TEST(FormatPart, UsesTheUnitOfTheWhole) {
  EXPECT_EQ(FormatPart(int64_t{31} << 20, int64_t{62} << 30), "0.0 / 62.0 GiB");
}

TEST(Count, KnowsOneFromMany) {
  EXPECT_EQ(Count(1, "process", "es"), "1 process");
  EXPECT_EQ(Count(4, "process", "es"), "4 processes");
  EXPECT_EQ(Count(0, "slot"), "0 slots");
}

TEST(FormatClock, HasTheDateOnlyOfAnotherDay) {
  absl::Time noon = absl::FromCivil(absl::CivilSecond(2026, 3, 1, 12, 0, 0), absl::LocalTimeZone());
  EXPECT_EQ(FormatClock(noon, noon + absl::Hours(1)), "12:00:00");
  EXPECT_EQ(FormatClock(noon, noon + absl::Hours(24)), "2026-03-01 12:00:00");
}

}  // namespace
}  // namespace shoal::cli
