// What becomes of processes whose output, or whose end, cannot be written.
#include <cerrno>
#include <csignal>

#include "tests/unit/core/supervisor_fixture.h"

namespace shoal::agent {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

class FullDiskTest : public SupervisorTest {
 protected:
  // The output of the process cannot be written from now on.
  void Fill(const std::string& id) {
    world_.shims.SlotOf(id).shim.stall_errno = ENOSPC;
    world_.shims.Set(id, record::kOutputStalled);
    world_.Turn();
  }
  // Ended, its tree empty, and its output not complete.
  void EndWithRest(const std::string& id) {
    world_.shims.Signaled(id, SIGTERM);
    world_.shims.Empty(id);
    world_.Turn();
  }
  std::string StuckEnd() {
    std::string id = world_.Run(Detached("web"));
    Fill(id);
    EndWithRest(id);
    return id;
  }
};

TEST_F(FullDiskTest, WhyOutputIsStalledIsKnownWhileItIs) {
  const std::string id = world_.Run(Detached("web"));
  Fill(id);
  EXPECT_EQ(world_.Get(id).stall_errno, ENOSPC);
  world_.shims.SlotOf(id).shim.flags &= ~static_cast<uint32_t>(record::kOutputStalled);
  world_.shims.Write(id, 0, 10);
  world_.Turn();
  EXPECT_EQ(world_.Get(id).stall_errno, 0);
  Fill(id);
  world_.shims.Die(id);
  world_.Turn();
  EXPECT_EQ(world_.Get(id).stall_errno, 0) << "without a shim nothing waits for room";
  EXPECT_EQ(world_.Get(id).flags & kFlagOutputStalled, 0u);
}

TEST_F(FullDiskTest, ATreeThatIsEmptyIsEmptyThoughItsOutputCannotBeWritten) {
  const std::string id = world_.Run(Detached("web"));
  auto ended = world_.Terminate(EndOf(Term(id)));
  auto empty = world_.Wait(Term(id), Until::kEmpty);
  auto complete = world_.Wait(Term(id), Until::kOutputComplete);
  Fill(id);
  world_.shims.BeginEnd(id);
  EndWithRest(id);
  ASSERT_EQ(ended->calls, 1);
  EXPECT_TRUE(ended->outcomes[0].second.ok()) << ended->outcomes[0].second;
  EXPECT_EQ(empty->calls, 1);
  EXPECT_EQ(complete->calls, 0);
  EXPECT_EQ(world_.supervisor->live_processes(), 0);
  EXPECT_NE(world_.Run(Detached("web", "r2")), id) << "the name is free";
}

// Else a caller that reads the output next would miss its end.
TEST_F(FullDiskTest, OutputThatIsUnderWayIsWaitedForWithTheTree) {
  const std::string id = world_.Run(Detached("web"));
  auto ended = world_.Terminate(EndOf(Term(id)));
  world_.shims.BeginEnd(id);
  world_.shims.Set(id, record::kOutputStalled);  // at its cap
  EndWithRest(id);
  EXPECT_EQ(ended->calls, 0);
  world_.shims.OutputComplete(id);
  world_.Turn();
  EXPECT_EQ(ended->calls, 1);
}

TEST_F(FullDiskTest, ATerminateThatRunsOutOfTimeForOutputHasEndedTheProcess) {
  const std::string id = world_.Run(Detached("web"));
  auto ended = world_.Terminate(EndOf(Term(id)));
  world_.shims.BeginEnd(id);
  EndWithRest(id);
  world_.scheduler.Advance(absl::Seconds(60));
  ASSERT_EQ(ended->calls, 1);
  EXPECT_TRUE(ended->outcomes[0].second.ok()) << ended->outcomes[0].second;
}

TEST_F(FullDiskTest, DeletingAnEndedProcessHasItsShimDropTheRest) {
  const std::string id = StuckEnd();
  const int wakes = world_.shims.SlotOf(id).wakes;
  auto deleted = world_.Delete(Term(id));
  ASSERT_EQ(deleted->calls, 1);
  EXPECT_TRUE(deleted->outcomes[0].second.ok()) << deleted->outcomes[0].second;
  EXPECT_NE(world_.shims.SlotOf(id).agent.flags & record::kDropRest, 0u);
  EXPECT_GT(world_.shims.SlotOf(id).wakes, wakes);
  world_.shims.Set(id, record::kRestDropped);
  world_.shims.Final(id);
  world_.Turn();
  EXPECT_FALSE(world_.shims.HasSlot(id));
  EXPECT_THAT(world_.store.processes(), IsEmpty());
}

TEST_F(FullDiskTest, WhatWasDeletedIsDroppedByTheNextAgentIfThisOneCouldNotSaySo) {
  const std::string id = StuckEnd();
  world_.crash.Arm(3);  // commit, committed, tell
  EXPECT_THROW(world_.Delete(Term(id)), Crash);
  EXPECT_EQ(world_.shims.SlotOf(id).agent.flags & record::kDropRest, 0u);
  world_.Restart();
  EXPECT_NE(world_.shims.SlotOf(id).agent.flags & record::kDropRest, 0u);
}

TEST_F(FullDiskTest, ARestThatWasDroppedIsToldThoughTheDeleteWasNotStored) {
  const std::string id = StuckEnd();
  world_.Kill();
  world_.shims.Set(id, record::kRestDropped);
  world_.shims.Final(id);
  world_.Start();
  EXPECT_TRUE(world_.Get(id).IsOver());
  EXPECT_NE(world_.Get(id).flags & kFlagOutputTruncated, 0u);
}

TEST_F(FullDiskTest, ASessionIsClosedAndForgottenThoughOutputCannotBeWritten) {
  const SessionEntry session = world_.OpenSession();
  const std::string id = world_.Run(InSession(session, "web"));
  Fill(id);
  std::optional<SessionEnd> end;
  world_.supervisor->CloseSession(
      {PermitOf(), session.id, session.token, /*forget=*/true, std::nullopt, std::nullopt},
      [&](absl::StatusOr<SessionEnd> closed) { end = *closed; });
  world_.Turn();
  world_.shims.BeginEnd(id);
  EndWithRest(id);
  ASSERT_TRUE(end.has_value());
  EXPECT_EQ(end->terminated, 1);
  EXPECT_THAT(end->survivor_ids, IsEmpty());
  EXPECT_NE(world_.shims.SlotOf(id).agent.flags & record::kDropRest, 0u);
  world_.Turn();
  EXPECT_THAT(world_.store.sessions(), IsEmpty());
  EXPECT_THAT(world_.store.processes(), IsEmpty());
}

// Else who asks why it failed finds nothing.
TEST_F(FullDiskTest, ItsExitIsKeptThoughTheRestOfItsOutputIsNot) {
  const SessionEntry session = world_.OpenSession();
  const std::string id = world_.Run(InSession(session, "web"));
  Fill(id);
  CloseSessionCommand close{PermitOf(), session.id, session.token};
  close.forget = true;
  close.forget_after = absl::Hours(1);
  world_.supervisor->CloseSession(close, [](const absl::StatusOr<SessionEnd>&) {});
  world_.Turn();
  world_.shims.BeginEnd(id);
  EndWithRest(id);
  EXPECT_NE(world_.shims.SlotOf(id).agent.flags & record::kDropRest, 0u);
  EXPECT_THAT(world_.output.removed, IsEmpty()) << "its shim may be writing";
  world_.shims.Set(id, record::kRestDropped);
  world_.shims.Final(id);
  world_.Turn();
  EXPECT_FALSE(world_.shims.HasSlot(id));
  EXPECT_THAT(world_.output.removed, SizeIs(1));
  EXPECT_EQ(world_.Get(id).exit->signal, SIGTERM);
  EXPECT_NE(world_.Get(id).flags & kFlagOutputTruncated, 0u);
  world_.scheduler.Advance(absl::Minutes(61));
  world_.Turn();
  EXPECT_THAT(world_.store.processes(), IsEmpty());
}

// Deleting the last process of a lapsed session is what lets the session go: its shim says nothing
// more.
TEST_F(FullDiskTest, ALapsedSessionGoesWithItsLastProcess) {
  const SessionEntry session = world_.OpenSession();
  const std::string id = world_.Run(InSession(session, "web"));
  Fill(id);
  world_.scheduler.Advance(absl::Seconds(16));
  world_.shims.BeginEnd(id);
  EndWithRest(id);
  EXPECT_THAT(world_.store.sessions(), SizeIs(1));
  world_.Delete(Term(id));
  world_.Turn();
  EXPECT_THAT(world_.store.sessions(), IsEmpty());
}

TEST_F(FullDiskTest, WhoAskedForAnEndThatCouldNotBeStoredIsKnownFromTheRecord) {
  const std::string id = world_.Run(Detached("web"));
  for (int i = 0; i < 20; ++i) world_.store.FailNext(absl::ResourceExhaustedError("disk full"));
  TerminateCommand command = EndOf(Term(id));
  command.signal = SIGINT;
  command.grace = absl::Milliseconds(1500);
  world_.Terminate(command);
  const absl::Time asked = world_.clock.Now();
  world_.scheduler.Advance(absl::Milliseconds(10));
  command.signal = SIGKILL;
  command.grace = absl::ZeroDuration();
  world_.Terminate(command);
  world_.Restart();
  ASSERT_TRUE(world_.Get(id).termination.has_value());
  const Termination& known = *world_.Get(id).termination;
  EXPECT_EQ(known.requested_by, kOwner);
  EXPECT_EQ(known.cause, Cause::kTerminated);
  EXPECT_EQ(known.signal, SIGINT) << "the first reason stays";
  EXPECT_EQ(known.grace, absl::Milliseconds(1500));
  EXPECT_EQ(known.request_time, asked);
  EXPECT_EQ(world_.Get(id).state, State::kStopping);
  world_.shims.BeginEnd(id);
  world_.shims.Signaled(id, SIGKILL);
  world_.shims.End(id, 0);
  world_.Turn();
  EXPECT_EQ(world_.Get(id).exit->cause, Cause::kTerminated);
  EXPECT_EQ(world_.Get(id).exit->requested_by, kOwner);
}

TEST_F(FullDiskTest, AVeryLongIdentityIsCut) {
  const std::string id = world_.Run(Detached("web"));
  for (int i = 0; i < 20; ++i) world_.store.FailNext(absl::ResourceExhaustedError("disk full"));
  TerminateCommand command = EndOf(Term(id));
  command.permit = PermitOf(std::string(200, 'x'));
  world_.Terminate(command);
  world_.Restart();
  EXPECT_EQ(world_.Get(id).termination->requested_by, std::string(record::kMaxAskerBytes - 1, 'x'));
}

}  // namespace
}  // namespace shoal::agent
