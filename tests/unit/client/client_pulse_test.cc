// What a program says that was stopped for a while.
#include <gtest/gtest.h>

#include "shoal/link/pulse.h"

namespace shoal {
namespace {

BootTime At(double seconds) { return BootTime() + absl::Seconds(seconds); }

TEST(Pulse, OneThatBeatsHasNoPause) {
  Pulse pulse(At(0));
  for (int i = 1; i <= 5; ++i) pulse.Beat(At(i + 0.5));
  EXPECT_EQ(pulse.PauseSince(At(0), At(6)), absl::ZeroDuration());
  EXPECT_EQ(pulse.PauseSince(At(0), At(8)), absl::ZeroDuration()) << "a busy machine is no pause";
}

TEST(Pulse, APauseIsToldBeforeTheNextBeatAndAfterIt) {
  Pulse pulse(At(0));
  pulse.Beat(At(1));
  EXPECT_EQ(pulse.PauseSince(At(0), At(24)), absl::Seconds(22));
  pulse.Beat(At(24));
  EXPECT_EQ(pulse.PauseSince(At(0), At(24.5)), absl::Seconds(22));
  EXPECT_EQ(pulse.PauseSince(At(24), At(24.5)), absl::ZeroDuration()) << "it was before";
}

}  // namespace
}  // namespace shoal
