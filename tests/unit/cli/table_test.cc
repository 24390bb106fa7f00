#include "client/cli/table.h"

#include "gtest/gtest.h"

namespace shoal::cli {
namespace {

TEST(DisplayWidth, CountsColumnsNotBytes) {
  EXPECT_EQ(DisplayWidth("abc"), 3u);
  EXPECT_EQ(DisplayWidth("–│é"), 3u);
  EXPECT_EQ(DisplayWidth("日本"), 4u);
  EXPECT_EQ(DisplayWidth("e\xCC\x81"), 1u);  // e and a combining accent
  EXPECT_EQ(DisplayWidth("\xff\xfe"), 2u);   // no UTF-8: one column a byte
  EXPECT_EQ(DisplayWidth("\xe2\x94"), 2u);   // cut in the middle
}

TEST(Table, AlignsColumnsAndLeavesNoSpacesAtTheEnd) {
  Table table({"NAME", "PID", "STATE"});
  table.Add({"web", "48213", "running"});
  table.Add({"a-longer-name", "–", ""});
  EXPECT_EQ(table.Render(false),
            "NAME           PID    STATE\n"
            "web            48213  running\n"
            "a-longer-name  –\n");
}

TEST(Table, ShowsControlCharactersAndObeysNone) {
  Table table({"NAME", "VERSION"});
  table.Add({"w\x1b[2Jb\r", "0.1\n"});
  EXPECT_EQ(table.Render(false),
            "NAME         VERSION\n"
            "w\\x1b[2Jb\\r  0.1\\n\n");
}

TEST(Table, AcceptsRowsShorterThanTheHeading) {
  Table table({"HOST", "SLOTS", "AGENT"});
  table.Add({"node3"});
  EXPECT_EQ(table.Render(false), "HOST   SLOTS  AGENT\nnode3\n");
}

TEST(Table, IsColouredOnlyWhenAskedTo) {
  Table table({"A"});
  EXPECT_EQ(table.Render(true), "\033[1mA\033[0m\n");
}

}  // namespace
}  // namespace shoal::cli
