// Sessions: leases that own processes.
#include <csignal>

#include "tests/unit/core/session_fixture.h"

namespace shoal::agent {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST_F(SessionTest, OpenIsAnsweredAfterItsCommitAndRepeatable) {
  SessionEntry first = world_.OpenSession();
  SessionEntry again = world_.OpenSession();
  EXPECT_EQ(first.id, again.id);
  EXPECT_EQ(first.token, again.token);
  EXPECT_THAT(world_.store.sessions(), SizeIs(1));
  EXPECT_THAT(world_.supervisor->Sessions(PermitOf()), SizeIs(1));
}

TEST_F(SessionTest, AFailedCommitOpensNothing) {
  world_.store.FailNext(absl::ResourceExhaustedError("full"));
  absl::Status status;
  world_.supervisor->OpenSession(Opening("o"), [&](absl::StatusOr<const SessionEntry*> session) {
    status = session.status();
  });
  world_.Turn();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(world_.supervisor->Sessions(PermitOf()), IsEmpty());
}

TEST_F(SessionTest, AProcessOfASessionHasItsDeadManTimeAndEachRenewalWritesIt) {
  SessionEntry session = world_.OpenSession();
  std::string id = world_.Run(InSession(session, "p"));
  auto expected = [&] {
    return absl::ToInt64Nanoseconds(world_.clock.BootTime() + absl::Seconds(15) +
                                    absl::Minutes(10));
  };
  EXPECT_EQ(world_.shims.SlotOf(id).agent.dead_man_ns, expected());
  world_.clock.Advance(absl::Seconds(5));
  EXPECT_TRUE(KeepAlive(session).ok());
  EXPECT_EQ(world_.shims.SlotOf(id).agent.dead_man_ns, expected());
  EXPECT_EQ(world_.shims.SlotOf(id).wakes, 0) << "a renewal wakes nobody";
}

TEST_F(SessionTest, RenewalsKeepItAlive) {
  SessionEntry session = world_.OpenSession();
  std::string id = world_.Run(InSession(session, "p"));
  for (int i = 0; i < 20; ++i) {
    world_.scheduler.Advance(absl::Seconds(5));
    ASSERT_TRUE(KeepAlive(session).ok());
  }
  EXPECT_EQ(world_.Get(id).state, State::kRunning);
}

TEST_F(SessionTest, ALapseEndsTheProcessesAndNothingBeforeTheTtl) {
  SessionEntry session = world_.OpenSession();
  std::string id = world_.Run(InSession(session, "p", "r1"));
  std::string apart = world_.Run(Detached("d", "r2"));
  world_.scheduler.Advance(absl::Seconds(15) - absl::Nanoseconds(1));
  EXPECT_EQ(world_.Get(id).state, State::kRunning);
  world_.scheduler.Advance(absl::Nanoseconds(1));
  EXPECT_EQ(world_.Get(id).state, State::kStopping);
  EXPECT_EQ(world_.shims.SlotOf(id).agent.terminate_cause, record::EndCause::kSessionExpired);
  Obey(id);
  EXPECT_EQ(world_.Get(id).exit->cause, Cause::kSessionExpired);
  EXPECT_EQ(world_.Get(apart).state, State::kRunning);
  EXPECT_THAT(world_.store.sessions(), IsEmpty());
  absl::Status gone = KeepAlive(session);
  EXPECT_EQ(gone.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(gone.message(), AllOf(HasSubstr("expired"), HasSubstr("1 process was terminated")));
}

TEST_F(SessionTest, AWrongTokenIsRefused) {
  SessionEntry session = world_.OpenSession();
  session.token = "guess";
  EXPECT_EQ(KeepAlive(session).code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(Close(session, false)->status.code(), absl::StatusCode::kPermissionDenied);
  session.id = "NOSUCHSESSIONAAA";
  EXPECT_EQ(KeepAlive(session).code(), absl::StatusCode::kNotFound);
}

TEST_F(SessionTest, AStepOfTheWallClockChangesNothing) {
  SessionEntry session = world_.OpenSession();
  std::string id = world_.Run(InSession(session, "p"));
  world_.clock.StepWallClock(absl::Hours(24));
  world_.scheduler.Advance(absl::Seconds(10));
  world_.clock.StepWallClock(-absl::Hours(48));
  EXPECT_TRUE(KeepAlive(session).ok());
  EXPECT_EQ(world_.Get(id).state, State::kRunning);
}

TEST_F(SessionTest, AnAgentThatWasStoppedGivesTheFullTtlAgain) {
  SessionEntry session = world_.OpenSession();
  std::string id = world_.Run(InSession(session, "p"));
  world_.scheduler.Stall(absl::Minutes(5));
  EXPECT_EQ(world_.Get(id).state, State::kRunning);
  world_.scheduler.Advance(absl::Seconds(14));
  EXPECT_EQ(world_.Get(id).state, State::kRunning);
  world_.scheduler.Advance(absl::Seconds(1));
  EXPECT_EQ(world_.Get(id).state, State::kStopping);
}

TEST_F(SessionTest, ARestartGivesTheFullTtlAgainAndRenewsTheDeadManTime) {
  SessionEntry session = world_.OpenSession();
  std::string id = world_.Run(InSession(session, "p"));
  world_.Kill();
  world_.clock.Advance(absl::Minutes(3));
  world_.Start();
  EXPECT_EQ(
      world_.shims.SlotOf(id).agent.dead_man_ns,
      absl::ToInt64Nanoseconds(world_.clock.BootTime() + absl::Seconds(15) + absl::Minutes(10)));
  world_.scheduler.Advance(absl::Seconds(14));
  EXPECT_EQ(world_.Get(id).state, State::kRunning);
  EXPECT_TRUE(KeepAlive(session).ok());
  world_.scheduler.Advance(absl::Seconds(15));
  EXPECT_EQ(world_.Get(id).state, State::kStopping);
}

TEST_F(SessionTest, ALapseThatAKillInterruptedGoesOnAfterTheRestart) {
  SessionEntry session = world_.OpenSession();
  std::string id = world_.Run(InSession(session, "p"));
  world_.scheduler.Advance(absl::Seconds(15));
  world_.Restart();
  EXPECT_EQ(KeepAlive(session).code(), absl::StatusCode::kNotFound);
  EXPECT_NE(world_.shims.SlotOf(id).agent.terminate_serial, 0u);
  Obey(id);
  EXPECT_THAT(world_.store.sessions(), IsEmpty());
  EXPECT_EQ(world_.Get(id).exit->cause, Cause::kSessionExpired);
}

TEST_F(SessionTest, ASpawnIntoWhatIsOverIsRefused) {
  SessionEntry session = world_.OpenSession();
  Close(session, true);
  auto reply = world_.Spawn(InSession(session, "p"));
  world_.Turn();
  EXPECT_EQ(reply->statuses[0].code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(reply->statuses[0].message(), HasSubstr("SESSION_EXPIRED"));
  EXPECT_TRUE(HasReason(reply->statuses[0], kReasonSessionExpired));
}

TEST_F(SessionTest, ASpawnIntoTheSessionOfAnotherIsRefused) {
  SessionEntry session = world_.OpenSession();
  SpawnCommand command = InSession(session, "p");
  command.permit = PermitOf("uid:2");
  auto reply = world_.Spawn(command);
  world_.Turn();
  EXPECT_EQ(reply->statuses[0].code(), absl::StatusCode::kPermissionDenied);
}

TEST_F(SessionTest, AnExpiryThatRacesASpawnLeavesNoUnownedProcess) {
  // The expiry comes after the intent, before the commit; after it; before execve returned.
  for (int turns = 0; turns < 3; ++turns) {
    World world;
    SessionEntry session = world.OpenSession();
    auto reply = world.Spawn(InSession(session, "p"));
    if (turns > 0) world.Turn();
    if (turns > 1) world.shims.StartAll();
    world.scheduler.Advance(absl::Seconds(15));
    world.Turn();
    for (const ShimStart& start : world.shims.starts()) {
      ASSERT_TRUE(world.shims.HasSlot(start.id));
      EXPECT_NE(world.shims.SlotOf(start.id).agent.terminate_serial, 0u) << turns;
    }
    for (const ShimStart& start : world.shims.starts()) {
      world.shims.BeginEnd(start.id);
      world.shims.End(start.id, 0);
    }
    world.Turn();
    EXPECT_EQ(reply->calls, 1) << turns;
    EXPECT_EQ(world.supervisor->live_processes(), 0) << turns;
    EXPECT_THAT(world.shims.slots(), IsEmpty()) << turns;
  }
}

TEST_F(SessionTest, ADetachedProcessOutlivesTheSession) {
  SessionEntry session = world_.OpenSession();
  std::string id = world_.Run(InSession(session, "p"));
  UpdateCommand command{{PermitOf()}};
  command.selector = Term(id);
  command.detach = true;
  EXPECT_TRUE(world_.Update(command)->outcomes[0].second.ok());
  EXPECT_EQ(world_.shims.SlotOf(id).agent.dead_man_ns, 0);
  EXPECT_EQ(world_.store.processes().at(id).lifetime, Lifetime::kDetached);
  world_.scheduler.Advance(absl::Minutes(1));
  EXPECT_EQ(world_.Get(id).state, State::kRunning);
  world_.Restart();
  EXPECT_EQ(world_.Get(id).state, State::kRunning);
  EXPECT_EQ(world_.Get(id).lifetime, Lifetime::kDetached);
}

TEST_F(SessionTest, ManySessionsThatLapseTogetherAreAllEnded) {
  std::vector<std::string> ids;
  for (int i = 0; i < 300; ++i) {
    SessionEntry session = world_.OpenSession(absl::Seconds(15), absl::StrCat("o", i));
    ids.push_back(world_.Run(InSession(session, "p", absl::StrCat("r", i))));
  }
  world_.scheduler.Advance(absl::Seconds(15));
  world_.scheduler.Advance(absl::Seconds(1));  // 64 at a time
  for (const std::string& id : ids) {
    EXPECT_EQ(world_.shims.SlotOf(id).agent.terminate_serial, 1u);
  }
}

TEST_F(SessionTest, ARetryOfWhatWasDeletedInALivingSessionStartsNothing) {
  SessionEntry session = world_.OpenSession();
  std::string id = world_.Run(InSession(session, "p"));
  world_.shims.End(id, 0);
  world_.Turn();
  world_.Delete(Term(id));
  auto retry = world_.Spawn(InSession(session, "p"));
  world_.Turn();
  EXPECT_EQ(retry->statuses[0].code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(world_.shims.starts(), SizeIs(1));
}

TEST_F(SessionTest, AFullDiskKeepsNoProcessOfAClosedOrLapsedSessionAlive) {
  for (bool lapses : {false, true}) {
    World world;
    const SessionEntry session = world.OpenSession();
    const std::string id = world.Run(InSession(session, "p"));
    for (int i = 0; i < 20; ++i) world.store.FailNext(absl::ResourceExhaustedError("full"));
    EXPECT_TRUE(world.supervisor->KeepAlive(PermitOf(), session.id, session.token).ok());
    int closed = 0;
    if (lapses) {
      world.scheduler.Advance(absl::Seconds(16));
    } else {
      world.supervisor->CloseSession(
          {PermitOf(), session.id, session.token, /*forget=*/false, std::nullopt, std::nullopt},
          [&](absl::StatusOr<SessionEnd> end) { closed += end.ok() && end->terminated == 1; });
    }
    world.Turn();
    EXPECT_EQ(world.shims.SlotOf(id).agent.terminate_signal, SIGTERM) << lapses;
    world.shims.BeginEnd(id);
    world.shims.End(id, 0);
    world.Turn();
    EXPECT_EQ(closed, lapses ? 0 : 1);
    world.scheduler.Advance(absl::Minutes(1));
    EXPECT_THAT(world.store.sessions(), IsEmpty()) << "what was not saved then is saved later";
  }
}

TEST_F(SessionTest, TheOpenOfASessionThatIsOverOpensNoOther) {
  SessionEntry session = world_.OpenSession(absl::Seconds(15), "o");
  Close(session, true);
  for (bool restarted : {false, true}) {
    if (restarted) world_.Restart();
    absl::Status repeat;
    world_.supervisor->OpenSession(Opening("o"), [&](absl::StatusOr<const SessionEntry*> opened) {
      repeat = opened.status();
    });
    world_.Turn();
    EXPECT_EQ(repeat.code(), absl::StatusCode::kNotFound);
    EXPECT_THAT(world_.supervisor->Sessions(PermitOf()), IsEmpty());
  }
}

}  // namespace
}  // namespace shoal::agent
