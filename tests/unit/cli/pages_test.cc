// The manual pages that the build makes of the help texts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "shoal/version.h"
#include "tests/support/shoal_command.h"

namespace shoal::cli {
namespace {

using ::shoal::testing::RunCommand;
using ::shoal::testing::Said;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class PagesTest : public ::shoal::testing::CommandTest {
 protected:
  std::string Read(const std::string& name) const {
    std::ifstream file(home_ + "/" + name);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }
};

TEST_F(PagesTest, EachListedCommandHasOne) {
  ASSERT_EQ(RunCommand({"pages", home_, "2026-12-01"}), (Said{0, "", ""}));
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(home_)) {
    names.insert(entry.path().filename());
  }
  EXPECT_EQ(names.size(), 18u);
  EXPECT_EQ(names.count("shoal.1") + names.count("shoal-run.1") + names.count("shoal-agent.1"), 3u);
  EXPECT_EQ(names.count("shoal-keep.1") + names.count("shoal-pages.1"), 0u);
}

TEST_F(PagesTest, SaysWhatTheHelpSays) {
  ASSERT_EQ(RunCommand({"pages", home_, "2026-12-01"}).status, 0);
  const std::string run = Read("shoal-run.1");
  EXPECT_THAT(run, StartsWith(absl::StrCat(".TH SHOAL\\-RUN 1 2026-12-01 \"shoal ",
                                           std::string(Version()), "\" Shoal\n")));
  EXPECT_THAT(run, HasSubstr("\\fB\\&shoal run\\fR \\&[OPTIONS] \\-\\- CMD\\[u2026]\n"));
  EXPECT_THAT(run, HasSubstr(".TP\n\\fB\\&\\-o, \\-\\-output\\fR \\fI\\&table|json\\fR\n"));
  EXPECT_THAT(run, HasSubstr("shoal run \\-n 4 \\-\\- sh \\-c \\(aqecho rank $SHOAL_RANK"));
  EXPECT_THAT(Read("shoal.1"), HasSubstr(".TP\n\\fB\\&shoal\\-run\\fR(1)\n\\&Run a command"));
  EXPECT_THAT(Read("shoal.1"), HasSubstr(".SH EXIT STATUS\n"));
  EXPECT_THAT(Read("shoal-agent.1"), HasSubstr(".SS shoal agent start\n"));
  EXPECT_THAT(Read("shoal-stop.1"), HasSubstr(".SH SELECTORS\n"));
}

TEST_F(PagesTest, WhatCannotBeWrittenIsSaid) {
  EXPECT_EQ(RunCommand({"pages", "/nowhere", "2026-12-01"}),
            (Said{1, "", "shoal: cannot write /nowhere/shoal.1.\n"}));
}

}  // namespace
}  // namespace shoal::cli
