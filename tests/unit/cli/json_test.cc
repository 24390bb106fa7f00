#include "client/cli/json.h"

#include "gtest/gtest.h"
#include "shoal/v1/process.pb.h"

namespace shoal::cli {
namespace {

TEST(JsonLine, IsOneLineWithTheNamesOfTheProto) {
  v1::Process process;
  process.set_name("web");
  process.mutable_exit()->set_code(0);
  process.set_tree_empty(true);
  EXPECT_EQ(JsonLine(process), "{\"name\":\"web\",\"exit\":{\"code\":0},\"tree_empty\":true}\n");
}

TEST(JsonLineFrom, PutsTheHostInFront) {
  v1::Survivor survivor;
  EXPECT_EQ(JsonLineFrom("node1", survivor), "{\"host\":\"node1\"}\n");
  survivor.set_pid(7);
  EXPECT_EQ(JsonLineFrom("node1", survivor), "{\"host\":\"node1\",\"pid\":7}\n");
}

TEST(JsonQuote, SurvivesBytesThatAreNoText) {
  EXPECT_EQ(JsonQuote("a\"b"), "\"a\\\"b\"");
  EXPECT_EQ(JsonQuote("\xff\n"), "\"\\\\xff\\\\n\"");
}

}  // namespace
}  // namespace shoal::cli
