#include "common/utf8.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace shoal {
namespace {

TEST(Utf8, ACharacterHasItsCodeAndLength) {
  const struct {
    const char* text;
    char32_t code;
    size_t bytes;
  } rows[] = {{"a", U'a', 1},     {"éa", 0xE9, 2},       {"日本", 0x65E5, 3},
              {"😀!", 0x1F600, 4}, {"\xc2\x80", 0x80, 2}, {"\xf4\x8f\xbf\xbf", 0x10FFFF, 4}};
  for (const auto& row : rows) {
    const auto character = FirstCharacter(row.text);
    ASSERT_TRUE(character.has_value()) << row.text;
    EXPECT_EQ(character->code, row.code);
    EXPECT_EQ(character->bytes, row.bytes);
  }
}

TEST(Utf8, WhatIsNoCharacterIsTold) {
  for (const std::string& text : std::vector<std::string>{
           "\x80", "\xff", "\xc0\x80", "\xc1\xbf", "\xe2\x94", "\xe2x\x94", "\xe0\x80\x80",
           "\xed\xa0\x80", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80"}) {
    EXPECT_FALSE(FirstCharacter(text).has_value()) << ::testing::PrintToString(text);
  }
}

TEST(Utf8, TextIsCharactersAlone) {
  for (absl::string_view text : {"", "a\n", "日本", "é", "😀"}) EXPECT_TRUE(IsUtf8(text)) << text;
  for (absl::string_view text : {"\xff", "a\x80", "日\xe6\x9c", "\xed\xa0\x80"}) {
    EXPECT_FALSE(IsUtf8(text)) << ::testing::PrintToString(text);
  }
}

TEST(Utf8, ACharacterThatIsNotWholeIsFoundAtTheEnd) {
  EXPECT_EQ(UnfinishedUtf8(""), 0u);
  EXPECT_EQ(UnfinishedUtf8("ab"), 0u);
  EXPECT_EQ(UnfinishedUtf8("日"), 0u);
  EXPECT_EQ(UnfinishedUtf8("a\xe6"), 1u);
  EXPECT_EQ(UnfinishedUtf8("\xe6\x97"), 2u);
  EXPECT_EQ(UnfinishedUtf8("\xf0\x9f\x98"), 3u);
  EXPECT_EQ(UnfinishedUtf8("\xc3"), 1u);
  // No byte that may follow makes these one.
  EXPECT_EQ(UnfinishedUtf8("\xff"), 0u);
  EXPECT_EQ(UnfinishedUtf8("\xc1"), 0u);
  EXPECT_EQ(UnfinishedUtf8("\x80\x80\x80\x80"), 0u);
}

TEST(Utf8, NothingIsCutWithinACharacter) {
  EXPECT_EQ(CutUtf8("日本", 6), "日本");
  EXPECT_EQ(CutUtf8("日本", 5), "日");
  EXPECT_EQ(CutUtf8("日本", 3), "日");
  EXPECT_EQ(CutUtf8("日本", 2), "");
  EXPECT_EQ(CutUtf8("abc", 2), "ab");
}

}  // namespace
}  // namespace shoal
