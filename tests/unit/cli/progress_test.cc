#include "client/cli/progress.h"

#include "client/cli/table.h"
#include "gtest/gtest.h"

namespace shoal::cli {
namespace {

TEST(ProgressText, SaysHowLongItHasTakenAndFitsTheTerminal) {
  EXPECT_EQ(ProgressText("ending 3 processes", absl::Milliseconds(4900), 80),
            "shoal: ending 3 processes, 4 s");
  const std::string narrow = ProgressText("ending 3 processes", absl::Seconds(4), 20);
  EXPECT_EQ(narrow, "shoal: ending 3 pr…");
  EXPECT_EQ(DisplayWidth(narrow), 19u);
}

TEST(ProgressText, ObeysNoControlCharacter) {
  EXPECT_EQ(ProgressText("a\x1b[2J", absl::Seconds(61), 80), "shoal: a\\x1b[2J, 1 min 1 s");
}

}  // namespace
}  // namespace shoal::cli
