// What becomes of a process: its exit, its end on request, a lost shim.
#include <csignal>

#include "tests/unit/core/supervisor_fixture.h"

namespace shoal::agent {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

using LifecycleTest = SupervisorTest;

TEST_F(LifecycleTest, ExitedOutputCompleteAndEmptyAreThreeEvents) {
  std::string id = world_.Run(Detached("web"));
  world_.shims.Exited(id, 3);
  world_.Turn();
  EXPECT_EQ(world_.Get(id).state, State::kExited);
  EXPECT_EQ(world_.Get(id).exit->code, 3);
  EXPECT_EQ(world_.Get(id).exit->cause, Cause::kExited);
  EXPECT_FALSE(world_.Get(id).tree_empty);
  EXPECT_FALSE(world_.Get(id).output_complete);
  world_.shims.OutputComplete(id);
  world_.Turn();
  EXPECT_TRUE(world_.Get(id).output_complete);
  EXPECT_FALSE(world_.Get(id).tree_empty);
  world_.shims.Empty(id);
  world_.Turn();
  EXPECT_TRUE(world_.Get(id).IsOver());
  EXPECT_TRUE(world_.shims.HasSlot(id));
  world_.shims.Final(id);
  world_.Turn();
  EXPECT_FALSE(world_.shims.HasSlot(id)) << "stored, so the slot is free";
  EXPECT_TRUE(world_.store.processes().at(id).IsOver());
}

TEST_F(LifecycleTest, ExitBeforeStartedWasSeenIsReportedOnce) {
  auto reply = world_.Spawn(Detached("true"));
  world_.Turn();
  std::string id = world_.shims.starts()[0].id;
  world_.shims.End(id, 0);
  world_.Turn();
  ASSERT_EQ(reply->calls, 1);
  EXPECT_TRUE(reply->statuses[0].ok());
  EXPECT_EQ(world_.Get(id).state, State::kExited);
  EXPECT_NE(world_.Get(id).pid, 0);
}

TEST_F(LifecycleTest, EveryCodeAndSignalIsReportedExactly) {
  for (int code = 0; code < 256; ++code) {
    std::string id = world_.Run(Detached("p", absl::StrCat("code", code)));
    world_.shims.End(id, code);
    world_.Turn();
    EXPECT_EQ(world_.Get(id).exit->code, code);
    EXPECT_FALSE(world_.Get(id).exit->signal.has_value());
  }
  for (int signal = 1; signal <= 64; ++signal) {
    std::string id = world_.Run(Detached("p", absl::StrCat("signal", signal)));
    world_.shims.Signaled(id, signal | (signal == SIGSEGV ? 0x80 : 0));
    world_.shims.End(id, 0);
    world_.Turn();
    const Exit& exit = *world_.Get(id).exit;
    EXPECT_EQ(exit.signal, signal);
    EXPECT_FALSE(exit.code.has_value());
    EXPECT_EQ(exit.core_dumped, signal == SIGSEGV);
    EXPECT_EQ(exit.cause, Cause::kSignaled);
  }
}

TEST_F(LifecycleTest, AKillForWantOfMemoryIsCalledSo) {
  std::string id = world_.Run(Detached("big"));
  world_.shims.out_of_memory.insert(id);
  world_.shims.Signaled(id, SIGKILL);
  world_.Turn();
  EXPECT_EQ(world_.Get(id).exit->cause, Cause::kOutOfMemory);
}

TEST_F(LifecycleTest, TheStderrTailIsKeptWithTheExit) {
  std::string id = world_.Run(Detached("p"));
  world_.output.texts[{id, 1}] = std::string(5000, 'a') + "last words";
  world_.shims.Write(id, 1, 5010);
  world_.shims.End(id, 1);
  world_.Turn();
  EXPECT_THAT(world_.Get(id).exit->stderr_tail, AllOf(SizeIs(4096), HasSubstr("last words")));
  EXPECT_EQ(world_.Get(id).streams[1].end, 5010);
  EXPECT_THAT(world_.store.processes().at(id).exit->stderr_tail, SizeIs(4096));
}

TEST_F(LifecycleTest, TheStderrTailIsKeptThoughTheOutputWasCompleteBeforeTheExit) {
  std::string id = world_.Run(Detached("p"));
  world_.output.texts[{id, 1}] = "last words";
  world_.shims.Write(id, 1, 10);
  world_.shims.OutputComplete(id);
  world_.Turn();
  world_.shims.End(id, 1);
  world_.Turn();
  EXPECT_EQ(world_.Get(id).exit->stderr_tail, "last words");
}

TEST_F(LifecycleTest, LostReportsAreFoundByLookingAtAll) {
  std::string a = world_.Run(Detached("a", "r1"));
  std::string b = world_.Run(Detached("b", "r2"));
  for (const std::string& id : {a, b}) {
    world_.shims.SlotOf(id).shim.flags |= record::kExited;
    world_.shims.SlotOf(id).shim.wait_status = 5 << 8;
  }
  world_.shims.Overflow();
  world_.Turn();
  EXPECT_EQ(world_.Get(a).exit->code, 5);
  EXPECT_EQ(world_.Get(b).exit->code, 5);
}

TEST_F(LifecycleTest, TerminateTellsTheShimAndReturnsWhenTheTreeIsEmpty) {
  std::string id = world_.Run(Detached("web"));
  TerminateCommand command = EndOf(Term("web"));
  command.signal = SIGINT;
  command.grace = absl::Seconds(1);
  auto reply = world_.Terminate(command);
  const FakeShims::Slot& slot = world_.shims.SlotOf(id);
  EXPECT_EQ(slot.agent.terminate_serial, 1u);
  EXPECT_EQ(slot.agent.terminate_cause, record::EndCause::kRequested);
  EXPECT_EQ(slot.agent.terminate_signal, SIGINT);
  EXPECT_EQ(slot.agent.terminate_grace_ns, 1'000'000'000);
  EXPECT_EQ(slot.wakes, 1);
  EXPECT_EQ(world_.Get(id).state, State::kStopping);
  EXPECT_EQ(world_.Get(id).termination->requested_by, kOwner);
  world_.shims.BeginEnd(id);
  world_.shims.Signaled(id, SIGINT);
  world_.Turn();
  EXPECT_EQ(reply->calls, 0) << "the tree is not empty yet";
  world_.shims.End(id, 0);
  world_.Turn();
  ASSERT_EQ(reply->calls, 1);
  EXPECT_THAT(reply->outcomes, ElementsAre(std::make_pair(id, absl::OkStatus())));
  EXPECT_EQ(world_.Get(id).exit->signal, SIGINT);
  EXPECT_EQ(world_.Get(id).exit->cause, Cause::kTerminated);
  EXPECT_EQ(world_.Get(id).exit->requested_by, kOwner);
}

TEST_F(LifecycleTest, TerminatingWhatHasEndedAnswersWithItsExit) {
  std::string id = world_.Run(Detached("web"));
  world_.shims.End(id, 4);
  world_.Turn();
  auto reply = world_.Terminate(EndOf(Term(id)));
  ASSERT_EQ(reply->calls, 1);
  EXPECT_THAT(reply->outcomes, ElementsAre(std::make_pair(id, absl::OkStatus())));
  EXPECT_EQ(world_.Get(id).exit->code, 4);
  EXPECT_EQ(world_.Get(id).exit->cause, Cause::kExited);
}

TEST_F(LifecycleTest, TwoTerminatesAreBothAnsweredAndTheFirstIsRemembered) {
  std::string id = world_.Run(Detached("web"));
  auto first = world_.Terminate(EndOf(Term(id)));
  TerminateCommand harder = EndOf(Term(id));
  harder.permit = PermitOf("uid:2");
  harder.signal = SIGKILL;
  auto second = world_.Terminate(harder);
  EXPECT_EQ(world_.shims.SlotOf(id).agent.terminate_serial, 2u);
  EXPECT_EQ(world_.shims.SlotOf(id).agent.terminate_signal, SIGKILL);
  world_.shims.BeginEnd(id);
  world_.shims.End(id, 0);
  world_.Turn();
  EXPECT_EQ(first->calls, 1);
  EXPECT_EQ(second->calls, 1);
  EXPECT_EQ(world_.Get(id).exit->requested_by, kOwner);
  EXPECT_EQ(world_.Get(id).exit->code, 0);
}

TEST_F(LifecycleTest, AnExitThatCameBeforeTheEndBeganKeepsItsOwnCause) {
  std::string id = world_.Run(Detached("web"));
  auto reply = world_.Terminate(EndOf(Term(id)));
  world_.shims.Exited(id, 9);  // by itself, before the shim looked
  world_.clock.Advance(absl::Milliseconds(1));
  world_.shims.BeginEnd(id);
  world_.shims.End(id, 0);
  world_.Turn();
  EXPECT_EQ(reply->calls, 1);
  EXPECT_EQ(world_.Get(id).exit->code, 9);
  EXPECT_EQ(world_.Get(id).exit->cause, Cause::kExited);
}

TEST_F(LifecycleTest, EscalationIsSaid) {
  std::string id = world_.Run(Detached("stubborn"));
  auto reply = world_.Terminate(EndOf(Term(id)));
  world_.shims.BeginEnd(id);
  world_.clock.Advance(absl::Seconds(5));
  world_.shims.SlotOf(id).shim.killed_ns = absl::ToUnixNanos(world_.clock.Now());
  world_.shims.Set(id, record::kEscalated);
  world_.shims.Signaled(id, SIGKILL);
  world_.shims.End(id, 0);
  world_.Turn();
  EXPECT_EQ(reply->calls, 1);
  EXPECT_NE(world_.Get(id).flags & kFlagEscalated, 0u);
  EXPECT_EQ(world_.Get(id).termination->kill_time, world_.clock.Now());
  EXPECT_EQ(world_.Get(id).exit->cause, Cause::kTerminated);
}

TEST_F(LifecycleTest, SurvivorsThatCannotBeReadAreNotSaidToBeNone) {
  std::string id = world_.Run(Detached("web"));
  world_.shims.members_status = absl::ResourceExhaustedError("open cgroup: Too many open files");
  TerminateCommand command = EndOf(Term(id));
  command.timeout = absl::Seconds(3);
  auto reply = world_.Terminate(command);
  world_.shims.BeginEnd(id);
  world_.Turn();
  world_.scheduler.Advance(absl::Seconds(3));
  ASSERT_EQ(reply->calls, 1);
  EXPECT_THAT(reply->outcomes[0].second.message(),
              AllOf(HasSubstr("what is left could not be read: open cgroup: Too many open files"),
                    Not(HasSubstr("0 processes"))));
}

TEST_F(LifecycleTest, ATimeoutNamesTheSurvivorsAndTheProofMayComeLater) {
  std::string id = world_.Run(Detached("web"));
  world_.shims.members[id] = {411, 412};
  TerminateCommand command = EndOf(Term(id));
  command.timeout = absl::Seconds(3);
  auto reply = world_.Terminate(command);
  world_.shims.BeginEnd(id);
  world_.Turn();
  world_.shims.SlotOf(id).shim.survivor_count = 2;
  world_.shims.SlotOf(id).shim.survivors[0] = 411;
  world_.shims.SlotOf(id).shim.survivors[1] = 412;
  world_.shims.Set(id, record::kUnkillable);
  world_.Turn();
  world_.scheduler.Advance(absl::Seconds(3));
  ASSERT_EQ(reply->calls, 1);
  EXPECT_EQ(reply->outcomes[0].second.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(reply->outcomes[0].second.message(),
              AllOf(HasSubstr("2 processes"), HasSubstr("411 daemon in nfs_wait")));
  EXPECT_NE(world_.Get(id).flags & kFlagUnkillable, 0u);
  EXPECT_THAT(world_.Get(id).survivors, SizeIs(2));
  world_.shims.End(id, 0);
  world_.Turn();
  EXPECT_EQ(world_.Get(id).flags & kFlagUnkillable, 0u);
  EXPECT_TRUE(world_.Get(id).tree_empty);
}

TEST_F(LifecycleTest, AShimThatDoesNotReactIsFlaggedUntilItDoes) {
  std::string id = world_.Run(Detached("web"));
  world_.Terminate(EndOf(Term(id)));
  world_.scheduler.Advance(absl::Seconds(3));
  EXPECT_NE(world_.Get(id).flags & kFlagShimStalled, 0u);
  for (int look = 0; look < 3; ++look) world_.scheduler.Advance(absl::Seconds(3));
  world_.shims.BeginEnd(id);
  world_.scheduler.Advance(absl::Seconds(3));
  EXPECT_EQ(world_.Get(id).flags & kFlagShimStalled, 0u);
}

TEST_F(LifecycleTest, AShimThatEndsItsTreeAfterAllDoesNotStayFlagged) {
  std::string id = world_.Run(Detached("web"));
  world_.Terminate(EndOf(Term(id)));
  world_.scheduler.Advance(absl::Seconds(3));
  EXPECT_NE(world_.Get(id).flags & kFlagShimStalled, 0u);
  world_.shims.End(id, 0);  // before the agent has looked again
  world_.scheduler.Advance(absl::Seconds(9));
  EXPECT_EQ(world_.Get(id).flags & kFlagShimStalled, 0u);
}

TEST_F(LifecycleTest, AShimThatIsGoneIsNotSaidToBeSlow) {
  std::string id = world_.Run(Detached("web"));
  world_.Terminate(EndOf(Term(id)));
  world_.scheduler.Advance(absl::Seconds(3));
  world_.shims.Die(id);
  world_.scheduler.Advance(absl::Seconds(9));
  EXPECT_EQ(world_.Get(id).state, State::kLost);
  EXPECT_EQ(world_.Get(id).flags & kFlagShimStalled, 0u);
}

TEST_F(LifecycleTest, WhatIsTerminatedBeforeExecStopsOnceItRuns) {
  auto spawned = world_.Spawn(Detached("web"));
  world_.Turn();
  auto ended = world_.Terminate(EndOf(Term("web")));
  std::string id = world_.shims.starts()[0].id;
  EXPECT_EQ(world_.shims.SlotOf(id).agent.terminate_serial, 1u);
  world_.shims.Started(id);
  world_.Turn();
  EXPECT_EQ(spawned->calls, 1);
  EXPECT_EQ(world_.Get(id).state, State::kStopping);
  world_.shims.BeginEnd(id);
  world_.shims.End(id, 0);
  world_.Turn();
  EXPECT_EQ(ended->calls, 1);
}

TEST_F(LifecycleTest, TerminatingNothingIsNotFound) {
  EXPECT_EQ(world_.Terminate(EndOf(Term("nobody")))->status.code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(world_.Terminate(EndOf(All()))->status.ok());
}

TEST_F(LifecycleTest, ATimeLimitFoundByTheShimIsTheCause) {
  std::string id = world_.Run(Detached("web"));
  record::ShimHalf& shim = world_.shims.SlotOf(id).shim;
  shim.end_cause = record::EndCause::kTimeLimit;
  shim.end_signal = SIGTERM;
  shim.end_began_ns = absl::ToUnixNanos(world_.clock.Now());
  world_.shims.Signaled(id, SIGTERM);
  world_.shims.End(id, 0);
  world_.Turn();
  EXPECT_EQ(world_.Get(id).exit->cause, Cause::kTimeLimit);
  EXPECT_EQ(world_.Get(id).termination->cause, Cause::kTimeLimit);
}

TEST_F(LifecycleTest, SignalsAreRememberedAndAReplaySendsNone) {
  std::string id = world_.Run(Detached("web"));
  EXPECT_TRUE(world_.Signal(Term(id), SIGHUP, "s1")->outcomes[0].second.ok());
  EXPECT_TRUE(world_.Signal(Term(id), SIGHUP, "s1")->outcomes[0].second.ok());
  EXPECT_TRUE(world_.Signal(Term(id), SIGUSR1, "s2")->outcomes[0].second.ok());
  EXPECT_THAT(world_.shims.signals(), SizeIs(2));
  EXPECT_THAT(world_.Get(id).signals, SizeIs(2));
  for (int i = 0; i < 20; ++i) world_.Signal(Term(id), SIGUSR2, absl::StrCat("more", i));
  EXPECT_THAT(world_.Get(id).signals, SizeIs(kMaxSignalEvents));
}

TEST_F(LifecycleTest, ASignalAfterTheExitIsNotDelivered) {
  std::string id = world_.Run(Detached("web"));
  world_.shims.Exited(id, 0);
  world_.Turn();
  auto reply = world_.Signal(Term(id), SIGHUP);
  EXPECT_EQ(reply->outcomes[0].second.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(reply->outcomes[0].second.message(), HasSubstr("has ended"));
  EXPECT_THAT(world_.shims.signals(), IsEmpty());
}

TEST_F(LifecycleTest, ADeathBySentSignalSaysWhoSentIt) {
  std::string id = world_.Run(Detached("web"));
  world_.Signal(Term(id), SIGKILL);
  world_.shims.Signaled(id, SIGKILL);
  world_.Turn();
  EXPECT_EQ(world_.Get(id).exit->cause, Cause::kTerminated);
  EXPECT_EQ(world_.Get(id).exit->requested_by, kOwner);
}

TEST_F(LifecycleTest, AKilledShimCostsItsOwnProcessOnly) {
  std::string lost = world_.Run(Detached("lost", "r1"));
  std::string other = world_.Run(Detached("other", "r2"));
  world_.output.texts[{lost, 0}] = "half";
  world_.shims.Die(lost);
  world_.Turn();
  const ProcessEntry& process = world_.Get(lost);
  EXPECT_EQ(process.state, State::kLost);
  EXPECT_EQ(process.exit->cause, Cause::kShimLost);
  EXPECT_FALSE(process.exit->code.has_value());
  EXPECT_FALSE(process.exit->signal.has_value());
  EXPECT_NE(process.flags & kFlagOutputTruncated, 0u);
  EXPECT_EQ(process.streams[0].end, 4);
  EXPECT_FALSE(process.tree_empty) << "not proven yet";
  world_.shims.FinishLostTree(lost, absl::OkStatus());
  world_.Turn();
  EXPECT_TRUE(world_.Get(lost).IsOver());
  EXPECT_TRUE(world_.Get(lost).tree_empty);
  EXPECT_FALSE(world_.shims.HasSlot(lost));
  EXPECT_EQ(world_.Get(other).state, State::kRunning);
}

TEST_F(LifecycleTest, ALostTreeThatCannotBeProvenEmptyIsLeakedNeverSuccess) {
  std::string id = world_.Run(Detached("web"));
  auto ended = world_.Terminate(EndOf(Term(id)));
  world_.shims.Die(id);
  world_.Turn();
  world_.shims.FinishLostTree(id, absl::FailedPreconditionError("no cgroup"));
  world_.Turn();
  EXPECT_NE(world_.Get(id).flags & kFlagLeaked, 0u);
  EXPECT_FALSE(world_.Get(id).tree_empty);
  ASSERT_EQ(ended->calls, 1);
  EXPECT_EQ(ended->outcomes[0].second.code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(LifecycleTest, AShimThatDiesAfterTheExitKeepsTheTrueExit) {
  std::string id = world_.Run(Detached("web"));
  world_.shims.Exited(id, 6);
  world_.shims.Die(id);
  world_.Turn();
  EXPECT_EQ(world_.Get(id).state, State::kExited);
  EXPECT_EQ(world_.Get(id).exit->code, 6);
  world_.shims.FinishLostTree(id, absl::OkStatus());
  world_.Turn();
  EXPECT_EQ(world_.Get(id).exit->code, 6);
  EXPECT_TRUE(world_.Get(id).IsOver());
}

TEST_F(LifecycleTest, ALostTreeIsLeakedAlsoWhenTheExitWasKnown) {
  std::string id = world_.Run(Detached("web"));
  world_.shims.Exited(id, 6);
  world_.shims.Die(id);
  world_.Turn();
  world_.shims.FinishLostTree(id, absl::FailedPreconditionError("no cgroup"));
  world_.Turn();
  EXPECT_EQ(world_.Get(id).exit->code, 6);
  EXPECT_NE(world_.Get(id).flags & kFlagLeaked, 0u);
}

TEST_F(LifecycleTest, AShimKilledBeforeExecAnswersTheSpawn) {
  auto reply = world_.Spawn(Detached("web"));
  world_.Turn();
  std::string id = world_.shims.starts()[0].id;
  world_.shims.Set(id, 0);  // its first half: it may have forked
  world_.shims.Die(id);
  world_.Turn();
  EXPECT_EQ(reply->calls, 1);
  EXPECT_EQ(world_.Get(id).state, State::kLost);
}

TEST_F(LifecycleTest, AShimKilledBeforeItsHalfHasRunNothingAndTheProcessIsStartedAgain) {
  SpawnCommand command = Ranks("web", 2, "r1");
  auto reply = world_.Spawn(command);
  world_.Turn();
  const std::string id = world_.shims.starts()[1].id;
  world_.shims.Die(id);
  world_.Turn();
  EXPECT_EQ(world_.shims.StartsOf(id), 2);
  EXPECT_EQ(world_.shims.starts().back().env, world_.shims.starts()[1].env) << "its rank is in it";
  EXPECT_EQ(reply->calls, 0);
  EXPECT_EQ(world_.Get(id).state, State::kStarting);
  world_.shims.StartAll();
  world_.Turn();
  EXPECT_EQ(reply->calls, 1);
  EXPECT_EQ(world_.Get(id).state, State::kRunning);
  EXPECT_THAT(world_.shims.slots(), SizeIs(2));
}

TEST_F(LifecycleTest, AShimThatIsKilledAgainAndAgainIsAStartThatMayBeTriedAgain) {
  auto reply = world_.Spawn(Detached("web"));
  world_.Turn();
  const std::string id = world_.shims.starts()[0].id;
  for (int i = 0; i < 3; ++i) {
    world_.shims.Die(id);
    world_.Turn();
  }
  EXPECT_EQ(world_.shims.StartsOf(id), 3);
  ASSERT_EQ(reply->calls, 1);
  EXPECT_EQ(reply->statuses[0].code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(reply->statuses[0].message(), HasSubstr("killed before it had started anything"));
  EXPECT_THAT(world_.shims.slots(), IsEmpty());
  world_.Spawn(Detached("web"));
  world_.Turn();
  EXPECT_THAT(world_.shims.starts(), SizeIs(4)) << "the same request may be tried again";
}

TEST_F(LifecycleTest, WhatIsToEndIsNotStartedAgain) {
  auto reply = world_.Spawn(Detached("web"));
  world_.Turn();
  const std::string id = world_.shims.starts()[0].id;
  auto ended = world_.Terminate(EndOf(Term(id)));
  world_.shims.Die(id);
  world_.Turn();
  EXPECT_EQ(world_.shims.StartsOf(id), 1);
  EXPECT_EQ(world_.Get(id).state, State::kFailedToStart);
  EXPECT_THAT(world_.Get(id).start_failure->message, HasSubstr("end was asked for"));
  EXPECT_EQ(ended->calls, 1);
  EXPECT_EQ(reply->calls, 1);
}

TEST_F(LifecycleTest, ADamagedRecordIsUnknownNotAGuess) {
  std::string id = world_.Run(Detached("web"));
  world_.shims.Exited(id, 0);
  world_.shims.Damage(id);
  world_.shims.Die(id);
  world_.Turn();
  ASSERT_TRUE(world_.Get(id).exit.has_value());
}

}  // namespace
}  // namespace shoal::agent
