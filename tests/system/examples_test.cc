// client/examples/: each program on one host, and on three without a shared file system.
#include <signal.h>

#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "tests/support/system/fleet_over_tls.h"

namespace shoal::testing {
namespace {

using ::testing::ContainsRegex;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int kSlots = 2;

// The parameter: how many hosts.
class Examples : public FleetOverTls, public ::testing::WithParamInterface<int> {
 protected:
  bool HasNetwork() const override { return GetParam() > 1; }
  void SetUp() override {
    FleetOverTls::SetUp();
    if (HasNetwork()) {
      StartFleet(GetParam(), kSlots);
    } else {
      StartAgent("node1", {"--slots", absl::StrCat(kSlots)});
    }
  }

  // Runs the example to its end, which must be a good one.
  CommandResult Run(const std::string& name) {
    CommandResult result = RunProgram({BinaryPath("example_" + name)}, UserOptions());
    EXPECT_EQ(result.exit_code, 0) << result;
    return result;
  }

  // Every line that it printed, and how many of them there are per host.
  std::vector<std::string> LinesOf(const CommandResult& result) {
    return absl::StrSplit(result.out, '\n', absl::SkipEmpty());
  }
  size_t hosts() const { return static_cast<size_t>(GetParam()); }

  // What ended processes the agents still know: nothing, since their session was closed.
  void ExpectNothingLeft() {
    for (AgentProcess& agent : agents_) EXPECT_THAT(agent.stub().List(), IsEmpty());
  }
};

TEST_P(Examples, ChildAndParent) {
  CommandResult run = Run("child_and_parent");
  std::vector<std::string> lines = LinesOf(run);
  ASSERT_EQ(lines.size(), 2 * hosts()) << run;
  for (size_t i = 0; i < hosts(); ++i) {
    EXPECT_EQ(lines[2 * i],
              absl::StrCat("hello bob, I am Process-", i + 1, ", a child of MainProcess"));
    EXPECT_EQ(lines[2 * i + 1],
              absl::StrCat("Process-", i + 1, " on ", agents_[i].name(), " has greeted bob"));
  }
  ExpectNothingLeft();
}

TEST_P(Examples, StartMethods) {
  CommandResult run = Run("start_methods");
  std::vector<std::string> lines = LinesOf(run);
  ASSERT_EQ(lines.size(), 3 * hosts()) << run;
  for (size_t i = 0; i < lines.size(); i += 3) {
    EXPECT_EQ(lines[i], "spawn has nothing");
    EXPECT_EQ(lines[i + 1], "forkserver has the model");
    EXPECT_EQ(lines[i + 2], "fork has the data set");
  }
}

TEST_P(Examples, Daemon) {
  CommandResult run = Run("daemon");
  EXPECT_THAT(run.out, HasSubstr("on node1: the daemon has PID "));
  for (AgentProcess& agent : agents_) {
    std::vector<v1::Process> left = agent.stub().List();
    ASSERT_EQ(left.size(), 1u);
    EXPECT_EQ(left[0].name(), "survivor");
    EXPECT_EQ(left[0].state(), v1::STATE_RUNNING);
    // Another host has the program from us, not from a file system that it shares.
    EXPECT_EQ(left[0].spec().argv(0), GetParam() > 1 ? "./program" : BinaryPath("example_daemon"));
  }
}

TEST_P(Examples, Pids) {
  CommandResult run = Run("pids");
  std::vector<std::string> lines = LinesOf(run);
  ASSERT_EQ(lines.size(), 2 * hosts()) << run;
  for (size_t i = 0; i < lines.size(); i += 2) {
    int child_pid = 0, parent_pid = 0, child_of_parent = 0, parent_of_child = 0;
    char host[64] = {};
    ASSERT_EQ(sscanf(lines[i].c_str(), "child: my PID is %d, that of my parent %d", &child_pid,
                     &parent_of_child),
              2);
    ASSERT_EQ(sscanf(lines[i + 1].c_str(), "parent: my PID is %d, that of my child on %63s was %d",
                     &parent_pid, host, &child_of_parent),
              3);
    EXPECT_GT(child_pid, 1);
    EXPECT_EQ(child_pid, child_of_parent);
    EXPECT_EQ(parent_pid, parent_of_child);
    EXPECT_EQ(host, agents_[i / 2].name());
  }
}

TEST_P(Examples, NamedChild) {
  CommandResult run = Run("named_child");
  std::vector<std::string> lines = LinesOf(run);
  ASSERT_EQ(lines.size(), 2 * hosts()) << run;
  for (size_t i = 0; i < lines.size(); i += 2) {
    EXPECT_EQ(lines[i], "my name is worker");
    EXPECT_EQ(lines[i + 1], "my name is worker.1");
  }
  ExpectNothingLeft();
}

TEST_P(Examples, Terminate) {
  CommandResult run = Run("terminate");
  std::vector<std::string> lines = LinesOf(run);
  ASSERT_EQ(lines.size(), 2 * hosts()) << run;
  for (size_t i = 0; i < hosts(); ++i) {
    EXPECT_EQ(lines[2 * i], absl::StrCat("on ", agents_[i].name(), ": alive 1"));
    EXPECT_EQ(lines[2 * i + 1], absl::StrCat("on ", agents_[i].name(), ": alive 0, exit code -15"));
  }
}

TEST_P(Examples, CurrentProcess) {
  CommandResult run = Run("current_process");
  std::vector<std::string> lines = LinesOf(run);
  ASSERT_EQ(lines.size(), 1 + hosts()) << run;
  EXPECT_THAT(lines[0], ContainsRegex("^MainProcess has PID [0-9]+ on .*, with [0-9]+ cores$"));
  for (size_t i = 0; i < hosts(); ++i) {
    EXPECT_THAT(lines[i + 1], ContainsRegex(absl::StrCat("^Process-", i + 1, " has PID [0-9]+ on ",
                                                         agents_[i].name(), ", with ")));
  }
}

TEST_P(Examples, Subclass) {
  CommandResult run = Run("subclass");
  std::vector<std::string> lines = LinesOf(run);
  ASSERT_EQ(lines.size(), 2 * hosts()) << run;
  for (size_t i = 0; i < lines.size(); i += 2) {
    EXPECT_EQ(lines[i], absl::StrCat("Square-", i + 1, ": 12 squared is 144"));
    EXPECT_EQ(lines[i + 1],
              absl::StrCat("Square-", i + 2, ": INVALID_ARGUMENT: \"twelve\" is not a number"));
  }
  // The child says it on its stderr, too, which is ours.
  EXPECT_THAT(run.err,
              ContainsRegex("shoal: Square-2 \\(PID [0-9]+ on node1\\): INVALID_ARGUMENT: .*; "
                            "returned by Square::Run\\(\\)"));
}

TEST_P(Examples, PerCore) {
  CommandResult run = Run("per_core");
  std::vector<std::string> lines = LinesOf(run);
  size_t count = kSlots * hosts();
  ASSERT_EQ(lines.size(), count + 2) << run;
  std::multiset<std::string> places;
  for (size_t i = 0; i < count; ++i) {
    std::vector<std::string> words = absl::StrSplit(lines[i], ' ');
    ASSERT_EQ(words.size(), 6u) << lines[i];
    places.insert(words[5]);
  }
  for (AgentProcess& agent : agents_) EXPECT_EQ(places.count(agent.name()), 2u) << agent.name();
  EXPECT_EQ(lines[count], absl::StrCat(count, " processes have ended"));
  EXPECT_THAT(lines[count + 1], ContainsRegex("^MainProcess has PID "));
  ExpectNothingLeft();
}

INSTANTIATE_TEST_SUITE_P(OnHosts, Examples, ::testing::Values(1, 3),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace shoal::testing
