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
  EXPECT_EQ(table.Render({}),
            "NAME           PID    STATE\n"
            "web            48213  running\n"
            "a-longer-name  –\n");
}

TEST(Table, ShowsControlCharactersAndObeysNone) {
  Table table({"NAME", "VERSION"});
  table.Add({"w\x1b[2Jb\r", "0.1\n"});
  EXPECT_EQ(table.Render({}),
            "NAME         VERSION\n"
            "w\\x1b[2Jb\\r  0.1\\n\n");
}

TEST(Table, AcceptsRowsShorterThanTheHeading) {
  Table table({"HOST", "SLOTS", "AGENT"});
  table.Add({"node3"});
  EXPECT_EQ(table.Render({}), "HOST   SLOTS  AGENT\nnode3\n");
}

TEST(Table, IsColouredOnlyWhenAskedTo) {
  Table table({"A"});
  EXPECT_EQ(table.Render({.colours = true}), "\033[1mA\033[0m\n");
}

TEST(Table, FitsTheTerminalAndCutsTheLastColumnFirst) {
  Table table({"NAME", "COMMAND"});
  table.Add({"web", "python3 -m http.server 8000"});
  EXPECT_EQ(table.Render({.width = 25}),
            "NAME  COMMAND\n"
            "web   python3 -m http.se…\n");
  EXPECT_EQ(table.Render({.width = 33}),
            "NAME  COMMAND\n"
            "web   python3 -m http.server 8000\n");
}

TEST(Table, CutsTheWidestColumnsNext) {
  Table table({"NAME", "HOST", "COMMAND"});
  table.Add({"a-very-long-name-of-a-process", "a-long-host-name", "serve --port 8000"});
  EXPECT_EQ(table.Render({.width = 40}),
            "NAME          HOST          COMMAND\n"
            "a-very-long…  a-long-host…  serve --por…\n");
  // It does not become narrower than can be read.
  EXPECT_EQ(table.Render({.width = 10}), table.Render({.width = 40}));
}

TEST(Table, TheRankStaysWhereANameIsCut) {
  Table table({"NAME", "PID"});
  table.Add({"a-very-long-name-of-a-job.17", "1"});
  table.Add({"a-very-long-name-of-a-job", "1"});
  EXPECT_EQ(table.Render({.width = 17}),
            "NAME          PID\n"
            "a-very-l….17  1\n"
            "a-very-long…  1\n");
}

TEST(Table, ColumnsThatMayBeAreLeftOutUntilItFits) {
  Table table({"NAME", "CPU", "RSS", "COMMAND"});
  table.MayLeaveOut({"RSS", "CPU"});
  table.Add({"web", "0.1", "4 MiB", "serve"});
  EXPECT_EQ(table.Render({.width = 30}),
            "NAME  CPU  RSS    COMMAND\n"
            "web   0.1  4 MiB  serve\n");
  EXPECT_EQ(table.Render({.width = 20}),
            "NAME  CPU  COMMAND\n"
            "web   0.1  serve\n");
  EXPECT_EQ(table.Render({.width = 13}),
            "NAME  COMMAND\n"
            "web   serve\n");
}

TEST(Table, AColumnThatIsKeptWholeIsNotCut) {
  Table table({"HOST", "MEMORY", "AGENT"});
  table.KeepWhole("MEMORY");
  table.Add({"a-host-with-a-long-name", "13.1 / 62.7 GiB", "0.2.0"});
  EXPECT_EQ(table.Render({.width = 40}),
            "HOST              MEMORY           AGENT\n"
            "a-host-with-a-l…  13.1 / 62.7 GiB  0.2.0\n");
}

TEST(Table, WhatIsCutEndsWithACharacter) {
  EXPECT_EQ(CutToWidth("日本語", 6), "日本語");
  EXPECT_EQ(CutToWidth("日本語", 5), "日本…");
  EXPECT_EQ(CutToWidth("日本語", 4), "日…");
  EXPECT_EQ(CutToWidth("abc", 1), "…");
}

}  // namespace
}  // namespace shoal::cli
