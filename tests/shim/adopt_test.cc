// A process that was forked by a template and adopted by its shim is a process like any other; and
// is not of the template's tree.
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "tests/shim/shim_test.h"

namespace shoal::testing {
namespace {

using AdoptTest = ShimTest;
INSTANTIATE_TEST_SUITE_P(Shim, AdoptTest, ::testing::Bool(), NameOfParam);

constexpr uint32_t kWholeLife = record::kAdopted | record::kStarted | record::kExited |
                                record::kOutputComplete | record::kEmpty | record::kFinal;

// For what no report tells of.
void AwaitTrue(const std::function<bool()>& done, const char* what) {
  for (int attempt = 0; !done() && attempt < kDeadlineSeconds * 1000; ++attempt) usleep(1000);
  EXPECT_TRUE(done()) << what;
}

TEST_P(AdoptTest, ExitAndStreamsAreRecorded) {
  shim().agent.flags |= record::kResultStream;
  shim().StartAdopted({"print", "out", "eprint", "err", "return", "answer", "exit", "7"});
  const record::ShimHalf half = shim().AwaitFinal();
  EXPECT_EQ(half.flags, kWholeLife);
  EXPECT_EQ(WEXITSTATUS(half.wait_status), 7);
  EXPECT_EQ(shim().Output(0), "out");
  EXPECT_EQ(shim().Output(1), "err");
  EXPECT_EQ(shim().Output(2), "answer");
  EXPECT_GT(half.started_ns, 0);
  EXPECT_GE(half.exited_ns, half.started_ns);
}

TEST_P(AdoptTest, StderrMayBeMergedAndTheResultLeftOut) {
  shim().agent.flags |= record::kMergeStderr;
  shim().StartAdopted({"print", "1", "eprint", "2", "print", "3"});
  const record::ShimHalf half = shim().AwaitFinal();
  EXPECT_EQ(shim().Output(0), "123");
  EXPECT_EQ(half.streams[1].end + half.streams[2].end, 0);
}

TEST_P(AdoptTest, TheRecordNamesProcessAndShim) {
  shim().StartAdopted({"list", "pause"});
  shim().AwaitOutput(0, "env=");
  const record::ShimHalf half = shim().AwaitFlags(record::kStarted | record::kAdopted);
  EXPECT_EQ(half.shim_pid, shim().shim_pid());
  EXPECT_EQ(half.shim_start_ticks, StartTicksOf(half.shim_pid));
  EXPECT_EQ(half.start_ticks, StartTicksOf(half.pid));
  EXPECT_NE(shim().Output(0).find("ppid=" + std::to_string(half.shim_pid)), std::string::npos);
  EXPECT_NE(shim().Output(0).find("\npid=" + std::to_string(half.pid)), std::string::npos);
  shim().Terminate(SIGTERM, 30 * kSec);
  EXPECT_EQ(WTERMSIG(shim().AwaitFinal().wait_status), SIGTERM);
}

TEST_P(AdoptTest, AnEndBeforeTheShimIsSeen) {
  shim().StartAdopted({"print", "gone", "exit", "3"}, "await-f");
  const record::ShimHalf half = shim().AwaitFinal();
  EXPECT_EQ(half.flags, kWholeLife);
  EXPECT_EQ(WEXITSTATUS(half.wait_status), 3);
  EXPECT_EQ(shim().Output(0), "gone");
}

TEST_P(AdoptTest, ADaemonMadeBeforeTheShimIsOfTheTree) {
  shim().StartAdopted({"daemon", "1", "ignore", "15", "print-pid", "pause", "--", "exit", "0"},
                      "await-f");
  shim().AwaitOutput(0, "\n");
  const record::ShimHalf half = shim().AwaitFlags(record::kExited);
  EXPECT_FALSE(half.flags & record::kEmpty);
  shim().Terminate(SIGTERM, 10 * kMs);
  EXPECT_TRUE(shim().AwaitFinal().flags & record::kEmpty);
  EXPECT_FALSE(IsAlive(PidsIn(shim().Output(0))[0]));
}

TEST_P(AdoptTest, WhatPreventsTheStartIsReported) {
  shim().StartAdopted({"pause"}, "fail-chdir");
  const record::ShimHalf half = shim().AwaitFinal();
  EXPECT_EQ(half.fail_stage, record::Stage::kChdir);
  EXPECT_EQ(half.fail_errno, ENOENT);
  EXPECT_EQ(half.flags, record::kAdopted | record::kStartFailed | record::kOutputComplete |
                            record::kEmpty | record::kFinal);
}

TEST_P(AdoptTest, AnEndThatWasWantedBeforehandEndsTheWholeTree) {
  shim().agent.terminate_serial = 1;
  shim().agent.terminate_cause = record::EndCause::kRequested;
  shim().StartAdopted({"daemon", "2", "ignore", "15", "pause", "--", "pause"});
  const record::ShimHalf half = shim().AwaitFinal();
  EXPECT_EQ(half.fail_stage, record::Stage::kSetup);
  EXPECT_EQ(half.fail_errno, ECANCELED);
  EXPECT_EQ(half.end_cause, record::EndCause::kRequested);
  EXPECT_EQ(half.flags & (record::kStarted | record::kStartFailed | record::kEmpty),
            record::kStartFailed | record::kEmpty);
  EXPECT_FALSE(IsAlive(half.pid));
}

TEST_P(AdoptTest, AnExitClosesTheStart) {
  shim().StartAdopted({"exit", "4"}, "mute");
  const record::ShimHalf half = shim().AwaitFinal();
  EXPECT_EQ(half.flags, kWholeLife);
  EXPECT_EQ(WEXITSTATUS(half.wait_status), 4);
}

TEST_P(AdoptTest, AProcessThatIsNotItsChildIsNotTouched) {
  shim().told_by_words = true;  // an adopting shim has no payload
  shim().Start({fork_protocol::kAdoptFlag, std::to_string(getpid())});
  const record::ShimHalf half = shim().AwaitFinal();
  EXPECT_EQ(half.fail_stage, record::Stage::kSetup);
  EXPECT_EQ(half.fail_errno, ECHILD);
  EXPECT_EQ(half.pid, 0);
}

TEST_P(AdoptTest, ATreeThatIgnoresTheSignalIsKilled) {
  shim().StartAdopted(
      {"ignore", "15", "daemon", "3", "print-pid", "pause", "--", "print-pid", "pause"});
  shim().Await([&](const record::ShimHalf&) { return PidsIn(shim().Output(0)).size() == 4; },
               "pids");
  shim().Terminate(SIGTERM, 10 * kMs);
  EXPECT_TRUE(shim().AwaitFinal().flags & record::kEscalated);
  for (pid_t pid : PidsIn(shim().Output(0))) EXPECT_FALSE(IsAlive(pid)) << pid;
}

TEST_P(AdoptTest, AnEndByAStopSignalDoesNotStopTheShim) {
  shim().StartAdopted({"pause"}, "mute");  // not started: the shim is still in the cgroup
  shim().AwaitOutput(0, "");
  AwaitTrue([&] { return shim().Read().pid != 0; }, "first half");
  shim().Terminate(SIGSTOP, 10 * kMs);
  EXPECT_EQ(WTERMSIG(shim().AwaitFinal().wait_status), SIGKILL);
}

TEST_P(AdoptTest, TheTimeLimitCountsFromTheStart) {
  shim().agent.limit_from_exec_ns = 20 * kMs;
  shim().StartAdopted({"pause"});
  const record::ShimHalf half = shim().AwaitFinal();
  EXPECT_EQ(half.end_cause, record::EndCause::kTimeLimit);
  EXPECT_EQ(WTERMSIG(half.wait_status), SIGTERM);
}

TEST_P(AdoptTest, TheShimLeavesTheCgroupOfItsProcess) {
  if (!GetParam()) return;
  shim().StartAdopted({"pause"});
  const record::ShimHalf half = shim().AwaitFlags(record::kStarted);
  const auto is_in = [](CgroupDir* dir, pid_t pid) {
    return PidsIn(dir->Read("cgroup.procs")) == std::vector<pid_t>{pid};
  };
  AwaitTrue([&] { return is_in(shim().refuge(), half.shim_pid); }, "the shim is in its refuge");
  EXPECT_TRUE(is_in(shim().cgroup(), half.pid));
  shim().Terminate(SIGKILL, 0);
  EXPECT_EQ(shim().AwaitFinal().flags, kWholeLife);
}

TEST_P(AdoptTest, ACgroupThatNobodyWasInIsNoProof) {
  if (!GetParam()) return;
  shim().StartAdopted({"print", "up", "pause"}, "outside");
  shim().AwaitFlags(record::kStarted | record::kCgroupRefused);
  shim().Terminate(SIGKILL, 0);
  EXPECT_EQ(shim().AwaitFinal().flags, kWholeLife | record::kCgroupRefused);
}

// The process of shim() plays the template, that of forked() is forked from it, once by a sibling
// of the template and once by its child.
class TemplateTest : public ShimTest {
 protected:
  void TearDown() override {
    EndBoth();
    ShimTest::TearDown();
  }
  // An adopting shim that is through when the template's shim ends is this test's to reap.
  void EndBoth() {
    forked_.reset();
    Reset();
    AwaitTrue([] { return waitpid(-1, nullptr, WNOHANG) < 0; }, "no descendant is left");
  }
  ShimHarness& forked() {
    if (!forked_) forked_ = std::make_unique<ShimHarness>(GetParam(), shim());
    return *forked_;
  }
  // Starts a template that forks, then does `verbs`.
  void StartTemplate(const std::string& how, const std::vector<std::string>& verbs,
                     const std::vector<std::string>& forked_verbs = {"print", "up", "pause"}) {
    std::vector<std::string> all = forked().ForkedBy(forked_verbs, how);
    all.insert(all.end(), verbs.begin(), verbs.end());
    shim().StartChild(all);
    forked().AwaitFlags(record::kStarted);
  }
  // The template is over in every way, the other lives; and is then ended by its own shim.
  void ExpectOnlyTheForkedLives() {
    const record::ShimHalf half = shim().AwaitFinal();
    EXPECT_TRUE(half.flags & record::kEmpty);
    EXPECT_EQ(half.survivor_count, 0);
    const record::ShimHalf other = forked().Read();
    EXPECT_FALSE(other.flags & (record::kExited | record::kEmpty));
    EXPECT_TRUE(IsAlive(other.pid));
    EXPECT_TRUE(IsAlive(other.shim_pid));
    forked().Terminate(SIGTERM, 30 * kSec);
    EXPECT_EQ(WTERMSIG(forked().AwaitFlags(record::kFinal).wait_status), SIGTERM);
    EndBoth();
  }

