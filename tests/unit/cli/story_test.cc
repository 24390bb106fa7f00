#include "client/cli/story.h"

#include <cerrno>

#include "client/cli/wording.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/cli/told_process.h"

namespace shoal::cli {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(Story, OfOneThatHadToBeKilled) {
  v1::Process process = Web();
  process.set_state(v1::STATE_EXITED);
  process.mutable_exit()->set_signal(9);
  process.mutable_exit()->set_cause(v1::CAUSE_TERMINATED);
  AskForEnd(v1::CAUSE_TERMINATED, At(16, 40, 2), &process);
  Set(process.mutable_termination()->mutable_kill_time(), At(16, 40, 7));
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

TEST(Story, AnEndThatWasForWhatItHadLeftDoesNotHideItsOwn) {
  v1::Process process = Web();
  process.set_state(v1::STATE_EXITED);
  process.mutable_exit()->set_code(0);
  Set(process.mutable_exit_time(), At(14, 2, 41));
  AskForEnd(v1::CAUSE_TERMINATED, At(14, 2, 43), &process);
  EXPECT_THAT(TellStory(process, At(17, 0, 0)),
              HasSubstr("It ended by itself at 14:02:41 with exit code 0, after 30 s. At 14:02:43 "
                        "uid 1000 asked for its end (SIGTERM, grace 5 s); that was for what it had "
                        "left."));
}

TEST(Story, OfOneThatWasEndedBeforeItStartedItIsSaidWhoAsked) {
  v1::Process process = Web();
  process.set_state(v1::STATE_FAILED_TO_START);
  process.clear_start_time();
  process.clear_pid();
  process.mutable_start_failure()->set_message("its end was asked for before it started");
  process.mutable_start_failure()->set_error_number(ECANCELED);
  AskForEnd(v1::CAUSE_SESSION_CLOSED, At(14, 2, 11), &process);
  EXPECT_EQ(StateWord(process), "not started");
  EXPECT_THAT(TellStory(process, At(17, 0, 0)),
              HasSubstr("before it started. At 14:02:11 its session was closed by uid 1000"));
}

TEST(Story, OfOneThatRunsSaysSinceWhen) {
  std::string story = TellStory(Web(), At(14, 3, 11));
  EXPECT_THAT(story, EndsWith("It has been running for 1 min."));
  EXPECT_THAT(story, Not(HasSubstr("tree")));
}

TEST(Story, OfOneThatIsStoppedSaysSo) {
  v1::Process process = Web();
  process.mutable_live_usage()->set_stopped(true);
  EXPECT_THAT(TellStory(process, At(14, 3, 11)),
              EndsWith("It has been running for 1 min, and is stopped."));
}

TEST(Story, FillsLinesOfATerminal) {
  const std::string story = TellStory(Web(), At(14, 3, 11));
  const std::string filled = TellStory(Web(), At(14, 3, 11), 30);
  EXPECT_EQ(filled,
            "web (7KQ2MD) was started on\n"
            "ant at 14:02:11 by uid 1000 as\n"
            "PID 48213 (serve). It has been\n"
            "running for 1 min.");
  EXPECT_EQ(TellStory(Web(), At(14, 3, 11), 1000), story);
  EXPECT_THAT(TellStory(Web(), At(14, 3, 11), 1), HasSubstr("\n(7KQ2MD)\nwas\n"));
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
              HasSubstr("SIGSEGV, not from Shoal, ended it at 14:02:41"));
  process.mutable_exit()->set_signal(9);
  EXPECT_THAT(TellStory(process, At(15, 0, 0)),
              HasSubstr("SIGKILL from elsewhere, not from Shoal, ended it at 14:02:41"));
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

TEST(Story, OfOneWhoseShimWasLostSaysEachThingOnce) {
  v1::Process process = Web();
  process.set_state(v1::STATE_LOST);
  process.mutable_exit()->mutable_unknown()->set_reason(v1::CAUSE_SHIM_LOST);
  process.mutable_exit()->mutable_unknown()->set_detail(
      "its shim was killed; its tree is unproven: it has no cgroup");
  process.add_flags(v1::FLAG_LEAKED);
  const std::string story = TellStory(process, At(15, 0, 0));
  EXPECT_THAT(story, HasSubstr("Its exit is unknown: its shim was killed; its tree is unproven: it "
                               "has no cgroup"));
  EXPECT_THAT(story, Not(HasSubstr("shim was lost")));
  EXPECT_THAT(story, Not(HasSubstr("nobody can prove")));
  EXPECT_THAT(story, Not(HasSubstr("has not been seen empty")));
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

TEST(Story, OfOneThatHasNotStarted) {
  v1::Process process = Web();
  process.set_pid(0);
  process.clear_start_time();
  process.set_state(v1::STATE_PENDING);
  EXPECT_EQ(TellStory(process, At(15, 0, 0)),
            "web (7KQ2MD) was asked for on ant at 14:02:10 by uid 1000 and has not started yet.");
  process.set_state(v1::STATE_LOST);
  process.mutable_exit()->mutable_unknown()->set_reason(v1::CAUSE_HOST_REBOOT);
  Set(process.mutable_exit_time(), At(14, 30, 0));
  process.set_tree_empty(true);
  EXPECT_EQ(TellStory(process, At(15, 0, 0)),
            "web (7KQ2MD) was asked for on ant at 14:02:10 by uid 1000; it is not known to have "
            "started. Since 14:30:00 its exit is unknown: the host was rebooted. Its tree was seen "
            "empty.");
}

TEST(Story, OfOneThatANewerAgentStarted) {
  v1::Process process = Web();
  process.add_flags(v1::FLAG_UNMANAGED);
  const std::string unmanaged =
      " Its record was written by a newer agent: this one cannot read it and leaves the process "
      "alone; it keeps its name, and the newer agent can end it.";
  EXPECT_EQ(
      TellStory(process, At(15, 0, 0)),
      "web (7KQ2MD) was started on ant at 14:02:11 by uid 1000 as PID 48213 (serve)." + unmanaged);
  process.set_pid(0);
  process.clear_start_time();
  EXPECT_EQ(TellStory(process, At(15, 0, 0)),
            "web (7KQ2MD) was asked for on ant at 14:02:10 by uid 1000." + unmanaged);
}

TEST(Story, NamesTheParentOfAForkedOne) {
  v1::Process process = Web();
  process.set_forked_from("PARENTPARENTPARE");
  process.mutable_spec()->set_start_method(v1::START_METHOD_FORK);
  process.mutable_spec()->set_fork_of("warm");
  EXPECT_THAT(TellStory(process, At(15, 0, 0)), HasSubstr("It was forked from warm (PARENT)."));
  process.mutable_spec()->set_fork_of("PARENT");
  EXPECT_THAT(TellStory(process, At(15, 0, 0)), HasSubstr("It was forked from PARENT."));
  process.mutable_spec()->set_start_method(v1::START_METHOD_FORKSERVER);
  EXPECT_THAT(TellStory(process, At(15, 0, 0)),
              HasSubstr("It was forked from its program's template PARENT."));
  process.clear_forked_from();
  process.mutable_spec()->set_beside("7KQ2MDAAAAAAAAAA");
  EXPECT_THAT(TellStory(process, At(15, 0, 0)), HasSubstr("It ran beside 7KQ2MD."));
}

TEST(Story, OfOneThatEndedWithTheProcessBesideWhichItRan) {
  v1::Process process = Web();
  v1::Termination& end = *process.mutable_termination();
  end.set_requested_by("the end of db (BBBBBB), beside which it ran");
  end.set_cause(v1::CAUSE_TERMINATED);
  end.set_signal(15);
  end.mutable_grace()->set_seconds(5);
  Set(end.mutable_request_time(), At(16, 40, 2));
  EXPECT_THAT(TellStory(process, At(17, 0, 0)),
              HasSubstr("it was ended with db (BBBBBB), beside which it ran (SIGTERM, grace 5 s); "
                        "it has not ended yet."));
  process.set_state(v1::STATE_EXITED);
  process.mutable_exit()->set_signal(15);
  process.mutable_exit()->set_cause(v1::CAUSE_TERMINATED);
  process.mutable_exit()->set_requested_by(end.requested_by());
  EXPECT_EQ(DescribeEnd(process), "ended by SIGTERM with db (BBBBBB), beside which it ran");
}

struct Requested {
  v1::Cause cause;
  const char* sentence;
};

TEST(Story, SaysWhyAnEndWasAskedFor) {
  for (const Requested& row : std::vector<Requested>{
           {v1::CAUSE_TIME_LIMIT, "its time limit of 1 min was reached"},
           {v1::CAUSE_SESSION_CLOSED, "its session was closed by spiffe://lab/ada"},
           {v1::CAUSE_SESSION_EXPIRED, "its session lapsed, its client was not heard of any more"},
           {v1::CAUSE_DEAD_MAN, "its agent had been gone for too long"},
           {v1::CAUSE_TERMINATED, "spiffe://lab/ada asked for its end"}}) {
    v1::Process process = Web();
    process.mutable_spec()->mutable_time_limit()->set_seconds(60);
    v1::Termination& end = *process.mutable_termination();
    end.set_requested_by("spiffe://lab/ada");
    end.set_cause(row.cause);
    end.set_signal(15);
    end.mutable_grace()->set_seconds(5);
    Set(end.mutable_request_time(), At(14, 3, 0));
    const std::string asked = std::string("At 14:03:00 ") + row.sentence + " (SIGTERM, grace 5 s)";
    EXPECT_THAT(TellStory(process, At(15, 0, 0)), EndsWith(asked + "; it has not ended yet."));
    process.add_flags(v1::FLAG_UNMANAGED);
    EXPECT_THAT(TellStory(process, At(15, 0, 0)),
                HasSubstr(asked + "; this agent could not end it."));
    process.clear_flags();
    process.set_state(v1::STATE_EXITED);
    process.mutable_exit()->set_code(0);
    process.mutable_exit()->set_cause(row.cause);
    Set(process.mutable_exit_time(), At(14, 3, 1));
    EXPECT_THAT(TellStory(process, At(15, 0, 0)), HasSubstr(asked + "; exit code 0 at 14:03:01."));
    Set(end.mutable_kill_time(), At(14, 3, 5));
    EXPECT_THAT(
        TellStory(process, At(15, 0, 0)),
        HasSubstr(asked + "; exit code 0 at 14:03:01; SIGKILL at 14:03:05 was for what it had "
                          "started."));
  }
}

TEST(Story, AnEndAtALimitWasNotByItself) {
  v1::Process process = Web();
  process.set_state(v1::STATE_EXITED);
  process.mutable_exit()->set_code(0);
  process.mutable_exit()->set_cause(v1::CAUSE_DEAD_MAN);
  Set(process.mutable_exit_time(), At(14, 2, 41));
  EXPECT_THAT(TellStory(process, At(15, 0, 0)),
              HasSubstr("It ended at 14:02:41 with exit code 0 because its agent was gone for too "
                        "long, after "));
}

TEST(Story, OfASignalSaysWhoseItWas) {
  v1::Process process = Web();
  process.set_state(v1::STATE_EXITED);
  process.mutable_exit()->set_signal(9);
  process.mutable_exit()->set_cause(v1::CAUSE_OUT_OF_MEMORY);
  process.mutable_exit()->mutable_usage()->set_max_rss_bytes(int64_t{4} << 30);
  Set(process.mutable_exit_time(), At(14, 2, 41));
  EXPECT_THAT(TellStory(process, At(15, 0, 0)),
              HasSubstr("It was killed by the kernel, out of memory (peak 4.0 GiB) at 14:02:41, "
                        "after 30 s."));
  process.mutable_exit()->set_signal(11);
  process.mutable_exit()->set_cause(v1::CAUSE_SIGNALED);
  process.mutable_exit()->set_core_dumped(true);
  EXPECT_THAT(TellStory(process, At(15, 0, 0)),
              HasSubstr("SIGSEGV, not from Shoal, ended it at 14:02:41 (core "
                        "dumped), after 30 s."));
}

TEST(Story, NamesWhatOutlivedIt) {
  v1::Process process = Web();
  process.set_state(v1::STATE_EXITED);
  process.mutable_exit()->set_code(0);
  Set(process.mutable_exit_time(), At(14, 2, 41));
  v1::Descendants* left = process.mutable_descendants();
  left->set_count(1);
  v1::Survivor* member = left->add_members();
  member->set_pid(411);
  member->set_command("daemon");
  left->set_signal(15);
  Set(left->mutable_signal_time(), At(14, 2, 46));
  process.set_tree_empty(true);
  EXPECT_THAT(TellStory(process, At(15, 0, 0)),
              HasSubstr("It ended by itself at 14:02:41 with exit code 0, after 30 s. 1 process "
                        "outlived it, daemon (411): SIGTERM 5 s after its exit. Its tree was "
                        "seen empty."));
}

TEST(Story, ShowsControlCharactersAndObeysNone) {
  v1::Process process = Web();
  process.set_name("w\x1b[2Jb");
  EXPECT_THAT(TellStory(process, At(15, 0, 0)), HasSubstr("w\\x1b[2Jb ("));
}

struct Flagged {
  v1::Flag flag;
  const char* sentence;
};

TEST(Story, HasASentenceForEachFlagThatAsksForCare) {
  for (const Flagged& row : std::vector<Flagged>{
           {v1::FLAG_OUTPUT_STALLED,
            " It waits for room for its output: the disk is full or its cap is reached."},
           {v1::FLAG_SHIM_STALLED, " Its shim does not react."},
           {v1::FLAG_UNKILLABLE, " Members of its tree outlived SIGKILL."},
           {v1::FLAG_LEAKED, " Its shim is gone and nobody can prove that its tree is empty."}}) {
    v1::Process process = Web();
    process.add_flags(row.flag);
    EXPECT_THAT(TellStory(process, At(14, 3, 11)),
                EndsWith(std::string("It has been running for 1 min.") + row.sentence));
  }
}

TEST(Story, AnOwnerThatIsNotKnownIsSomebody) {
  v1::Process process = Web();
  process.clear_owner();
  EXPECT_THAT(TellStory(process, At(15, 0, 0)), HasSubstr(" by somebody unknown as PID 48213"));
}

}  // namespace
}  // namespace shoal::cli
