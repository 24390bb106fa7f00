#include <gtest/gtest.h>

#include <cerrno>

#include "shoal/outcome.h"

namespace shoal {
namespace {

v1::Process Ended(int code) {
  v1::Process process;
  process.set_state(v1::STATE_EXITED);
  process.mutable_exit()->set_code(code);
  process.mutable_exit()->set_cause(v1::CAUSE_EXITED);
  return process;
}

v1::Process Killed(int signal, v1::Cause cause) {
  v1::Process process;
  process.set_state(v1::STATE_EXITED);
  process.mutable_exit()->set_signal(signal);
  process.mutable_exit()->set_cause(cause);
  return process;
}

v1::Process NotStarted(const char* stage, int error_number) {
  v1::Process process;
  process.set_state(v1::STATE_FAILED_TO_START);
  process.mutable_start_failure()->set_stage(stage);
  process.mutable_start_failure()->set_error_number(error_number);
  process.mutable_start_failure()->set_message("exec: No such file or directory");
  return process;
}

TEST(Outcome, CodesAndSignalsAreNeverMixedUp) {
  EXPECT_EQ(PythonExitCode(Ended(137)), 137);
  EXPECT_EQ(PythonExitCode(Killed(9, v1::CAUSE_SIGNALED)), -9);
  EXPECT_EQ(ShellExitStatus(Ended(3)), 3);
  EXPECT_EQ(ShellExitStatus(Killed(9, v1::CAUSE_SIGNALED)), 137);
}

TEST(Outcome, WhatWasCutShortIsNoSuccessWhateverItsCode) {
  for (v1::Cause cause : {v1::CAUSE_TIME_LIMIT, v1::CAUSE_SESSION_EXPIRED, v1::CAUSE_DEAD_MAN}) {
    v1::Process process = Ended(0);
    process.mutable_exit()->set_cause(cause);
    EXPECT_TRUE(WasCutShort(process)) << cause;
    EXPECT_FALSE(Succeeded(process)) << cause;
    EXPECT_NE(ShellExitStatus(process), 0) << cause;
    EXPECT_EQ(PythonExitCode(process), 0) << cause;  // the exit itself
  }
  v1::Process asked = Ended(0);
  asked.mutable_exit()->set_cause(v1::CAUSE_TERMINATED);
  EXPECT_TRUE(Succeeded(asked));
  EXPECT_EQ(ShellExitStatus(asked), 0);
}

TEST(Outcome, ATimeLimitIs124AndALapseLeavesWhatIsNoSuccess) {
  v1::Process limited = Ended(3);
  limited.mutable_exit()->set_cause(v1::CAUSE_TIME_LIMIT);
  EXPECT_EQ(ShellExitStatus(limited), 124);
  EXPECT_EQ(DescribeOutcome(limited), "exited with code 3 at its time limit");
  EXPECT_EQ(ShellExitStatus(Killed(9, v1::CAUSE_TIME_LIMIT)), 124);
  v1::Process lapsed = Ended(3);
  lapsed.mutable_exit()->set_cause(v1::CAUSE_SESSION_EXPIRED);
  EXPECT_EQ(ShellExitStatus(lapsed), 3);
  lapsed.mutable_exit()->set_code(0);
  EXPECT_EQ(ShellExitStatus(lapsed), 1);
  EXPECT_EQ(ShellExitStatus(Killed(15, v1::CAUSE_SESSION_EXPIRED)), 143);
}

TEST(Outcome, AnExitThatIsNotKnownIsNotInvented) {
  v1::Process lost;
  lost.set_state(v1::STATE_LOST);
  lost.mutable_exit()->mutable_unknown()->set_detail("the host was rebooted");
  EXPECT_EQ(PythonExitCode(lost), std::nullopt);
  EXPECT_EQ(ShellExitStatus(lost), 70);
  EXPECT_FALSE(Succeeded(lost));
  EXPECT_EQ(DescribeOutcome(lost), "ended in a way that cannot be known: the host was rebooted");
  lost.mutable_exit()->mutable_unknown()->clear_detail();
  EXPECT_EQ(DescribeOutcome(lost), "ended in a way that cannot be known: the host did not say why");
}

TEST(Outcome, AFailedStartIsAsAShellHasIt) {
  EXPECT_EQ(ShellExitStatus(NotStarted("execve", ENOENT)), 127);
  EXPECT_EQ(ShellExitStatus(NotStarted("execve", ETXTBSY)), 75);
  EXPECT_EQ(ShellExitStatus(NotStarted("fork", EAGAIN)), 75);
  EXPECT_EQ(ShellExitStatus(NotStarted("execve", EACCES)), 126);
  EXPECT_EQ(ShellExitStatus(NotStarted("chdir", ENOENT)), 125);
  EXPECT_EQ(DescribeOutcome(NotStarted("execve", ENOENT)),
            "did not start: exec: No such file or directory");
}

TEST(Outcome, IsToldInAFewWords) {
  EXPECT_EQ(DescribeOutcome(Ended(3)), "exited with code 3");
  EXPECT_EQ(DescribeOutcome(Killed(11, v1::CAUSE_SIGNALED)), "ended by SIGSEGV");
  EXPECT_EQ(DescribeOutcome(Killed(9, v1::CAUSE_OUT_OF_MEMORY)),
            "killed by the kernel, out of memory");
  EXPECT_EQ(DescribeOutcome(Killed(9, v1::CAUSE_TIME_LIMIT)), "ended by SIGKILL at its time limit");
  EXPECT_EQ(DescribeOutcome(Killed(15, v1::CAUSE_SESSION_CLOSED)),
            "ended by SIGTERM when its session was closed");
  EXPECT_EQ(DescribeOutcome(Killed(15, v1::CAUSE_SESSION_EXPIRED)),
            "ended by SIGTERM when its session had lapsed");
  EXPECT_EQ(DescribeOutcome(Killed(15, v1::CAUSE_DEAD_MAN)),
            "ended by SIGTERM because neither client nor agent was there any more");
  EXPECT_EQ(DescribeOutcome(Killed(15, v1::CAUSE_TERMINATED)), "ended by SIGTERM on request");
  v1::Process dumped = Killed(6, v1::CAUSE_SIGNALED);
  dumped.mutable_exit()->set_core_dumped(true);
  EXPECT_EQ(DescribeOutcome(dumped), "ended by SIGABRT (core dumped)");
  v1::Process asked = Killed(15, v1::CAUSE_TERMINATED);
  asked.mutable_exit()->set_requested_by("uid:1000");
  EXPECT_EQ(DescribeOutcome(asked), "ended by SIGTERM on request of uid:1000");
  EXPECT_EQ(DescribeOutcome(v1::Process()), "has not ended");
}

}  // namespace
}  // namespace shoal
