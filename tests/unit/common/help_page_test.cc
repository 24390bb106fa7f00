#include "common/help_page.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/strings/str_split.h"
#include "common/columns.h"
#include "common/man_page.h"

namespace shoal {
namespace {

// A command with one of each kind of option.
class HelpPageTest : public ::testing::Test {
 protected:
  HelpPageTest() {
    app_.set_help_flag("-h,--help", "This help");
    app_.add_option("--grace", text_, "From the first signal of an end to the last")
        ->type_name("SPAN")
        ->default_str("5s");
    app_.add_option("-o,--output", text_, "How")
        ->check(CLI::IsMember({"table", "json"}))
        ->type_name("FORMAT");
    app_.add_option("--tail", number_, "Lines")->check(CLI::NonNegativeNumber)->type_name("N");
    app_.add_option("selector", words_, "Which")->type_name("SELECTOR");
    app_.footer(
        "Rules: one and another, and so on, for as long as it takes.\nExamples:\n  do 'it'\n  "
        ".do\\it");
  }

  std::string Help(size_t width) {
    app_.formatter(std::make_shared<HelpFormatter>(width));
    return app_.help();
  }

  CLI::App app_{"Does it", "do"};
  std::string text_;
  int number_ = 0;
  std::vector<std::string> words_;
};

TEST_F(HelpPageTest, IsLaidOutInTwoColumns) {
  EXPECT_EQ(Help(60),
            "Does it\n"
            "Usage: do [OPTIONS] [SELECTOR…]\n"
            "\n"
            "Arguments:\n"
            "  SELECTOR…             Which\n"
            "\n"
            "Options:\n"
            "  -h, --help            This help\n"
            "  --grace SPAN          From the first signal of an end to\n"
            "                        the last (default: 5s)\n"
            "  -o, --output table|json\n"
            "                        How\n"
            "  --tail N              Lines\n"
            "\n"
            "Rules: one and another, and so on, for as long as it takes.\n"
            "\n"
            "Examples:\n"
            "  do 'it'\n"
            "  .do\\it\n");
}

TEST_F(HelpPageTest, NoFilledLineIsLongerThanTheTerminal) {
  for (size_t width = 40; width <= 100; ++width) {
    for (absl::string_view line : absl::StrSplit(Help(width), '\n')) {
      EXPECT_LE(line.size(), width + 2) << line;  // "…" has three bytes
    }
  }
}

TEST_F(HelpPageTest, OnANarrowTerminalATextBeginsOnALineOfItsOwn) {
  EXPECT_NE(Help(40).find("  --tail N\n      Lines\n"), std::string::npos) << Help(40);
  EXPECT_NE(Help(40).find("  --grace SPAN\n"
                          "      From the first signal of an end to\n"
                          "      the last (default: 5s)\n"),
            std::string::npos)
      << Help(40);
}

TEST_F(HelpPageTest, AWordIsNotCut) {
  EXPECT_EQ(Wrap("one two  three", 7, 2), "one two\n  three");
  EXPECT_EQ(Wrap("incomprehensible it is", 7, 0), "incomprehensible\nit is");
  EXPECT_EQ(Wrap("…………… x", 7, 0), "…………… x");
  EXPECT_EQ(Wrap("", 7, 2), "");
}

TEST_F(HelpPageTest, UsageNamesTheCommandOfTheUser) {
  app_.prefix_command();
  EXPECT_EQ(UsageWords(app_), "[OPTIONS] [SELECTOR…] -- CMD…");
  CLI::App with_commands("It", "it");
  with_commands.add_subcommand("one", "One");
  EXPECT_EQ(UsageWords(with_commands), "[OPTIONS] [COMMAND]");
  with_commands.require_subcommand(1);
  EXPECT_EQ(UsageWords(with_commands), "[OPTIONS] COMMAND");
}

TEST_F(HelpPageTest, ThePageHasTheSameTextsAndEscapesWhatRoffWouldRead) {
  EXPECT_EQ(ManPage(app_, {"do-it", "do it", 1, "2026-12-01", "it 1.0", {"all(8)", "it(1)"}}),
            ".TH DO\\-IT 1 2026-12-01 \"it 1.0\" Shoal\n"
            ".SH NAME\n"
            "do\\-it \\- \\&Does it\n"
            ".SH SYNOPSIS\n"
            "\\fB\\&do it\\fR \\&[OPTIONS] [SELECTOR\\[u2026]]\n"
            ".SH ARGUMENTS\n"
            ".TP\n"
            "\\fI\\&SELECTOR\\[u2026]\\fR\n"
            "\\&Which\n"
            ".SH OPTIONS\n"
            ".TP\n"
            "\\fB\\&\\-h, \\-\\-help\\fR\n"
            "\\&This help\n"
            ".TP\n"
            "\\fB\\&\\-\\-grace\\fR \\fI\\&SPAN\\fR\n"
            "\\&From the first signal of an end to the last (default: 5s)\n"
            ".TP\n"
            "\\fB\\&\\-o, \\-\\-output\\fR \\fI\\&table|json\\fR\n"
            "\\&How\n"
            ".TP\n"
            "\\fB\\&\\-\\-tail\\fR \\fI\\&N\\fR\n"
            "\\&Lines\n"
            ".SH RULES\n"
            "\\&One and another, and so on, for as long as it takes.\n"
            ".SH EXAMPLES\n"
            ".nf\n"
            "\\&  do \\(aqit\\(aq\n"
            "\\&  .do\\eit\n"
            ".fi\n"
            ".SH SEE ALSO\n"
            "\\&all(8), it(1)\n");
}

}  // namespace
}  // namespace shoal
