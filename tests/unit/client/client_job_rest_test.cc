// What a job waits for after the exit of a rank: descendants, and output without room.
#include <gmock/gmock.h>

#include <cerrno>

#include "tests/unit/client/job_state_fixture.h"

namespace shoal {
namespace {

using ::testing::ElementsAre;

TEST_F(JobStateTest, ARankIsCompleteWhenNothingOfItIsLeft) {
  v1::Process process = Exited(0, 3);
  process.set_tree_empty(false);
  state().OnProcess(0, process);
  EXPECT_EQ(state().Summarize().failed, 1) << "the exit counts at once";
  process.set_revision(6);
  process.mutable_descendants()->set_count(2);
  state().OnProcess(0, process);
  process.set_revision(7);
  state().OnProcess(0, process);
  EXPECT_THAT(Heard(), ElementsAre("started 0 on 0 pid 100", "exited 0 3", "descendants 0 2"));
  process.set_revision(8);
  process.set_tree_empty(true);
  process.mutable_descendants()->set_signal(15);
  state().OnProcess(0, process);
  EXPECT_THAT(Heard(), ElementsAre("complete 0"));
  EXPECT_EQ(state().Summarize().processes[0].descendants().signal(), 15);
}

TEST_F(JobStateTest, DescendantsOfWhatIsOverAlreadyAreNotWaitedFor) {
  v1::Process process = Exited(0, 0);
  process.mutable_descendants()->set_count(2);
  state().OnProcess(0, process);
  v1::Process lost = Running(1);
  lost.set_state(v1::STATE_LOST);
  state().OnProcess(1, lost);
  EXPECT_THAT(Heard(), ElementsAre("started 0 on 0 pid 100", "exited 0 0", "complete 0",
                                   "started 1 on 1 pid 101", "exited 1 0", "complete 1"));
}

TEST_F(JobStateTest, DescendantsThatAreBeingEndedAreNotToldAsWaitedFor) {
  v1::Process process = Exited(0, 0);
  process.set_tree_empty(false);
  process.mutable_descendants()->set_count(2);
  process.mutable_descendants()->set_signal(15);
  state().OnProcess(0, process);
  EXPECT_THAT(Heard(), ElementsAre("started 0 on 0 pid 100", "exited 0 0"));
}

TEST_F(JobStateTest, WhatMayKeepItsDescendantsIsCompleteWhenItsOutputUpToTheExitIsRead) {
  spec_.process.set_descendants(v1::DESCENDANT_POLICY_KEEP);
  v1::Process process = Exited(0, 0);
  process.set_tree_empty(false);
  process.set_output_complete(false);
  SetWritten(process, 3);
  state().OnProcess(0, process);
  EXPECT_THAT(Heard(), ElementsAre("started 0 on 0 pid 100", "exited 0 0"));
  state().OnFrame(0, Frame(0, 0, "abc"));
  EXPECT_THAT(Heard(), ElementsAre("output 0 at 0 abc", "complete 0"));
}

TEST_F(JobStateTest, WhatIsEndedWithItsDescendantsKeepsNone) {
  spec_.process.set_descendants(v1::DESCENDANT_POLICY_KEEP);
  v1::Process process = Exited(0, 0);
  process.set_tree_empty(false);
  process.mutable_termination()->set_signal(15);
  state().OnProcess(0, process);
  EXPECT_THAT(Heard(), ElementsAre("started 0 on 0 pid 100", "exited 0 0"));
}

TEST_F(JobStateTest, ATreeThatNothingWillProveEmptyIsNotWaitedFor) {
  v1::Process process = Exited(0, 0);
  process.set_tree_empty(false);
  state().OnProcess(0, process);
  process.set_revision(6);
  process.add_flags(v1::FLAG_LEAKED);
  state().OnProcess(0, process);
  EXPECT_THAT(Heard(), ElementsAre("started 0 on 0 pid 100", "exited 0 0", "complete 0"));
}

TEST_F(JobStateTest, DescendantsAreWaitedForAfterAnInterruptToo) {
  spec_.counts = {1};
  v1::Process process = Exited(0, 0);
  process.set_tree_empty(false);
  state().OnProcess(0, process);
  state().Interrupt();
  EXPECT_FALSE(state().IsComplete());
  state().OnHostGone(0, absl::UnavailableError("cut"));
  EXPECT_TRUE(state().IsComplete());
}

TEST_F(JobStateTest, OutputThatWasReadToItsEndWasNotDropped) {
  v1::Process process = Running(0);
  process.set_output_error_number(ENOSPC);
  state().OnProcess(0, process);
  process = Exited(0, 0);
  process.set_revision(5);
  process.set_output_complete(false);
  process.set_output_error_number(ENOSPC);
  state().OnProcess(0, process);
  for (const auto stream : {v1::STREAM_KIND_STDOUT, v1::STREAM_KIND_STDERR}) {
    v1::ReadOutputResponse end = Frame(0, 0, "");
    end.clear_data();
    end.set_stream(stream);
    end.mutable_end();
    state().OnFrame(0, end);
  }
  EXPECT_EQ(Heard().back(), "complete 0");
}

TEST_F(JobStateTest, AShimThatDoesNotReactIsToldOnce) {
  v1::Process process = Running(0);
  process.add_flags(v1::FLAG_SHIM_STALLED);
  state().OnProcess(0, process);
  process.set_revision(process.revision() + 1);
  state().OnProcess(0, process);
  EXPECT_THAT(Heard(), ElementsAre("started 0 on 0 pid 100", "shim stalled 0"));
}

TEST_F(JobStateTest, OutputThatCannotBeWrittenIsToldOnceAndAgainAfterItCould) {
  v1::Process process = Running(0);
  state().OnProcess(0, process);
  for (const int error : {ENOSPC, ENOSPC, 0, ENOSPC}) {
    process.set_revision(process.revision() + 1);
    process.set_output_error_number(error);
    state().OnProcess(0, process);
  }
  EXPECT_THAT(Heard(),
              ElementsAre("started 0 on 0 pid 100", "stalled 0 errno 28", "stalled 0 errno 28"));
}

// Its tree is empty, and five bytes of it were written.
TEST_F(JobStateTest, OutputThatHasNoRoomIsWaitedForUntilAnInterrupt) {
  spec_.counts = {1};
  v1::Process process = Ended(0, v1::CAUSE_TERMINATED);
  process.set_output_complete(false);
  process.set_output_error_number(ENOSPC);
  SetWritten(process, 5);
  state().OnProcess(0, process);
  state().OnFrame(0, Frame(0, 0, "hel"));
  EXPECT_FALSE(state().IsComplete());
  state().Interrupt();
  EXPECT_FALSE(state().IsComplete()) << "what was written is still given out";
  state().OnFrame(0, Frame(0, 3, "lo"));
  EXPECT_TRUE(state().IsComplete());
}

TEST_F(JobStateTest, AnInterruptCompletesWhatOnlyWaitedForRoom) {
  spec_.counts = {1};
  v1::Process process = Exited(0, 0);
  process.set_output_complete(false);
  process.set_output_error_number(ENOSPC);
  state().OnProcess(0, process);
  EXPECT_FALSE(state().IsComplete());
  state().Interrupt();
  EXPECT_TRUE(state().IsComplete());
}

}  // namespace
}  // namespace shoal
