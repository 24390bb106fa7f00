// Ending: the whole tree is told, then killed, and seen to be empty.
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <string>

#include "tests/shim/shim_test.h"

namespace shoal::testing {
namespace {

using TreeTest = ShimTest;
INSTANTIATE_TEST_SUITE_P(Shim, TreeTest, ::testing::Bool(), NameOfParam);

// Waits until `count` processes have printed their pids; returns those.
std::vector<pid_t> AwaitPids(ShimHarness& shim, size_t count) {
  shim.Await([&](const record::ShimHalf&) { return PidsIn(shim.Output(0)).size() >= count; },
             "pids");
  return PidsIn(shim.Output(0));
}

void ExpectGone(const std::vector<pid_t>& pids) {
  for (pid_t pid : pids) EXPECT_FALSE(IsAlive(pid)) << pid;
}

TEST_P(TreeTest, TerminateEndsAWillingProcessBySignal) {
  shim().StartChild({"print", "up", "pause"});
  shim().AwaitOutput(0, "up");
  shim().Terminate(SIGTERM, 30 * kSec);
  const record::ShimHalf half = shim().AwaitFinal();
  EXPECT_EQ(WTERMSIG(half.wait_status), SIGTERM);
  EXPECT_EQ(half.end_cause, record::EndCause::kRequested);
  EXPECT_EQ(half.end_signal, SIGTERM);
  EXPECT_EQ(half.terminate_serial, 1u);
  EXPECT_GT(half.end_began_ns, 0);
  EXPECT_FALSE(half.flags & record::kEscalated);
  EXPECT_EQ(half.killed_ns, 0);
}

TEST_P(TreeTest, AHandlerOfTheSignalDecidesTheExit) {
  shim().StartChild({"on-signal", "10", "bye", "12", "print", "up", "pause"});
  shim().AwaitOutput(0, "up");
  shim().Terminate(SIGUSR1, 30 * kSec);
  EXPECT_EQ(WEXITSTATUS(shim().AwaitFinal().wait_status), 12);
  EXPECT_EQ(shim().Output(0), "upbye");
}

TEST_P(TreeTest, AProcessThatIgnoresTheSignalIsKilledAfterTheGrace) {
  shim().StartChild({"ignore", "15", "print", "up", "pause"});
  shim().AwaitOutput(0, "up");
  shim().Terminate(SIGTERM, 50 * kMs);
  const record::ShimHalf half = shim().AwaitFinal();
  EXPECT_EQ(WTERMSIG(half.wait_status), SIGKILL);
  EXPECT_TRUE(half.flags & record::kEscalated);
  EXPECT_EQ(half.end_signal, SIGTERM);
  EXPECT_GE(half.killed_ns - half.end_began_ns, 49 * kMs);
}

TEST_P(TreeTest, SigkillAsTheSignalKillsAtOnceAndIsNoEscalation) {
  shim().StartChild({"ignore", "15", "fork", "pause", "--", "pause"});
  shim().AwaitFlags(record::kStarted);
  shim().Terminate(SIGKILL, 3600 * kSec);
  const record::ShimHalf half = shim().AwaitFinal();
  EXPECT_EQ(WTERMSIG(half.wait_status), SIGKILL);
  EXPECT_FALSE(half.flags & record::kEscalated);
  EXPECT_GT(half.killed_ns, 0);
}

TEST_P(TreeTest, AnotherRequestTightensTheGrace) {
  shim().StartChild({"ignore", "15", "print", "up", "pause"});
  shim().AwaitOutput(0, "up");
  shim().Terminate(SIGTERM, 3600 * kSec);
  shim().Await([](const record::ShimHalf& half) { return half.terminate_serial == 1; },
               "first request");
  shim().agent.terminate_cause = record::EndCause::kSessionClosed;
  shim().Terminate(SIGTERM, 10 * kMs);
  const record::ShimHalf half = shim().AwaitFinal();
  EXPECT_EQ(half.terminate_serial, 2u);
  EXPECT_EQ(half.end_cause, record::EndCause::kRequested) << "the first cause stays";
  EXPECT_TRUE(half.flags & record::kEscalated);
}

TEST_P(TreeTest, AnotherRequestDoesNotLoosenTheGrace) {
  shim().StartChild({"ignore", "15", "print", "up", "pause"});
  shim().AwaitOutput(0, "up");
  shim().Terminate(SIGTERM, 200 * kMs);
  shim().Await([](const record::ShimHalf& half) { return half.terminate_serial == 1; },
               "first request");
  shim().Terminate(SIGTERM, 3600 * kSec);
  EXPECT_TRUE(shim().AwaitFinal().flags & record::kEscalated);
}

TEST_P(TreeTest, TheSameRequestToldTwiceIsOne) {
  shim().StartChild({"on-signal", "15", "x", "0", "pause"});
  shim().AwaitFlags(record::kStarted);
  shim().Tell();
  shim().Tell();
  shim().Terminate(SIGTERM, 30 * kSec);
  shim().Tell();
  EXPECT_EQ(shim().AwaitFinal().terminate_serial, 1u);
}

TEST_P(TreeTest, ADoubleForkedDaemonIsEndedWithTheTree) {
  shim().StartChild({"daemon", "2", "print-pid", "pause", "--", "print-pid", "pause"});
  const std::vector<pid_t> pids = AwaitPids(shim(), 3);
  shim().Terminate(SIGTERM, 30 * kSec);
  EXPECT_FALSE(shim().AwaitFinal().flags & record::kEscalated) << "daemons are told, too";
  ExpectGone(pids);
}

TEST_P(TreeTest, EveryLevelOfTheTreeIsTold) {
  shim().StartChild({"fork", "fork", "fork", "print-pid", "pause", "--", "print-pid", "pause", "--",
                     "print-pid", "pause", "--", "print-pid", "pause"});
  const std::vector<pid_t> pids = AwaitPids(shim(), 4);
  shim().Terminate(SIGTERM, 30 * kSec);
  EXPECT_FALSE(shim().AwaitFinal().flags & record::kEscalated);
  ExpectGone(pids);
}

TEST_P(TreeTest, StoppedDescendantsActUponTheSignal) {
  shim().StartChild({"fork", "on-signal", "15", "child", "0", "print-pid", "stop", "pause", "--",
                     "on-signal", "15", "main", "7", "print-pid", "stop", "pause"});
  AwaitPids(shim(), 2);
  shim().Terminate(SIGTERM, 30 * kSec);
  const record::ShimHalf half = shim().AwaitFinal();
  EXPECT_EQ(WEXITSTATUS(half.wait_status), 7);
  EXPECT_NE(shim().Output(0).find("child"), std::string::npos);
  EXPECT_FALSE(half.flags & record::kEscalated);
}

TEST_P(TreeTest, ATreeOf585DaemonsThatIgnoreTermIsEmptied) {
  shim().StartChild({"ignore", "15", "daemon", "585", "print-pid", "pause", "--", "pause"});
  const std::vector<pid_t> pids = AwaitPids(shim(), 585);
  shim().Terminate(SIGTERM, 10 * kMs);
  EXPECT_TRUE(shim().AwaitFinal().flags & record::kEscalated);
  ExpectGone(pids);
}

TEST_P(TreeTest, ChainForkersAreCaught) {
  CgroupDir pids("pids");
  if (!pids.exists()) GTEST_SKIP() << "no pids controller to bound the storm";
  ASSERT_TRUE(pids.Write("pids.max", "60"));
  shim().join_cgroup = pids.path();
  shim().StartChild({"print",      "up", "fork", "chain-fork", "--", "fork",
                     "chain-fork", "--", "fork", "chain-fork", "--", "fork",
                     "chain-fork", "--", "fork", "chain-fork", "--", "fork",
                     "chain-fork", "--", "fork", "chain-fork", "--", "chain-fork"});
  shim().LeaveCgroup();
  shim().AwaitFlags(record::kExited);
  shim().Terminate(SIGTERM, 0);
  shim().AwaitFinal();
  EXPECT_EQ(pids.Read("pids.current"), "0\n");
}

#ifdef SHOAL_SANITIZED
constexpr int64_t kPromptNs = 20 * kSec;
#else
constexpr int64_t kPromptNs = 1 * kSec;
#endif

// A tree so large that telling it takes longer than its grace, and that goes on growing.
class LargeTreeTest : public ShimTest {
 protected:
  // False without a controller to bound it.
  bool StartLarge() {
    if (!pids_.exists() || !pids_.Write("pids.max", "4000")) return false;
    shim().join_cgroup = pids_.path();
    shim().StartChild({"ignore", "15", "daemon", "2500", "pause", "--", "print", "up", "fork",
                       "chain-fork", "--", "pause"});
    shim().LeaveCgroup();
    shim().AwaitOutput(0, "up");
    return true;
  }
  static int64_t FromSignalToKill(const record::ShimHalf& half) {
    return half.killed_ns - half.end_began_ns;
  }

