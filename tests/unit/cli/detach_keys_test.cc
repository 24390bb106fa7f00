#include "client/cli/detach_keys.h"

#include <gtest/gtest.h>

namespace shoal::cli {
namespace {

DetachKeys Keys(absl::string_view text) {
  absl::StatusOr<DetachKeys> keys = DetachKeys::Parse(text);
  EXPECT_TRUE(keys.ok()) << keys.status();
  return *keys;
}

TEST(DetachKeysTest, WhatIsTypedIsPassedOnUpToTheKeys) {
  DetachKeys keys = Keys("ctrl-p,ctrl-q");
  std::string passed;
  EXPECT_FALSE(keys.Feed("ls\r", &passed));
  EXPECT_TRUE(keys.Feed("x\x10\x11y", &passed));
  EXPECT_EQ(passed, "ls\rx");
}

TEST(DetachKeysTest, ABeginningIsKeptBackUntilItIsClear) {
  DetachKeys keys = Keys("ctrl-p,ctrl-q");
  std::string passed;
  EXPECT_FALSE(keys.Feed("\x10", &passed));
  EXPECT_EQ(passed, "");
  EXPECT_FALSE(keys.Feed("a", &passed));
  EXPECT_EQ(passed,
            "\x10"
            "a");
  EXPECT_FALSE(keys.Feed("\x10", &passed));
  EXPECT_TRUE(keys.Feed("\x11", &passed));
  EXPECT_EQ(passed,
            "\x10"
            "a");
}

TEST(DetachKeysTest, TheKeysMayBeginAnewWithinThemselves) {
  DetachKeys keys = Keys("a,a,b");
  std::string passed;
  EXPECT_TRUE(keys.Feed("aaab", &passed));
  EXPECT_EQ(passed, "a");
}

TEST(DetachKeysTest, WithoutKeysAllIsPassedOn) {
  DetachKeys keys = Keys("");
  std::string passed;
  EXPECT_FALSE(keys.Feed("\x10\x11", &passed));
  EXPECT_EQ(passed, "\x10\x11");
}

TEST(DetachKeysTest, WhatIsNoKeyIsRefused) {
  for (const char* bad : {"ctrl-", "ctrl-pq", "ctrl-1", "escape", "a,,b"}) {
    EXPECT_EQ(DetachKeys::Parse(bad).status().code(), absl::StatusCode::kInvalidArgument) << bad;
  }
  EXPECT_EQ(DetachKeys::Parse("escape").status().message(),
            "--detach-keys \"escape\": each is ctrl- and a letter, or one character, with commas "
            "between");
}

}  // namespace
}  // namespace shoal::cli
