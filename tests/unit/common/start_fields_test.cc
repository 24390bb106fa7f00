#include "common/start_fields.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace shoal {
namespace {

using namespace std::string_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

std::vector<std::pair<std::string, std::string>> All(std::string bytes) {
  StartFields fields(bytes.data(), bytes.size());
  std::vector<std::pair<std::string, std::string>> all;
  EXPECT_TRUE(fields.IsWhole());
  for (StartField field; fields.Next(&field);) {
    all.emplace_back(std::string(field.key, field.key_size), field.value);
  }
  return all;
}

TEST(StartFieldsTest, KeyEndsAtTheFirstEqualsSignAndTheValueAtItsNul) {
  EXPECT_THAT(All("arg=\0env=A=\xff\n=\0=x\0"s),
              ElementsAre(Pair("arg", ""), Pair("env", "A=\xff\n="), Pair("", "x")));
}

TEST(StartFieldsTest, WhatIsNoFieldIsPassedOver) {
  EXPECT_THAT(All("\0nofield\0a=1\0\0"s), ElementsAre(Pair("a", "1")));
  EXPECT_THAT(All(""s), IsEmpty());
}

TEST(StartFieldsTest, BytesThatEndWithinAFieldAreNotWhole) {
  std::string bytes = "a=1\0b=2"s;
  EXPECT_FALSE(StartFields(bytes.data(), bytes.size()).IsWhole());
}

TEST(StartFieldsTest, AKeyIsAllOfItsBytes) {
  std::string bytes = "arg=x\0"s;
  StartFields fields(bytes.data(), bytes.size());
  StartField field;
  ASSERT_TRUE(fields.Next(&field));
  EXPECT_TRUE(field.Has("arg"));
  EXPECT_FALSE(field.Has("ar") || field.Has("args") || field.Has(""));
  EXPECT_FALSE(fields.Next(&field));
}

}  // namespace
}  // namespace shoal