 private:
  CgroupDir pids_{"pids"};
};
INSTANTIATE_TEST_SUITE_P(Shim, LargeTreeTest, ::testing::Bool(), NameOfParam);

TEST_P(LargeTreeTest, TheGraceIsKept) {
  if (!StartLarge()) GTEST_SKIP() << "no pids controller to bound it";
  shim().Terminate(SIGTERM, 20 * kMs);
  const record::ShimHalf half = shim().AwaitFinal();
  EXPECT_TRUE(half.flags & record::kEscalated);
  EXPECT_LT(FromSignalToKill(half), kPromptNs);
}

TEST_P(LargeTreeTest, AnotherRequestIsHeardWhileTheFirstIsBeingTold) {
  if (!StartLarge()) GTEST_SKIP() << "no pids controller to bound it";
  shim().Terminate(SIGTERM, 3600 * kSec);
  shim().Await([](const record::ShimHalf& half) { return half.end_began_ns > 0; }, "end");
  shim().Terminate(SIGKILL, 0);
  const record::ShimHalf half = shim().AwaitFinal();
  EXPECT_EQ(half.terminate_serial, 2u);
  EXPECT_FALSE(half.flags & record::kEscalated);
  EXPECT_LT(FromSignalToKill(half), kPromptNs);
}

TEST_P(TreeTest, AChildThatLeavesItsCgroupIsStillOfTheTree) {
  CgroupDir elsewhere;
  if (!elsewhere.exists()) GTEST_SKIP() << "no writable cgroup v2 here";
  shim().StartChild({"daemon", "1", "leave-cgroup", elsewhere.path(), "ignore", "15", "print-pid",
                     "pause", "--", "print-pid", "pause"});
  const std::vector<pid_t> pids = AwaitPids(shim(), 2);
  shim().Terminate(SIGTERM, 20 * kMs);
  shim().AwaitFinal();
  ExpectGone(pids);
  EXPECT_EQ(elsewhere.Read("cgroup.procs"), "");
}

TEST_P(TreeTest, DescendantsOfAnEndedProcessHaveTheirGraceAndAreThenEnded) {
  shim().agent.grace_ns = 60 * kMs;
  shim().StartChild({"daemon", "1", "print-pid", "pause", "--", "exit", "3"});
  const record::ShimHalf half = shim().AwaitFinal();
  EXPECT_EQ(WEXITSTATUS(half.wait_status), 3);
  EXPECT_EQ(half.end_cause, record::EndCause::kDescendants);
  EXPECT_GE(half.end_began_ns - half.exited_ns, 59 * kMs);
  ExpectGone(PidsIn(shim().Output(0)));
}

// Whatever their depth; the name is that of the kernel, 15 bytes of it.
void ExpectDescendants(const record::ShimHalf& half, const std::vector<pid_t>& pids) {
  std::set<pid_t> noted;
  for (int i = 0; i < half.descendant_count; ++i) {
    noted.insert(half.descendants[i].pid);
    EXPECT_STREQ(half.descendants[i].command, "shoal-test-chil");
  }
  EXPECT_EQ(noted, std::set<pid_t>(pids.begin(), pids.end()));
}

TEST_P(TreeTest, WhatOutlivedTheProcessAndIsEndedIsNamed) {
  shim().agent.grace_ns = 200 * kMs;
  shim().StartChild(
      {"daemon", "1", "fork", "print-pid", "pause", "--", "print-pid", "pause", "--", "exit", "3"});
  const std::vector<pid_t> pids = AwaitPids(shim(), 2);
  ExpectDescendants(shim().AwaitFinal(), pids);
}

TEST_P(TreeTest, WhatIsKilledOnRequestAfterTheExitIsNamed) {
  shim().StartChild({"daemon", "1", "ignore", "15", "print-pid", "pause", "--", "exit", "3"});
  const std::vector<pid_t> pids = AwaitPids(shim(), 1);
  shim().AwaitFlags(record::kExited);
  shim().Terminate(SIGTERM, 10 * kMs);
  const record::ShimHalf half = shim().AwaitFinal();
  ExpectDescendants(half, pids);
  EXPECT_EQ(half.end_cause, record::EndCause::kRequested);
  EXPECT_TRUE(half.flags & record::kEscalated);
}

TEST_P(TreeTest, WhatOutlivesTheProcessIsNamedBeforeItIsEnded) {
  const std::string gate = shim().dir() + "/gate";
  ASSERT_EQ(mkfifo(gate.c_str(), 0600), 0);
  shim().agent.grace_ns = 60 * kSec;
  shim().StartChild({"daemon", "1", "print-pid", "open-fifo", gate, "--", "exit", "3"});
  const std::vector<pid_t> pids = AwaitPids(shim(), 1);
  const record::ShimHalf waiting = shim().Await(
      [](const record::ShimHalf& half) { return half.descendant_count > 0; }, "descendants");
  ExpectDescendants(waiting, pids);
  EXPECT_EQ(waiting.end_began_ns, 0);
  close(open(gate.c_str(), O_WRONLY | O_CLOEXEC));
  const record::ShimHalf half = shim().AwaitFinal();
  EXPECT_EQ(half.end_began_ns, 0);
  ExpectDescendants(half, pids);
}

TEST_P(TreeTest, DescendantsThatEndWithinTheirGraceAreNotEnded) {
  shim().StartChild({"daemon", "3", "sleep", "0.05", "print", "x", "--", "exit", "3"});
  const record::ShimHalf half = shim().AwaitFinal();
  EXPECT_EQ(half.end_cause, record::EndCause::kNone);
  EXPECT_EQ(half.end_began_ns, 0);
  EXPECT_EQ(shim().Output(0), "xxx");
}

TEST_P(TreeTest, KeptDescendantsLiveUntilTheyEnd) {
  const std::string gate = shim().dir() + "/gate";
  ASSERT_EQ(mkfifo(gate.c_str(), 0600), 0);
  shim().agent.flags |= record::kKeepDescendants;
  shim().agent.grace_ns = 1;
  shim().StartChild(
      {"daemon", "1", "print-pid", "open-fifo", gate, "print", "end", "--", "exit", "3"});
  const std::vector<pid_t> pids = AwaitPids(shim(), 1);
  shim().AwaitFlags(record::kExited);
  EXPECT_TRUE(IsAlive(pids[0]));
  close(open(gate.c_str(), O_WRONLY | O_CLOEXEC));
  const record::ShimHalf half = shim().AwaitFinal();
  EXPECT_EQ(half.end_cause, record::EndCause::kNone);
  EXPECT_TRUE(shim().Output(0).ends_with("end"));
}

TEST_P(TreeTest, WhatTheMainProcessHasWrittenIsThereWithTheExitOfOneThatKeepsDescendants) {
  shim().agent.flags |= record::kKeepDescendants;
  shim().StartChild({"daemon", "1", "pause", "--", "print", "last words", "exit", "3"});
  const record::ShimHalf half = shim().AwaitFlags(record::kExited);
  EXPECT_EQ(half.streams[0].end, 10) << "no end of file will tell";
  shim().Terminate(SIGTERM, 10 * kMs);
  shim().AwaitFinal();
}

TEST_P(TreeTest, KeptDescendantsAreEndedOnRequest) {
  shim().agent.flags |= record::kKeepDescendants;
  shim().StartChild({"daemon", "1", "ignore", "15", "print-pid", "pause", "--", "exit", "3"});
  AwaitPids(shim(), 1);
  shim().AwaitFlags(record::kExited);
  shim().Terminate(SIGTERM, 10 * kMs);
  EXPECT_EQ(WEXITSTATUS(shim().AwaitFinal().wait_status), 3);
}

TEST_P(TreeTest, AStrangerInTheCgroupIsOfTheTree) {
  if (!GetParam()) return;
  const pid_t stranger = fork();
  if (stranger == 0) {
    for (;;) pause();
  }
  shim().StartChild({"pause"});
  shim().AwaitFlags(record::kStarted);
  ASSERT_TRUE(shim().cgroup()->Write("cgroup.procs", std::to_string(stranger)));
  shim().Terminate(SIGTERM, 30 * kSec);
  int status = 0;
  EXPECT_EQ(waitpid(stranger, &status, 0), stranger);
  EXPECT_EQ(WTERMSIG(status), SIGTERM);
  shim().AwaitFinal();
}

TEST_P(TreeTest, AnOutsiderThatWasHandedThePipeDoesNotKeepTheShim) {
  const std::string path = shim().dir() + "/handed";
  shim().StartChild({"print", "before", "pause"});
  shim().AwaitOutput(0, "before");
  const int pipe =
      open(("/proc/" + std::to_string(shim().Read().pid) + "/fd/1").c_str(), O_WRONLY | O_CLOEXEC);
  ASSERT_GE(pipe, 0);
  ASSERT_EQ(write(pipe, " outside", 8), 8);
  shim().Terminate(SIGTERM, 30 * kSec);
  shim().AwaitFinal();
  EXPECT_EQ(shim().Output(0), "before outside");
  close(pipe);
}

TEST_P(TreeTest, SurvivorsOfSigkillAreNamedAndTheEndIsSeenLater) {
  CgroupDir freezer("freezer");
  if (!freezer.exists()) GTEST_SKIP() << "no v1 freezer: nothing survives SIGKILL here";
  shim().StartChild({"print-pid", "pause"});
  const std::vector<pid_t> pids = AwaitPids(shim(), 1);
  ASSERT_TRUE(freezer.Write("cgroup.procs", std::to_string(pids[0])));
  ASSERT_TRUE(freezer.Write("freezer.state", "FROZEN"));
  shim().Terminate(SIGKILL, 0);
  const record::ShimHalf half = shim().AwaitFlags(record::kUnkillable);
  EXPECT_EQ(half.survivor_count, 1);
  EXPECT_EQ(half.survivors[0], pids[0]);
  EXPECT_FALSE(half.flags & record::kExited);
  ASSERT_TRUE(freezer.Write("freezer.state", "THAWED"));
  EXPECT_EQ(WTERMSIG(shim().AwaitFinal().wait_status), SIGKILL);
}

#ifndef SHOAL_SANITIZED  // a sanitizer itself does not live without /proc

TEST_P(TreeTest, WithoutProcTheProcessAndItsGroupAreStillEnded) {
  shim().without_proc = true;
  shim().StartChild({"fork", "print-pid", "pause", "--", "print-pid", "pause"});
  AwaitPids(shim(), 2);
  shim().Terminate(SIGTERM, 50 * kMs);
  const record::ShimHalf half = shim().AwaitFinal();
  EXPECT_EQ(WTERMSIG(half.wait_status), SIGTERM);
  EXPECT_TRUE(half.flags & record::kEmpty);
}

TEST_P(TreeTest, WithoutProcTheCgroupEndsDaemonsThatIgnoreTheSignal) {
  if (!GetParam()) return;
  shim().without_proc = true;
  shim().StartChild(
      {"daemon", "3", "ignore", "15", "print-pid", "pause", "--", "print-pid", "pause"});
  AwaitPids(shim(), 4);
  shim().Terminate(SIGTERM, 50 * kMs);
  EXPECT_TRUE(shim().AwaitFinal().flags & record::kEscalated);
}

#endif  // SHOAL_SANITIZED

}  // namespace
}  // namespace shoal::testing
