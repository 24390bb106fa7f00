#include "client/cli/wording.h"

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
  process = Ended();
  process.mutable_exit()->set_code(3);
  EXPECT_EQ(StateWord(process), "exited(3)");
  process.mutable_exit()->set_signal(15);
  EXPECT_EQ(StateWord(process), "killed(SIGTERM)");
  process.set_state(v1::STATE_LOST);
  EXPECT_EQ(StateWord(process), "lost");
}

TEST(DescribeEnd, SaysHowAndWhy) {
  v1::Process process = Ended();
  process.mutable_exit()->set_code(3);
  EXPECT_EQ(DescribeEnd(process), "exit code 3");
  process.mutable_exit()->set_signal(11);
  process.mutable_exit()->set_core_dumped(true);
  EXPECT_EQ(DescribeEnd(process), "ended by SIGSEGV (core dumped)");
  process.mutable_exit()->set_signal(9);
  process.mutable_exit()->set_cause(v1::CAUSE_OUT_OF_MEMORY);
  process.mutable_exit()->mutable_usage()->set_max_rss_bytes(int64_t{4} << 30);
  EXPECT_EQ(DescribeEnd(process), "killed by the kernel, out of memory (peak 4.0 GiB)");
  process.mutable_exit()->set_cause(v1::CAUSE_TIME_LIMIT);
  process.mutable_spec()->mutable_time_limit()->set_seconds(60);
  EXPECT_EQ(DescribeEnd(process), "ended by SIGKILL at its time limit of 1 min");
}

TEST(DescribeEnd, NeverInventsAnExit) {
  v1::Process process;
  process.set_state(v1::STATE_LOST);
  process.mutable_exit()->mutable_unknown()->set_reason(v1::CAUSE_SHIM_LOST);
  EXPECT_EQ(DescribeEnd(process), "its exit is unknown: its shim was lost");
  process.mutable_exit()->mutable_unknown()->set_reason(v1::CAUSE_HOST_REBOOT);
  EXPECT_EQ(DescribeEnd(process), "its exit is unknown: the host was rebooted");
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

}  // namespace
}  // namespace shoal::cli
