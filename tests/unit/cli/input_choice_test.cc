#include "client/cli/input_choice.h"

#include <gtest/gtest.h>

namespace shoal::cli {
namespace {

std::string Refusal(absl::string_view word, int world) {
  return std::string(ParseInputChoice(word, world, true).status().message());
}

TEST(InputChoiceTest, ASingleProcessReadsWhatIsThere) {
  EXPECT_TRUE(ParseInputChoice("", 1, /*is_given=*/true)->is_ours);
  EXPECT_FALSE(ParseInputChoice("", 1, /*is_given=*/false)->is_ours);
  EXPECT_FALSE(ParseInputChoice("", 2, /*is_given=*/true)->is_ours);
}

TEST(InputChoiceTest, AllNoneOrOneReadIt) {
  EXPECT_FALSE(ParseInputChoice("none", 1, true)->is_ours);
  EXPECT_TRUE(ParseInputChoice("all", 4, false)->is_ours);
  EXPECT_FALSE(ParseInputChoice("all", 4, true)->rank.has_value());
  EXPECT_EQ(ParseInputChoice("3", 4, true)->rank, 3);
  EXPECT_FALSE(ParseInputChoice("0", 1, true)->rank.has_value()) << "there are no others";
}

TEST(InputChoiceTest, AFileOfTheHostsIsNamedBehindAnAt) {
  const absl::StatusOr<InputChoice> choice = ParseInputChoice("@/etc/hosts", 4, true);
  EXPECT_EQ(choice->file, "/etc/hosts");
  EXPECT_FALSE(choice->is_ours);
}

TEST(InputChoiceTest, WhatIsNoneOfTheseIsRefused) {
  EXPECT_EQ(Refusal("some", 4),
            "--stdin \"some\" is none of all, none, the number of a rank, @FILE");
  EXPECT_EQ(Refusal("4", 4), "--stdin 4: there is no such rank; they are 0 to 3");
  EXPECT_EQ(Refusal("1", 1), "--stdin 1: there is no such rank; there is 0 alone");
  EXPECT_EQ(Refusal("-1", 4), "--stdin -1: there is no such rank; they are 0 to 3");
  EXPECT_EQ(Refusal("@", 4), "--stdin @: the name of the file is empty");
}

}  // namespace
}  // namespace shoal::cli
