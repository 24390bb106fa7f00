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
    EXPECT_FALSE(FirstCharacter(text).has_value()) << testing::PrintToString(text);
  }
}

TEST(Utf8, ATextIsUtf8IfAllOfItIs) {
  EXPECT_TRUE(IsUtf8(""));
  EXPECT_TRUE(IsUtf8("ab日本"));
  EXPECT_FALSE(IsUtf8("ab\xff"));
  EXPECT_FALSE(IsUtf8(std::string("日本").substr(0, 5)));
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
