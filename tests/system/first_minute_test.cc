// What a new user does in the first minute, on one host.
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/support/system/system_test.h"

namespace shoal::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

class FirstMinute : public SystemTest {};

std::vector<std::string> LinesOf(const std::string& text) {
  return absl::StrSplit(text, '\n', absl::SkipEmpty());
}

TEST_F(FirstMinute, StartAndPsShowNameIdHostPidAndState) {
  StartAgent("ant");
  const CommandResult start = Shoal({"start", "--name", "web", "--", "sleep", "1000"});
  EXPECT_EQ(start.exit_code, 0) << start;
  const v1::Process web = agents_[0].stub().Get("web");
  const CommandResult ps = Shoal({"ps"});
  EXPECT_EQ(ps.exit_code, 0) << ps;
  EXPECT_THAT(start.out, HasSubstr(web.id().substr(0, 6)));
  for (const std::string& out : {start.out, ps.out}) {
    const std::vector<std::string> lines = LinesOf(out);
    ASSERT_THAT(lines, SizeIs(2)) << out;
    for (const char* word : {"NAME", "HOST", "PID", "STATE"}) {
      EXPECT_THAT(lines[0], HasSubstr(word));
    }
    for (const std::string& word : {std::string("web"), std::string("ant"), absl::StrCat(web.pid()),
                                    std::string("running")}) {
      EXPECT_THAT(lines[1], HasSubstr(word));
    }
  }
  EXPECT_THAT(ps.out, HasSubstr("sleep 1000"));
}

TEST_F(FirstMinute, PsInJsonIsOneProcessPerLine) {
  StartAgent("ant");
  Shoal({"start", "--name", "a", "--", "sleep", "1000"});
  Shoal({"start", "--name", "b", "--", "sleep", "1000"});
  const CommandResult ps = Shoal({"ps", "-o", "json"});
  std::vector<std::string> names;
  for (const PrintedProcess& process : ParseProcesses(ps.out)) names.push_back(process.name);
  EXPECT_THAT(names, UnorderedElementsAre("a", "b")) << ps;
}

TEST_F(FirstMinute, StopReturnsOnlyWhenTheTreeIsEmpty) {
  StartAgent("ant");
  const std::string marker = Scratch("marker");
  const CommandResult start =
      Shoal({"start", "--name", "tree", "--", ChildPath(), "daemon", marker});
  ASSERT_EQ(start.exit_code, 0) << start;
  // Two of them: the main process, and the setsid daemon that ignores SIGTERM.
  auto logs = StartShoal({"logs", "-f", "tree"});
  logs->WaitForOutput("ready");
  EXPECT_THAT(DescendantsWith(marker), SizeIs(2));
  const CommandResult stop = Shoal({"stop", "--grace", "200ms", "tree"});
  for (pid_t pid : DescendantsWith(marker)) {
    ADD_FAILURE() << DescribeProcess(pid) << " survived `shoal stop`";
  }
  EXPECT_EQ(stop.exit_code, 0) << stop;
  EXPECT_THAT(stop.out + stop.err, HasSubstr("empty"));
  logs->Wait();
  EXPECT_TRUE(agents_[0].stub().Get("tree").tree_empty());
}

TEST_F(FirstMinute, ATakenNameSaysWhoHoldsIt) {
  StartAgent("ant");
  Shoal({"start", "--name", "web", "--", "sleep", "1000"});
  const v1::Process holder = agents_[0].stub().Get("web");
  const CommandResult second = Shoal({"start", "--name", "web", "--", "sleep", "9"});
  EXPECT_NE(second.exit_code, 0);
  EXPECT_THAT(second.out, IsEmpty());
  EXPECT_THAT(second.err, IsOneReadableLine());
  EXPECT_THAT(second.err, HasSubstr("\"web\" is held on ant by process"));
  EXPECT_THAT(second.err, HasSubstr(holder.id().substr(0, 6)));
  EXPECT_THAT(second.err, HasSubstr(absl::StrCat("PID ", holder.pid())));
  EXPECT_THAT(agents_[0].stub().List(), SizeIs(1));
}

TEST_F(FirstMinute, ANameIsFreeAgainOnceItsTreeIsEmpty) {
  StartAgent("ant");
  Shoal({"start", "--name", "web", "--", "sleep", "1000"});
  Shoal({"stop", "web"});
  EXPECT_EQ(Shoal({"start", "--name", "web", "--", "sleep", "1000"}).exit_code, 0);
}

TEST_F(FirstMinute, FourRanksAreTaggedAndTheFirstFailureIsNamed) {
  StartAgent("ant");
  const CommandResult run = Shoal({"run", "-n", "4", "--halt", "never", "--", "sh", "-c",
                                   "echo $SHOAL_RANK; exit $SHOAL_RANK"});
  std::vector<std::string> lines = LinesOf(run.out);
  std::sort(lines.begin(), lines.end());
  EXPECT_THAT(lines, ElementsAre("0 │ 0", "1 │ 1", "2 │ 2", "3 │ 3")) << run;
  // Which rank fails first is the kernel's choice; what the command says must fit what it returns.
  ASSERT_THAT(run.exit_code, ::testing::AllOf(::testing::Ge(1), ::testing::Le(3))) << run;
  EXPECT_THAT(run.err, HasSubstr(absl::StrCat("rank ", run.exit_code)));
  EXPECT_THAT(run.err, HasSubstr("failed first"));
}

TEST_F(FirstMinute, TrueSaysNothingAndReturnsNought) {
  StartAgent("ant");
  const CommandResult run = Shoal({"run", "-n", "1", "--", "true"});
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_THAT(run.out, IsEmpty());
}

