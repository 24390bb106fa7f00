#include "client/cli/wording.h"

#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace shoal::cli {
namespace {

v1::Process Ended() {
  v1::Process process;
  process.set_state(v1::STATE_EXITED);
  return process;
}

TEST(StateWord, IsOneWord) {
  v1::Process process;
  process.set_state(v1::STATE_RUNNING);
  EXPECT_EQ(StateWord(process), "running");
  process.mutable_live_usage()->set_stopped(true);
  EXPECT_EQ(StateWord(process), "stopped");
  process = Ended();
  process.mutable_exit()->set_code(3);
  EXPECT_EQ(StateWord(process), "exited(3)");
  process.mutable_exit()->set_signal(15);
  EXPECT_EQ(StateWord(process), "killed(SIGTERM)");
  process.mutable_exit()->mutable_unknown();
  EXPECT_EQ(StateWord(process), "exited(?)");
}

TEST(StateWord, HasOneForEachState) {
  const std::vector<std::pair<v1::State, const char*>> words = {
      {v1::STATE_PENDING, "pending"},        {v1::STATE_STARTING, "starting"},
      {v1::STATE_RUNNING, "running"},        {v1::STATE_STOPPING, "stopping"},
      {v1::STATE_FAILED_TO_START, "failed"}, {v1::STATE_LOST, "lost"},
      {v1::STATE_UNSPECIFIED, "unknown"}};
  for (const auto& [state, word] : words) {
    v1::Process process;
    process.set_state(state);
    EXPECT_EQ(StateWord(process), word);
    process.add_flags(v1::FLAG_UNMANAGED);
    bool has_ended = state == v1::STATE_FAILED_TO_START || state == v1::STATE_LOST;
    EXPECT_EQ(StateWord(process), has_ended ? word : "unmanaged");
  }
}

TEST(DescribeSilence, IsOfWholeSeconds) {
  EXPECT_EQ(DescribeSilence(absl::Milliseconds(10'900)),
            "its agent has not answered for 10 s; waiting for it");
  EXPECT_EQ(DescribeSilence(absl::ZeroDuration()), "its agent answers again");
}

TEST(BareReason, NamesNoHost) {
  EXPECT_EQ(BareReason(absl::UnavailableError("host \"a\" cannot be reached: it is gone\x1b")),
            "it is gone\\x1b");
  EXPECT_EQ(BareReason(absl::UnavailableError("given up: host \"a\" cannot be reached: gone")),
            "given up: gone");
  for (const char* other : {"host \"a\" did not answer in time", "gone", ""}) {
    EXPECT_EQ(BareReason(absl::UnavailableError(other)), other);
  }
}

TEST(DescribeKill, SaysWhomSigkillWasFor) {
  v1::Process process = Ended();
  process.mutable_termination()->set_signal(15);
  process.mutable_exit_time()->set_seconds(100);
  EXPECT_EQ(DescribeKill(process), "");
  process.mutable_termination()->mutable_kill_time()->set_seconds(99);
  EXPECT_EQ(WhoWasKilled(process), Killed::kProcess);
  EXPECT_EQ(DescribeKill(process), " (it did not react to SIGTERM)");
  process.mutable_termination()->mutable_kill_time()->set_seconds(101);
  EXPECT_EQ(WhoWasKilled(process), Killed::kRest);
  EXPECT_EQ(DescribeKill(process),
            " (what it had started did not react to SIGTERM, and was killed)");
  process.mutable_termination()->set_signal(9);
  EXPECT_EQ(DescribeKill(process), "") << "SIGKILL is what was asked for";
}

TEST(DescribeDescendants, NamesThemAndSaysWhatBecomesOrBecameOfThem) {
  v1::Process process = Ended();
  process.mutable_exit_time()->set_seconds(100);
  process.mutable_spec()->mutable_grace()->set_seconds(5);
  v1::Descendants* left = process.mutable_descendants();
  left->set_count(1);
  v1::Survivor* member = left->add_members();
  member->set_pid(411);
  member->set_command("sl\x1b");
  EXPECT_EQ(DescribeDescendants(process),
            "1 process outlived it, sl\\x1b (411): SIGTERM 5 s after its exit, SIGKILL 5 s "
            "later");
  process.mutable_spec()->set_descendants(v1::DESCENDANT_POLICY_KEEP);
  EXPECT_EQ(DescribeDescendants(process), "1 process outlived it, sl\\x1b (411): kept");
  process.set_tree_empty(true);
  member = left->add_members();
  member->set_pid(412);
  member->set_command("sh");
  left->set_count(2);
  EXPECT_EQ(DescribeDescendants(process),
            "2 processes outlived it, sl\\x1b (411) and sh (412): ended by themselves");
  left->set_count(12);
  left->set_signal(15);
  left->mutable_signal_time()->set_seconds(105);
  EXPECT_EQ(DescribeDescendants(process),
            "12 processes outlived it, sl\\x1b (411), sh (412) and 10 more: SIGTERM 5 s after "
            "its exit");
  left->mutable_signal_time()->set_seconds(99);
  left->mutable_kill_time()->set_seconds(104);
  EXPECT_EQ(DescribeDescendants(process),
            "12 processes outlived it, sl\\x1b (411), sh (412) and 10 more: SIGTERM before its "
            "exit, SIGKILL 4 s after its exit");
}

TEST(DescribeEnd, SaysHowAndWhy) {
  v1::Process process = Ended();
  process.mutable_exit()->set_code(3);
  EXPECT_EQ(DescribeEnd(process), "exit code 3");
  process.mutable_exit()->set_signal(11);
  process.mutable_exit()->set_core_dumped(true);
  EXPECT_EQ(DescribeEnd(process), "ended by SIGSEGV (core dumped)");
  process.mutable_exit()->set_core_dumped(false);
  process.mutable_exit()->set_signal(9);
  process.mutable_exit()->set_cause(v1::CAUSE_OUT_OF_MEMORY);
  process.mutable_exit()->mutable_usage()->set_max_rss_bytes(int64_t{4} << 30);
  EXPECT_EQ(DescribeEnd(process), "killed by the kernel, out of memory (peak 4.0 GiB)");
  process.mutable_exit()->set_cause(v1::CAUSE_TIME_LIMIT);
  process.mutable_spec()->mutable_time_limit()->set_seconds(60);
  EXPECT_EQ(DescribeEnd(process), "ended by SIGKILL at its time limit of 1 min");
}

TEST(DescribeEnd, OfACodeSaysWhatItWasAnAnswerTo) {
  const std::vector<std::pair<v1::Cause, const char*>> sentences = {
      {v1::CAUSE_EXITED, "exit code 0"},
      {v1::CAUSE_TERMINATED, "exit code 0"},
      {v1::CAUSE_TIME_LIMIT, "exit code 0 at its time limit of 5 s"},
      {v1::CAUSE_SESSION_CLOSED, "exit code 0 when its session was closed"},
      {v1::CAUSE_SESSION_EXPIRED, "exit code 0 because its session lapsed"},
      {v1::CAUSE_DEAD_MAN, "exit code 0 because its agent was gone for too long"}};
  for (const auto& [cause, sentence] : sentences) {
    v1::Process process = Ended();
    process.mutable_exit()->set_code(0);
    process.mutable_exit()->set_cause(cause);
    process.mutable_spec()->mutable_time_limit()->set_seconds(5);
    EXPECT_EQ(DescribeEnd(process), sentence);
    EXPECT_EQ(DescribeExit(process), "exit code 0");
  }
}

TEST(DescribeEnd, OfASignalSaysWhyItWasSent) {
  const std::vector<std::pair<v1::Cause, const char*>> sentences = {
      {v1::CAUSE_SIGNALED, "ended by SIGTERM"},
      {v1::CAUSE_TERMINATED, "ended by SIGTERM"},
      {v1::CAUSE_SESSION_CLOSED, "ended by SIGTERM when its session was closed"},
      {v1::CAUSE_SESSION_EXPIRED, "ended by SIGTERM because its session lapsed"},
      {v1::CAUSE_DEAD_MAN, "ended by SIGTERM because its agent was gone for too long"}};
  for (const auto& [cause, sentence] : sentences) {
    v1::Process process = Ended();
    process.mutable_exit()->set_signal(15);
    process.mutable_exit()->set_cause(cause);
    EXPECT_EQ(DescribeEnd(process), sentence);
  }
}

TEST(DescribeEnd, OfOneThatDidNotRunIsWhy) {
  v1::Process process;
  process.set_state(v1::STATE_FAILED_TO_START);
  process.mutable_start_failure()->set_message("exec sim: No such file or directory");
  EXPECT_EQ(DescribeEnd(process), "did not start: exec sim: No such file or directory");
}

TEST(DescribeEnd, OfOneThatHasNotEndedIsItsState) {
  v1::Process process;
  process.set_state(v1::STATE_STOPPING);
  EXPECT_EQ(DescribeEnd(process), "stopping");
}

TEST(DescribeEnd, NeverInventsAnExit) {
  v1::Process process;
  process.set_state(v1::STATE_LOST);
  process.mutable_exit()->mutable_unknown()->set_reason(v1::CAUSE_SHIM_LOST);
  EXPECT_EQ(DescribeEnd(process), "its exit is unknown: its shim was lost");
  process.mutable_exit()->mutable_unknown()->set_reason(v1::CAUSE_HOST_REBOOT);
  EXPECT_EQ(DescribeEnd(process), "its exit is unknown: the host was rebooted");
  auto& unknown = *process.mutable_exit()->mutable_unknown();
  unknown.set_reason(v1::CAUSE_RECORD_VERSION);
  unknown.set_detail("version 9");
  EXPECT_EQ(DescribeEnd(process), "its exit is unknown: it was left alone, version 9");
  unknown.set_reason(v1::CAUSE_UNSPECIFIED);
  EXPECT_EQ(DescribeEnd(process), "its exit is unknown: version 9");
  process.clear_exit();
  EXPECT_EQ(DescribeEnd(process), "its exit is unknown");
}

TEST(DescribeIdentity, IsAWordForAPerson) {
  EXPECT_EQ(DescribeIdentity("uid:1000"), "uid 1000");
  EXPECT_EQ(DescribeIdentity("spiffe://lab/ada"), "spiffe://lab/ada");
  EXPECT_EQ(DescribeIdentity(""), "somebody unknown");
  EXPECT_EQ(DescribeIdentity("a\nb"), "a\\nb");
}

TEST(RunTime, IsFromTheStartOrTheRequestToTheEnd) {
  v1::Process process;
  process.mutable_create_time()->set_seconds(100);
  EXPECT_EQ(RunTime(process), absl::ZeroDuration());
  process.mutable_exit_time()->set_seconds(130);
  EXPECT_EQ(RunTime(process), absl::Seconds(30));
  process.mutable_start_time()->set_seconds(120);
  EXPECT_EQ(RunTime(process), absl::Seconds(10));
  process.mutable_start_time()->set_seconds(140);
  EXPECT_EQ(RunTime(process), absl::ZeroDuration()) << "a clock that was set back";
}

TEST(CommandLine, IsQuotedAndCutBetweenCharacters) {
  v1::Process process;
  process.mutable_spec()->add_argv("sh");
  process.mutable_spec()->add_argv("-c");
  process.mutable_spec()->add_argv("echo é");
  EXPECT_EQ(CommandLine(process, 80), "sh -c 'echo é'");
  EXPECT_EQ(CommandLine(process, 12), "sh -c 'echo …");
  EXPECT_EQ(CommandLine(process, 13), "sh -c 'echo …");
}

TEST(Spans, GoThereAndBack) {
  EXPECT_EQ(ToSpan(FromSpan(absl::Milliseconds(1500))), absl::Milliseconds(1500));
}

TEST(WordingTest, WhatIsLeftRunningIsToldWithThePlacesToGoOnFrom) {
  v1::Process process;
  process.set_id("7KQ2MDAAAAAAAAAA");
  process.set_name("web");
  EXPECT_EQ(TellDetached(process, true, 7, 9),
            "shoal: detached; web (7KQ2MD) runs on, input at byte 7, output at byte 9.\n");
  process.mutable_terminal()->set_rows(24);
  EXPECT_EQ(TellDetached(process, false, std::nullopt, 9),
            "\r\nshoal: detached; web (7KQ2MD) runs on, not all that was typed was passed on, "
            "output at byte 9.\n");
}

}  // namespace
}  // namespace shoal::cli