  std::unique_ptr<ShimHarness> forked_;
};
INSTANTIATE_TEST_SUITE_P(Shim, TemplateTest, ::testing::Bool(), NameOfParam);

constexpr const char* kHow[] = {"sibling", "child"};

TEST_P(TemplateTest, TerminatingATemplateSparesWhatItForked) {
  for (const char* how : kHow) {
    SCOPED_TRACE(how);
    StartTemplate(how, {"pause"});
    shim().Terminate(SIGTERM, 30 * kSec);
    ExpectOnlyTheForkedLives();
  }
}

TEST_P(TemplateTest, TheDeadManTimeOfATemplateSparesWhatItForked) {
  for (const char* how : kHow) {
    SCOPED_TRACE(how);
    StartTemplate(how, {"pause"});
    shim().agent.dead_man_ns = 1;  // long ago
    shim().Tell();
    EXPECT_EQ(shim().AwaitFinal().end_cause, record::EndCause::kDeadMan);
    ExpectOnlyTheForkedLives();
    shim().agent.dead_man_ns = 0;
  }
}

TEST_P(TemplateTest, KillingATemplateSparesWhatItForked) {
  for (const char* how : kHow) {
    SCOPED_TRACE(how);
    StartTemplate(how, {"ignore", "15", "daemon", "2", "print-pid", "pause", "--", "pause"});
    shim().Await([&](const record::ShimHalf&) { return PidsIn(shim().Output(0)).size() == 2; },
                 "daemons");
    const std::vector<pid_t> daemons = PidsIn(shim().Output(0));
    shim().Terminate(SIGTERM, 10 * kMs);
    shim().AwaitFlags(record::kEmpty);
    for (pid_t pid : daemons) EXPECT_FALSE(IsAlive(pid)) << "a daemon is of the tree";
    ExpectOnlyTheForkedLives();
  }
}

TEST_P(TemplateTest, ATemplateThatEndsIsEmptyAtOnce) {
  for (const char* how : kHow) {
    SCOPED_TRACE(how);
    shim().agent.flags |= record::kKeepDescendants;  // no deadline helps
    StartTemplate(how, {"print", "up", "pause"});
    shim().AwaitOutput(0, "up");
    kill(shim().Read().pid, SIGKILL);
    ExpectOnlyTheForkedLives();
  }
}

TEST_P(TemplateTest, ATemplateThatEndsWhileItForksIsEmptyToo) {
  for (const char* how : kHow) {
    SCOPED_TRACE(how);
    shim().agent.flags |= record::kKeepDescendants;
    StartTemplate(std::string("await-t,") + how, {"exit", "0"});
    ExpectOnlyTheForkedLives();
  }
}

TEST_P(TemplateTest, WhatWasForkedAndEndedIsReaped) {
  for (const char* how : kHow) {
    SCOPED_TRACE(how);
    StartTemplate(how, {"print", "up", "pause"}, {"exit", "5"});
    const record::ShimHalf half = forked().AwaitFlags(record::kFinal);
    EXPECT_EQ(WEXITSTATUS(half.wait_status), 5);
    if (strcmp(how, "sibling") == 0) {  // a child's parent is the template
      AwaitTrue([&] { return kill(half.shim_pid, 0) != 0; }, "no zombie is left");
    }
    EXPECT_FALSE(shim().Read().flags & record::kExited);
    shim().Terminate(SIGKILL, 0);
    shim().AwaitFinal();
    EndBoth();
  }
}

TEST_P(TemplateTest, EndingWhatWasForkedSparesTheTemplate) {
  StartTemplate("sibling", {"pause"});
  forked().Terminate(SIGKILL, 0);
  forked().AwaitFlags(record::kFinal);
  EXPECT_FALSE(shim().Read().flags & record::kExited);
  shim().Terminate(SIGTERM, 30 * kSec);
  EXPECT_EQ(WTERMSIG(shim().AwaitFinal().wait_status), SIGTERM);
}

TEST_P(TemplateTest, WhatAKilledAdoptingShimLeavesIsOfTheTemplatesTree) {
  StartTemplate("sibling", {"pause"},
                {"daemon", "1", "print-pid", "pause", "--", "print-pid", "pause"});
  forked().Await([&](const record::ShimHalf&) { return PidsIn(forked().Output(0)).size() == 2; },
                 "pids");
  const std::vector<pid_t> pids = PidsIn(forked().Output(0));
  kill(forked().Read().shim_pid, SIGKILL);
  forked().AwaitUnlocked();
  shim().Terminate(SIGKILL, 0);
  EXPECT_TRUE(shim().AwaitFinal().flags & record::kEmpty);
  for (pid_t pid : pids) EXPECT_FALSE(IsAlive(pid)) << pid;
}

TEST_P(TemplateTest, WhoOnlyLooksLikeAnAdoptingShimIsEnded) {
  shim().StartChild(
      {"ignore", "15", "fork", "pretend", "3", "print-pid", "pause", "--", "--", "pause"});
  shim().AwaitOutput(0, "\n");
  const pid_t pid = PidsIn(shim().Output(0))[0];
  shim().Terminate(SIGTERM, 10 * kMs);
  EXPECT_TRUE(shim().AwaitFinal().flags & record::kEscalated);
  EXPECT_FALSE(IsAlive(pid));
}

}  // namespace
}  // namespace shoal::testing
