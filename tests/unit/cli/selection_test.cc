#include "client/cli/selection.h"

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace shoal::cli {
namespace {

Selection Of(const std::vector<std::string>& terms, const std::vector<std::string>& labels = {}) {
  absl::StatusOr<Selection> selection = Selection::Parse(terms, labels);
  EXPECT_TRUE(selection.ok()) << selection.status();
  return *selection;
}

TEST(Selection, NothingNamedIsEverything) {
  std::vector<v1::Selector> selectors = Of({}).ForHost({"ant"});
  ASSERT_EQ(selectors.size(), 1u);
  EXPECT_TRUE(selectors[0].all());
  EXPECT_TRUE(Of({}).empty());
}

TEST(Selection, EachTermIsAskedForItself) {
  std::vector<v1::Selector> selectors = Of({"web", "db"}, {"job=x"}).ForHost({"ant"});
  ASSERT_EQ(selectors.size(), 2u);
  EXPECT_EQ(selectors[0].terms(0), "web");
  EXPECT_EQ(selectors[1].terms(0), "db");
  EXPECT_EQ(selectors[1].labels().at("job"), "x");
}

TEST(Selection, ATermWithAHostIsAboutThatHostOnly) {
  Selection selection = Of({"node1/web", "node2/db"});
  ASSERT_EQ(selection.ForHost({"node2"}).size(), 1u);
  EXPECT_EQ(selection.ForHost({"node2"})[0].terms(0), "db");
  EXPECT_TRUE(selection.ForHost({"node3"}).empty());
  EXPECT_EQ(selection.hosts(), (std::vector<std::string>{"node1", "node2"}));
  EXPECT_FALSE(selection.has_free_terms());
}

TEST(Selection, AHostMayBeASocketPath) {
  Selection selection = Of({"unix:/run/a.sock/web"});
  EXPECT_EQ(selection.hosts(), (std::vector<std::string>{"unix:/run/a.sock"}));
  EXPECT_EQ(selection.ForHost({"unix:/run/a.sock"})[0].terms(0), "web");
}

TEST(Selection, OnlyWhatIsNoGlobHasToMatch) {
  EXPECT_EQ(Of({"web", "sim-*", "ant/db"}).ExactTerms(),
            (std::vector<std::string>{"web", "ant/db"}));
  EXPECT_TRUE(Of({"sim-*"}).IsOpen());
  EXPECT_FALSE(Of({"web"}).IsOpen());
  EXPECT_TRUE(Of({}, {"a=b"}).IsOpen());
}

TEST(Selection, MatchesNamesIdsAndPrefixesOfIds) {
  v1::Process process;
  process.set_name("web");
  process.set_id("7KQ2MDABCDEFGHIJ");
  EXPECT_TRUE(Selection::Matches("web", process, "ant"));
  EXPECT_TRUE(Selection::Matches("7KQ2", process, "ant"));
  EXPECT_TRUE(Selection::Matches("ant/web", process, "ant"));
  EXPECT_FALSE(Selection::Matches("bee/web", process, "ant"));
  EXPECT_FALSE(Selection::Matches("7KQ", process, "ant"));
  EXPECT_FALSE(Selection::Matches("db", process, "ant"));
}

TEST(Selection, AJobsNameMatchesItsRanks) {
  v1::Process process;
  process.set_name("sim.3");
  process.set_rank(3);
  EXPECT_TRUE(Selection::Matches("sim", process, "ant"));
  EXPECT_TRUE(Selection::Matches("ant/sim", process, "ant"));
  EXPECT_FALSE(Selection::Matches("si", process, "ant"));
  process.clear_rank();
  EXPECT_FALSE(Selection::Matches("sim", process, "ant"));
}

TEST(Selection, LabelsMayStandTogether) {
  using Labels = std::map<std::string, std::string>;
  EXPECT_EQ(*ParseLabels("-l", {"a=x,b=y", "c=z"}), (Labels{{"a", "x"}, {"b", "y"}, {"c", "z"}}));
  EXPECT_EQ(*ParseLabels("-l", {"a=1,2,b=,3"}), (Labels{{"a", "1,2"}, {"b", ",3"}}));
  EXPECT_EQ(*ParseLabels("-l", {"a=x=y,"}), (Labels{{"a", "x=y,"}}));
  EXPECT_EQ(ParseLabels("--label", {"a,b=y"}).status().message(),
            "--label \"a,b=y\" is not of the form key=value");
}

TEST(Selection, AnOffsetBelongsToOneTerm) {
  std::vector<std::string> one = {"unix:/a:b/web:4096"};
  EXPECT_EQ(*TakeOffset(&one), 4096);
  EXPECT_EQ(one[0], "unix:/a:b/web");
  std::vector<std::string> none = {"unix:/a:1/web", "web:x", "web:-1"};
  EXPECT_EQ(*TakeOffset(&none), std::nullopt);
  EXPECT_EQ(none[2], "web:-1");
  std::vector<std::string> two = {"web:1", "db"};
  EXPECT_EQ(TakeOffset(&two).status().message(), "an offset needs one process; give only that one");
}

TEST(Selection, RefusesWhatIsNoUtf8) {
  EXPECT_EQ(Selection::Parse({"ok", "a\xff"}, {}).status().message(),
            "the selector \"a\\xff\" is not UTF-8, as all names are");
  EXPECT_EQ(Selection::Parse({}, {"k=\xff"}).status().message(),
            "-l \"k=\\xff\" is not UTF-8, as all names are");
}

TEST(Selection, RefusesWhatSelectsNothing) {
  for (const char* term : {"", "node1/", "/web"}) {
    EXPECT_EQ(Selection::Parse({term}, {}).status().message(),
              absl::StrCat("\"", term,
                           "\" selects nothing; try a name, a glob such as 'web-*', an "
                           "id, or HOST/NAME"));
  }
  for (const char* label : {"job", "=x"}) {
    EXPECT_EQ(Selection::Parse({}, {label}).status().message(),
              absl::StrCat("-l \"", label, "\" is not of the form key=value"));
  }
}

TEST(Selection, IsToldAsItWasWritten) {
  EXPECT_EQ(Of({"web", "ant/db", "a\x1b*"}, {"job=x", "a="}).ToString(),
            "web, ant/db, a\\x1b*, -l a=, -l job=x");
}

}  // namespace
}  // namespace shoal::cli
