#include "common/parse_error.h"

#include "gtest/gtest.h"

namespace shoal {
namespace {

// What CLI11 says of each of these.
class ParseErrorTest : public ::testing::Test {
 protected:
  ParseErrorTest() {
    app_.add_option("--slots", slots_)->check(CLI::Range(0, 9).description(""))->type_name("N");
    app_.add_option("--format", format_)
        ->check(CLI::IsMember({"table", "json"}))
        ->type_name("FORMAT");
    app_.add_flag("--all", all_);
  }

  std::string Told(const std::string& line) {
    try {
      app_.parse(line, /*program_name_included=*/false);
    } catch (const CLI::ExtrasError&) {
      return TellWordsLeftOver(app_);
    } catch (const CLI::ParseError& error) {
      return TellParseError(error.what());
    }
    return "";
  }

  CLI::App app_;
  int slots_ = 0;
  std::string format_;
  bool all_ = false;
};

TEST_F(ParseErrorTest, NamesWhatWasGivenAndWhatMayBe) {
  EXPECT_EQ(Told("--slots 3 --format json --all"), "");
  EXPECT_EQ(Told("--slots"), "--slots: its value is missing, N");
  EXPECT_EQ(Told("--format"), "--format: its value is missing, FORMAT, one of table, json");
  EXPECT_EQ(Told("--slots x"), "--slots: \"x\" is no number from 0 to 9");
  EXPECT_EQ(Told("--slots 10"), "--slots: \"10\" is no number from 0 to 9");
  EXPECT_EQ(Told("--format xml"), "--format: \"xml\" is none of table, json");
  EXPECT_EQ(Told("--slots 1 --slots 2"), "--slots is given more than once");
  EXPECT_EQ(Told("--all=maybe"), "--all: \"maybe\" is no value for it");
}

TEST_F(ParseErrorTest, WordsThatAreTooManyAreNamed) {
  EXPECT_EQ(Told("--slot 3"), "there is no option --slot; did you mean \"--slots\"?");
  EXPECT_EQ(Told("--bogus=3"), "there is no option --bogus");
  EXPECT_EQ(Told("x"), "\"x\" means nothing here: there are options alone");
}

TEST_F(ParseErrorTest, WhatIsNotKnownIsPassedOn) {
  EXPECT_EQ(TellParseError("-n excludes --per-host"), "-n excludes --per-host");
  EXPECT_EQ(TellParseError("--grace: \"soon\" is not a span of time"),
            "--grace: \"soon\" is not a span of time");
}

}  // namespace
}  // namespace shoal
