#include "shoal/fork/fork_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace shoal::forking {
namespace {

using ::testing::ElementsAre;
using ::testing::IsNull;
using ::testing::StrEq;

std::vector<char> Bytes(const std::string& text) { return {text.begin(), text.end()}; }

TEST(ForkCommandTest, HasNumberAndSlot) {
  const absl::StatusOr<ForkCommand> command = ParseForkCommand("fork 12 7");
  ASSERT_TRUE(command.ok());
  EXPECT_EQ(command->number, "12");
  EXPECT_EQ(command->slot, "7");
}

TEST(ForkCommandTest, AnythingElseIsRefused) {
  for (const char* packet :
       {"", "fork", "fork 1", "fork 1 2 3", "fork a 2", "fork 1 -2", "fork  1 2", "fork 1 2 ",
        "spoon 1 2", "fork 99999999999999999999999 1"})
    EXPECT_EQ(ParseForkCommand(packet).status(),
              absl::InvalidArgumentError("no packet \"fork NUMBER SLOT\""))
        << packet;
}

TEST(ForkPayloadTest, FieldsOfAKeyKeepTheirOrderAndBytes) {
  using namespace std::string_literals;
  absl::StatusOr<ForkPayload> parsed = ParseForkPayload(Bytes(
      "env=A=\xff\n=\0arg=x\0later=7\0arg=\0env=B=\0noequals\0cwd=/a b\0arg=a=b\0nofile=99\0"
      "merge-stderr=1\0result=1\0forbid-children=1\0input=1\0terminal=1\0rows=33\0columns=101\0"s));
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  const ForkPayload payload = *std::move(parsed);
  EXPECT_THAT(payload.argv, ElementsAre(StrEq("x"), StrEq(""), StrEq("a=b"), IsNull()));
  EXPECT_THAT(payload.env, ElementsAre(StrEq("A=\xff\n="), StrEq("B="), IsNull()));
  EXPECT_STREQ(payload.cwd, "/a b");
  EXPECT_EQ(payload.nofile, 99u);
  EXPECT_TRUE(payload.terminal);
  EXPECT_EQ(payload.rows, 33u);
  EXPECT_EQ(payload.columns, 101u);
  EXPECT_TRUE(payload.merge_stderr && payload.result && payload.forbid_children);
}

TEST(ForkPayloadTest, WhatIsNotAskedForIsOff) {
  using namespace std::string_literals;
  const absl::StatusOr<ForkPayload> payload =
      ParseForkPayload(Bytes("arg=x\0cwd=/\0result=0\0merge-stderr=\0"s));
  ASSERT_TRUE(payload.ok()) << payload.status();
  EXPECT_THAT(payload->env, ElementsAre(IsNull()));
  EXPECT_EQ(payload->nofile, 0u);
  EXPECT_FALSE(payload->merge_stderr || payload->result || payload->forbid_children);
}

TEST(ForkPayloadTest, WrongOnesSayWhatIsWrong) {
  using namespace std::string_literals;
  const struct {
    std::string bytes, why;
  } cases[] = {
      {""s, "the payload has no arg"},
      {"cwd=/\0"s, "the payload has no arg"},
      {"arg=x\0"s, "the payload has no cwd"},
      {"arg=x\0cwd=\0"s, "the payload has no cwd"},
      {"arg=x\0cwd=/"s, "the payload ends within a field"},
      {"arg=x\0cwd=/\0env=A\0"s, "the payload has an env without a name"},
      {"arg=x\0cwd=/\0env==b\0"s, "the payload has an env without a name"},
      {"arg=x\0cwd=/\0env=\0"s, "the payload has an env without a name"},
      {"arg=x\0cwd=/\0nofile=-1\0"s, "the payload has a nofile that is no number"},
      {"arg=x\0cwd=/\0rows=-1\0"s, "the payload has rows that are no number"},
      {"arg=x\0cwd=/\0columns=65536\0"s, "the payload has columns that are no number"},
      {"arg=x\0cwd=/\0nofile=\0"s, "the payload has a nofile that is no number"},
      {"arg=x\0cwd=/\0nofile=99999999999999999999999\0"s,
       "the payload has a nofile that is no number"},
  };
  for (const auto& wrong : cases) {
    const absl::StatusOr<ForkPayload> payload = ParseForkPayload(Bytes(wrong.bytes));
    EXPECT_EQ(payload.status(), absl::InvalidArgumentError(wrong.why)) << wrong.bytes;
  }
}

}  // namespace
}  // namespace shoal::forking