TEST_F(FirstMinute, ASignalledProcessGivesItsSignalsExitCode) {
  StartAgent("ant");
  const CommandResult run = Shoal({"run", "-n", "1", "--", ChildPath(), "crash", "9"});
  EXPECT_EQ(run.exit_code, 128 + SIGKILL) << run;
  EXPECT_THAT(run.err, HasSubstr("SIGKILL"));
}

TEST_F(FirstMinute, ARunLeavesNothingInPs) {
  StartAgent("ant");
  Shoal({"run", "-n", "3", "--forget", "--", "true"});
  EXPECT_THAT(agents_[0].stub().List(), IsEmpty());
  Shoal({"run", "-n", "1", "--name", "sim", "--", "sh", "-c", "printf '\\172top\\n' >&2; exit 3"});
  EXPECT_THAT(Shoal({"ps"}).out, ::testing::Not(HasSubstr("sim.0")));
  EXPECT_THAT(Shoal({"ps", "-a"}).out, HasSubstr("exited(3)"));
  EXPECT_THAT(Shoal({"why", "sim.0"}).out, HasSubstr("ended by itself"));
  EXPECT_THAT(Shoal({"why", "sim.0"}).out, HasSubstr("The end of its stderr:\n  │ ztop\n"));
  EXPECT_EQ(Shoal({"logs", "sim.0"}).out, "") << "its output was read";
}

TEST_F(FirstMinute, RanksAreNamedAfterTheJob) {
  StartAgent("ant");
  const CommandResult start = Shoal({"start", "--name", "job", "-n", "3", "--", "sleep", "1000"});
  ASSERT_EQ(start.exit_code, 0) << start;
  std::vector<std::string> names;
  for (const v1::Process& process : agents_[0].stub().List()) names.push_back(process.name());
  EXPECT_THAT(names, UnorderedElementsAre("job.0", "job.1", "job.2"));
}

TEST_F(FirstMinute, WhyTellsWhoEndedIt) {
  StartAgent("ant");
  Shoal({"start", "--name", "web", "--", ChildPath(), "ignore-term"});
  auto logs = StartShoal({"logs", "-f", "web"});
  logs->WaitForOutput("ready");
  Shoal({"stop", "--grace", "100ms", "web"});
  logs->Wait();
  const CommandResult why = Shoal({"why", "web"});
  EXPECT_EQ(why.exit_code, 0) << why;
  for (const char* word : {"web", "ant", "SIGTERM", "SIGKILL", "uid", "empty"}) {
    EXPECT_THAT(why.out, HasSubstr(word));
  }
}

TEST_F(FirstMinute, WaitReturnsTheProcesssOwnExitCode) {
  StartAgent("ant");
  Shoal({"start", "--name", "seven", "--", ChildPath(), "exit", "7"});
  EXPECT_EQ(Shoal({"wait", "seven"}).exit_code, 7);
}

TEST_F(FirstMinute, SignalReachesTheProcess) {
  StartAgent("ant");
  Shoal({"start", "--name", "web", "--", ChildPath(), "sleep"});
  EXPECT_EQ(Shoal({"signal", "USR1", "web"}).exit_code, 0);
  const v1::Process web = agents_[0].stub().Wait("web", v1::WaitRequest::UNTIL_EMPTY);
  EXPECT_EQ(web.exit().signal(), SIGUSR1);
  EXPECT_EQ(Shoal({"signal", "USR1", "web"}).exit_code == 0, false);
}

TEST_F(FirstMinute, RmForgetsWhatHasEndedAndRefusesWhatLives) {
  StartAgent("ant");
  Shoal({"start", "--name", "dead", "--", "true"});
  Shoal({"start", "--name", "live", "--", "sleep", "1000"});
  Shoal({"wait", "dead"});
  agents_[0].stub().Wait("dead", v1::WaitRequest::UNTIL_EMPTY);
  EXPECT_EQ(Shoal({"rm", "dead"}).exit_code, 0);
  const CommandResult refused = Shoal({"rm", "live"});
  EXPECT_NE(refused.exit_code, 0);
  EXPECT_THAT(refused.err, IsOneReadableLine());
  EXPECT_THAT(agents_[0].stub().List(), SizeIs(1));
}

TEST_F(FirstMinute, AProcessHasThreeDescriptorsAndDefaultSignals) {
  StartAgent("ant");
  const CommandResult run = Shoal({"run", "-n", "1", "--", ChildPath(), "state"});
  EXPECT_EQ(run.out, "fds 0 1 2\nblocked\nignored\numask 022\n") << run;
}

TEST_F(FirstMinute, WatchStreamsPidsAndStates) {
  StartAgent("ant");
  auto watch = StartShoal({"watch"}, true);
  // What has ended before the watch stands is not told: one that lives shows that it does.
  Shoal({"start", "--name", "long", "--", ChildPath(), "sleep"});
  watch->WaitForOutput("long");
  Shoal({"start", "--name", "short", "--", ChildPath(), "exit", "3"});
  const v1::Process ended = agents_[0].stub().Wait("short", v1::WaitRequest::UNTIL_EMPTY);
  watch->WaitForOutput("short");
  watch->WaitForOutput(absl::StrCat(ended.pid()));
  watch->WaitForOutput("exited(3)");
  watch->SignalGroup(SIGINT);
  watch->Wait();
}

TEST_F(FirstMinute, TheAgentReapsEveryShim) {
  StartAgent("ant", {"--idle-shims=0"});
  Shoal({"run", "-n", "20", "--", "true"});
  const pid_t agent = agents_[0].pid();
  EXPECT_TRUE(WaitUntil("the agent has no child", [&] { return ChildrenOf(agent).empty(); }));
}

}  // namespace
}  // namespace shoal::testing
