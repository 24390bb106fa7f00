#include "client/cli/story.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace shoal::cli {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

const absl::TimeZone kZone = absl::LocalTimeZone();

absl::Time At(int hour, int minute, int second) {
  return absl::FromCivil(absl::CivilSecond(2026, 3, 1, hour, minute, second), kZone);
}

void Set(google::protobuf::Timestamp* timestamp, absl::Time time) {
  timestamp->set_seconds(absl::ToUnixSeconds(time));
  timestamp->set_nanos(static_cast<int32_t>(
      absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(timestamp->seconds()))));
}

v1::Process Web() {
  v1::Process process;
  process.set_name("web");
  process.set_id("7KQ2MDABCDEFGHIJ");
  process.set_host("ant");
  process.set_pid(48213);
  process.set_owner("uid:1000");
  process.set_state(v1::STATE_RUNNING);
  process.mutable_spec()->add_argv("serve");
  Set(process.mutable_create_time(), At(14, 2, 10));
  Set(process.mutable_start_time(), At(14, 2, 11));
  return process;
}

TEST(Story, OfOneThatHadToBeKilled) {
  v1::Process process = Web();
  process.set_state(v1::STATE_EXITED);
  process.mutable_exit()->set_signal(9);
  process.mutable_exit()->set_cause(v1::CAUSE_TERMINATED);
  v1::Termination& end = *process.mutable_termination();
  end.set_requested_by("uid:1000");
  end.set_cause(v1::CAUSE_TERMINATED);
  end.set_signal(15);
  end.mutable_grace()->set_seconds(5);
  Set(end.mutable_request_time(), At(16, 40, 2));
  Set(end.mutable_kill_time(), At(16, 40, 7));
  Set(process.mutable_exit_time(), At(16, 40, 7));
  Set(process.mutable_empty_time(), At(16, 40, 7) + absl::Milliseconds(13));
  process.set_tree_empty(true);
  process.set_output_complete(true);
  v1::StreamPosition* out = process.add_output();
  out->set_stream(v1::STREAM_KIND_STDOUT);
  out->set_end_offset((int64_t{12} << 20) / 10);
  v1::StreamPosition* err = process.add_output();
  err->set_stream(v1::STREAM_KIND_STDERR);
  err->set_end_offset(312);
  EXPECT_EQ(TellStory(process, At(17, 0, 0)),
            "web (7KQ2MD) was started on ant at 14:02:11 by uid 1000 as PID 48213 (serve). At "
            "16:40:02 uid 1000 "
            "asked for its end (SIGTERM, grace 5 s); it did not react; SIGKILL at 16:40:07 ended "
            "it. Its tree was "
            "seen empty at 16:40:07.013. stdout 1.2 MiB, stderr 312 bytes, nothing dropped.");
}

TEST(Story, AResultIsNamedAsSuch) {
  v1::Process process = Web();
  process.set_state(v1::STATE_EXITED);
  process.mutable_exit()->set_code(0);
  process.set_output_complete(true);
  v1::StreamPosition* result = process.add_output();
  result->set_stream(v1::STREAM_KIND_RESULT);
  result->set_end_offset(12);
  EXPECT_THAT(TellStory(process, At(17, 0, 0)), HasSubstr("result 12 bytes, nothing dropped."));
}

TEST(Story, OfOneThatRunsSaysSinceWhen) {
  std::string story = TellStory(Web(), At(14, 3, 11));
  EXPECT_THAT(story, EndsWith("It has been running for 1 min."));
  EXPECT_THAT(story, Not(HasSubstr("tree")));
}

TEST(Story, OfOneThatEndedByItself) {
  v1::Process process = Web();
  process.set_state(v1::STATE_EXITED);
  process.mutable_exit()->set_code(3);
  process.mutable_exit()->set_cause(v1::CAUSE_EXITED);
  Set(process.mutable_exit_time(), At(14, 2, 41));
  EXPECT_THAT(
      TellStory(process, At(15, 0, 0)),
      HasSubstr(
          "It ended by itself at 14:02:41 with exit code 3, after 30 s. Its tree has not been "
          "seen empty."));
}

TEST(Story, OfASignalFromElsewhereDoesNotBlameShoal) {
  v1::Process process = Web();
  process.set_state(v1::STATE_EXITED);
  process.mutable_exit()->set_signal(11);
  process.mutable_exit()->set_cause(v1::CAUSE_SIGNALED);
  Set(process.mutable_exit_time(), At(14, 2, 41));
  EXPECT_THAT(TellStory(process, At(15, 0, 0)),
              HasSubstr("SIGSEGV from elsewhere, not from Shoal, ended it at 14:02:41"));
}

TEST(Story, OfOneWhoseShimWasLostSaysThatTheExitIsUnknown) {
  v1::Process process = Web();
  process.set_state(v1::STATE_LOST);
  process.mutable_exit()->mutable_unknown()->set_reason(v1::CAUSE_SHIM_LOST);
  process.add_flags(v1::FLAG_LEAKED);
  std::string story = TellStory(process, At(15, 0, 0));
  EXPECT_THAT(story, HasSubstr("Its exit is unknown: its shim was lost"));
  EXPECT_THAT(story, HasSubstr("nobody can prove that its tree is empty"));
}

TEST(Story, OfOneThatNeverRan) {
  v1::Process process = Web();
  process.set_pid(0);
  process.clear_start_time();
  process.set_state(v1::STATE_FAILED_TO_START);
  process.mutable_start_failure()->set_message("exec serve: No such file or directory");
  EXPECT_EQ(TellStory(process, At(15, 0, 0)),
            "web (7KQ2MD) was to be started on ant at 14:02:10 by uid 1000 (serve), but no program "
            "ran: exec "
            "serve: No such file or directory.");
}

TEST(Story, NamesSignalsAndSurvivors) {
  v1::Process process = Web();
  v1::SignalEvent* event = process.add_signals();
  event->set_signal(1);
  event->set_requested_by("spiffe://lab/ada");
  Set(event->mutable_time(), At(14, 5, 0));
  process.set_state(v1::STATE_EXITED);
  process.mutable_exit()->set_code(0);
  v1::Survivor* survivor = process.mutable_exit()->add_survivors();
  survivor->set_pid(411);
  survivor->set_command("cp");
  survivor->set_wait_channel("nfs_wait");
  std::string story = TellStory(process, At(15, 0, 0));
  EXPECT_THAT(story, HasSubstr("At 14:05:00 spiffe://lab/ada sent it SIGHUP."));
  EXPECT_THAT(story, HasSubstr("Survivors: 411 cp in nfs_wait."));
}

}  // namespace
}  // namespace shoal::cli
