// Rows of the fault table: processes that outlive the main process.
#include <signal.h>

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "tests/system/fault_table.h"

namespace shoal::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// What a program does that puts itself into the background: the main process ends, the other lives.
constexpr char kDaemonize[] = "setsid sleep 1000 > /dev/null 2>&1 & echo $!";

std::string PidOfDaemon(FaultTest& test, const std::string& name) {
  test.stub().Wait(name, v1::WaitRequest::UNTIL_EXITED);
  std::string pid;
  WaitUntil("its PID is known", [&] {
    pid = test.stub().Output(name, v1::STREAM_KIND_STDOUT);
    return absl::EndsWith(pid, "\n");
  });
  return std::string(absl::StripSuffix(pid, "\n"));
}

void DaemonIsEndedAndNamed(FaultTest& test) {
  ASSERT_EQ(test.Shoal({"start", "--name", "web", "--grace", "300ms", "--", "sh", "-c", kDaemonize})
                .exit_code,
            0);
  const std::string pid = PidOfDaemon(test, "web");
  test.stub().Wait("web", v1::WaitRequest::UNTIL_EMPTY);
  const std::string why = test.Shoal({"why", "web"}).out;
  EXPECT_THAT(why,
              AllOf(HasSubstr("It ended by itself"),
                    HasSubstr(absl::StrCat("1 process outlived it, sleep (", pid, "): SIGTERM 0.")),
                    HasSubstr(" s after its exit")));
  EXPECT_THAT(test.Shoal({"inspect", "web"}).out,
              AllOf(HasSubstr("descendants:"), HasSubstr("signal_time:")));
}

void DaemonThatLivesIsShown(FaultTest& test) {
  ASSERT_EQ(test.Shoal({"start", "--name", "web", "--grace", "1h", "--", "sh", "-c", kDaemonize})
                .exit_code,
            0);
  const std::string pid = PidOfDaemon(test, "web");
  const v1::Process web = test.stub().Get("web");
  const std::string ps = test.Shoal({"ps"}).out;
  EXPECT_THAT(ps, AllOf(HasSubstr(absl::StrCat("  ", pid, "  ")), HasSubstr("left"),
                        HasSubstr("sleep\n"), Not(HasSubstr(absl::StrCat("  ", web.pid(), "  ")))));
  ASSERT_TRUE(
      test.stub().WatchUntil([](const v1::Process& seen) { return seen.has_descendants(); }));
  EXPECT_THAT(test.Shoal({"why", "web"}).out,
              HasSubstr(absl::StrCat("sleep (", pid, "): SIGTERM 1 h after its exit")));
  const CommandResult stopped = test.Shoal({"stop", "web"});
  EXPECT_EQ(stopped.exit_code, 0) << stopped;
  EXPECT_THAT(stopped.out, HasSubstr("what it had left, 1 process, has ended now"));
  EXPECT_THAT(test.Shoal({"why", "web"}).out,
              HasSubstr(absl::StrCat("1 process outlived it, sleep (", pid, "): SIGTERM ")));
}

// With its output elsewhere; it was ended when `run` closed its session, 21 ms after the exit.
void RunWaitsForWhatOutlivesIt(FaultTest& test) {
  const std::string file = test.Scratch("late");
  const CommandResult late =
      test.Shoal({"run", "-n", "1", "--", "sh", "-c",
                  absl::StrCat("(sleep 1.5; echo late > ", file, ") > /dev/null 2>&1 &")});
  EXPECT_EQ(late.exit_code, 0) << late;
  EXPECT_THAT(late.err, HasSubstr("rank 0 on "));
  EXPECT_THAT(late.err, HasSubstr("has ended and is waited for. 2 processes outlived it"));
  EXPECT_EQ(test.ReadFile(file), "late\n");
}

// Whether it holds the stdout or not.
void RunEndsAndNamesWhatOutlivesIt(FaultTest& test) {
  for (const char* elsewhere : {"", " > /dev/null 2>&1"}) {
    const CommandResult ended = test.Shoal({"run", "-n", "1", "--grace", "300ms", "--", "sh", "-c",
                                            absl::StrCat("sleep 1000", elsewhere, " &")});
    EXPECT_EQ(ended.exit_code, 0) << ended;
    EXPECT_THAT(ended.err,
                AllOf(HasSubstr("1 process outlived it, sleep ("), HasSubstr("): SIGTERM 0.")));
  }
}

void RunDoesNotWaitWithoutAGrace(FaultTest& test) {
  const CommandResult ended = test.Shoal(
      {"run", "-n", "1", "--grace", "0s", "--", "sh", "-c", "trap '' TERM; sleep 1000 &"});
  EXPECT_EQ(ended.exit_code, 0) << ended;
  EXPECT_THAT(ended.err, HasSubstr("SIGTERM 0.00 s after its exit, SIGKILL 0.00 s after its exit"));
}

// Whether it holds the stdout or not.
void RunKeepsWhatOutlivesIt(FaultTest& test) {
  for (const char* elsewhere : {"", " > /dev/null 2>&1"}) {
    const CommandResult run =
        test.Shoal({"run", "-n", "1", "--name", "web", "--descendants", "keep", "--", "sh", "-c",
                    absl::StrCat("sleep 1000", elsewhere, " & echo done")});
    EXPECT_EQ(run.exit_code, 0) << run;
    EXPECT_EQ(run.out, "done\n");
    EXPECT_THAT(run.err, HasSubstr("What has outlived 1 rank goes on, detached, as web.0 ("));
    const v1::Process web = test.stub().Get("web.0");
    EXPECT_EQ(web.session_id(), "");
    EXPECT_FALSE(web.tree_empty());
    EXPECT_THAT(test.Shoal({"ps"}).out, HasSubstr("web.0"));
    EXPECT_EQ(test.Shoal({"stop", "web.0"}).exit_code, 0);
    EXPECT_EQ(test.Shoal({"rm", "web.0"}).exit_code, 0);
  }
}

void CtrlCEndsWhatRunWaitsFor(FaultTest& test) {
  const auto run =
      test.StartShoal({"run", "-n", "1", "--grace", "1h", "--", "sh", "-c", "sleep 1000 &"});
  ASSERT_TRUE(run->WaitForError("is waited for"));
  run->Signal(SIGINT);
  EXPECT_THAT(run->Wait().err, HasSubstr("1 process outlived it, sleep ("));
}

}  // namespace

std::vector<FaultRow> DescendantRows() {
  return {
      {168, "WhatASelfDaemonizingProgramLeavesIsEndedAndNamed", DaemonIsEndedAndNamed},
      {168, "WhatASelfDaemonizingProgramLeavesIsShownWhileItLives", DaemonThatLivesIsShown},
      {184, "RunWaitsForWhatOutlivesItsProcesses", RunWaitsForWhatOutlivesIt},
      {184, "RunKeepsWhatOutlivesItsProcesses", RunKeepsWhatOutlivesIt},
      {184, "RunEndsAndNamesWhatOutlivesItsProcesses", RunEndsAndNamesWhatOutlivesIt},
      {184, "RunDoesNotWaitWithoutAGrace", RunDoesNotWaitWithoutAGrace},
      {184, "CtrlCEndsWhatRunWaitsFor", CtrlCEndsWhatRunWaitsFor},
  };
}

}  // namespace shoal::testing
