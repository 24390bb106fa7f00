// Sessions: leases that own processes.
#include <csignal>

#include "tests/unit/core/supervisor_fixture.h"

namespace shoal::agent {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

struct CloseReply {
  int calls = 0;
  absl::Status status;
  SessionEnd end;
};

class SessionTest : public SupervisorTest {
 protected:
  std::shared_ptr<CloseReply> Close(const SessionEntry& session, bool forget,
                                    std::optional<absl::Duration> timeout = std::nullopt) {
    auto reply = std::make_shared<CloseReply>();
    world_.supervisor->CloseSession(
        {PermitOf(), session.id, session.token, forget, std::nullopt, timeout},
        [reply](absl::StatusOr<SessionEnd> end) {
          ++reply->calls;
          reply->status = end.status();
          if (end.ok()) reply->end = *end;
        });
    world_.Turn();
    return reply;
  }
  absl::Status KeepAlive(const SessionEntry& session) {
    absl::Status status =
        world_.supervisor->KeepAlive(PermitOf(), session.id, session.token).status();
    world_.Turn();
    return status;
  }
  // What a shim that was told does.
  void Obey(const std::string& id) {
    world_.shims.BeginEnd(id);
    world_.shims.Signaled(id, SIGTERM);
    world_.shims.End(id, 0);
    world_.Turn();
  }
};

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

TEST_F(SessionTest, CloseEndsAndForgets) {
  SessionEntry session = world_.OpenSession();
  std::string running = world_.Run(InSession(session, "a", "r1"));
  std::string ended = world_.Run(InSession(session, "b", "r2"));
  world_.shims.End(ended, 0);
  world_.Turn();
  auto reply = Close(session, /*forget=*/true);
  EXPECT_EQ(reply->calls, 0);
  Obey(running);
  ASSERT_EQ(reply->calls, 1);
  EXPECT_TRUE(reply->status.ok());
  EXPECT_EQ(reply->end.terminated, 1);
  EXPECT_THAT(reply->end.survivor_ids, IsEmpty());
  EXPECT_THAT(world_.store.processes(), IsEmpty());
  EXPECT_THAT(world_.store.sessions(), IsEmpty());
  EXPECT_THAT(world_.store.requests(), SizeIs(1)) << "the Open; the Spawns went with the session";
  EXPECT_THAT(world_.output.removed, SizeIs(2));
  EXPECT_TRUE(Close(session, true)->status.ok()) << "a closed session may be closed again";
}

TEST_F(SessionTest, ARepeatedCloseWaitsForWhatTheFirstHasNotEnded) {
  SessionEntry session = world_.OpenSession();
  std::string id = world_.Run(InSession(session, "stubborn"));
  auto first = Close(session, /*forget=*/false);
  auto second = Close(session, /*forget=*/false);
  EXPECT_EQ(second->calls, 0) << "its tree lives";
  world_.Restart();
  auto third = Close(session, /*forget=*/false, absl::Seconds(2));
  EXPECT_EQ(third->calls, 0);
  world_.scheduler.Advance(absl::Seconds(2));
  world_.Turn();
  ASSERT_EQ(third->calls, 1);
  EXPECT_THAT(third->end.survivor_ids, ElementsAre(id));
  session.token = "of somebody else";
  EXPECT_EQ(Close(session, false)->status.code(), absl::StatusCode::kPermissionDenied);
}

TEST_F(SessionTest, CloseWithoutForgetKeepsTheExits) {
  SessionEntry session = world_.OpenSession();
  std::string id = world_.Run(InSession(session, "a"));
  auto reply = Close(session, /*forget=*/false);
  Obey(id);
  EXPECT_EQ(reply->calls, 1);
  EXPECT_EQ(world_.Get(id).exit->cause, Cause::kSessionClosed);
  EXPECT_EQ(world_.Get(id).exit->requested_by, kOwner);
}

TEST_F(SessionTest, CloseNamesWhatIsNotEmptyAtTheTimeout) {
  SessionEntry session = world_.OpenSession();
  std::string id = world_.Run(InSession(session, "a"));
  auto reply = Close(session, true, absl::Seconds(2));
  world_.scheduler.Advance(absl::Seconds(2));
  ASSERT_EQ(reply->calls, 1);
  EXPECT_THAT(reply->end.survivor_ids, ElementsAre(id));
}

TEST_F(SessionTest, ACloseKeepsWhatOutlivesThoseThatMayAndHaveEnded) {
  const SessionEntry session = world_.OpenSession();
  SpawnCommand command = InSession(session, "p");
  auto spec = std::make_shared<Spec>(*command.items[0].spec);
  spec->keep_descendants = true;
  command.items[0].spec = spec;
  const std::string kept = world_.Run(command);
  command.request_id = "r2";
  auto other_spec = std::make_shared<Spec>(*spec);
  other_spec->name = "q";
  command.items[0].spec = other_spec;
  const std::string running = world_.Run(command);
  const std::string plain = world_.Run(InSession(session, "r", "r3"));
  for (const std::string& id : {kept, plain}) world_.shims.Exited(id, 0);
  world_.Turn();
  CloseSessionCommand close{PermitOf(), session.id, session.token};
  close.forget = true;
  close.keep_descendants = true;
  SessionEnd end;
  world_.supervisor->CloseSession(close, [&](absl::StatusOr<SessionEnd> closed) { end = *closed; });
  world_.Turn();
  EXPECT_EQ(world_.store.processes().at(kept).lifetime, Lifetime::kDetached);
  EXPECT_TRUE(world_.store.sessions().at(session.id).over) << "in the same commit";
  for (const std::string& id : {running, plain}) {
    EXPECT_EQ(world_.shims.SlotOf(id).agent.terminate_signal, SIGTERM);
    world_.shims.BeginEnd(id);
    world_.shims.End(id, 0);
    world_.Turn();
  }
  EXPECT_THAT(end.kept_ids, ElementsAre(kept));
  EXPECT_THAT(end.survivor_ids, IsEmpty());
  EXPECT_EQ(world_.shims.SlotOf(kept).agent.terminate_serial, 0u);
  EXPECT_EQ(world_.shims.SlotOf(kept).agent.dead_man_ns, 0);
  EXPECT_NE(world_.shims.SlotOf(kept).agent.flags & record::kDropOldest, 0u)
      << "nobody reads its output any more";
  EXPECT_THAT(world_.store.sessions(), IsEmpty());
  world_.Restart();
  world_.scheduler.Advance(absl::Minutes(20));
  EXPECT_EQ(world_.shims.SlotOf(kept).agent.terminate_serial, 0u);
}

TEST_F(SessionTest, ACloseMayLetTheOutputGoNowAndTheExitsLater) {
  const SessionEntry session = world_.OpenSession();
  const std::string id = world_.Run(InSession(session, "p"));
  world_.shims.Write(id, record::kStdout, 100);
  world_.shims.End(id, 3);
  world_.Turn();
  CloseSessionCommand close{PermitOf(), session.id, session.token};
  close.forget = true;
  close.forget_after = absl::Hours(1);
  world_.supervisor->CloseSession(close, [](const absl::StatusOr<SessionEnd>&) {});
  world_.Turn();
  EXPECT_THAT(world_.output.removed, SizeIs(1));
  EXPECT_EQ(world_.Get(id).streams[record::kStdout].begin, 100) << "a gap, and no file";
  world_.Restart();
  EXPECT_EQ(world_.Get(id).exit->code, 3);
  world_.scheduler.Advance(absl::Minutes(59));
  EXPECT_EQ(world_.Get(id).exit->code, 3);
  world_.scheduler.Advance(absl::Minutes(2));
  world_.Turn();
  EXPECT_THAT(world_.store.processes(), IsEmpty());
}

TEST_F(SessionTest, ManyThatAreToGoTogetherAllGo) {
  const SessionEntry session = world_.OpenSession();
  for (int i = 0; i < 600; ++i) {
    const std::string id =
        world_.Run(InSession(session, absl::StrCat("p", i), absl::StrCat("r", i)));
    world_.shims.End(id, 0);
  }
  world_.Turn();
  CloseSessionCommand close{PermitOf(), session.id, session.token};
  close.forget = true;
  close.forget_after = absl::Hours(1);
  world_.supervisor->CloseSession(close, [](const absl::StatusOr<SessionEnd>&) {});
  world_.Turn();
  EXPECT_THAT(world_.store.processes(), SizeIs(600));
  world_.scheduler.Advance(absl::Minutes(61));
  world_.Turn();
  EXPECT_THAT(world_.store.processes(), IsEmpty());
}

TEST_F(SessionTest, OfTwoThatAreKeptByOneNameTheFirstHasIt) {
  std::vector<std::string> ids;
  for (int i = 0; i < 2; ++i) {
    const SessionEntry session = world_.OpenSession(absl::Seconds(15), absl::StrCat("o", i));
    SpawnCommand command = InSession(session, "p", absl::StrCat("r", i));
    auto spec = std::make_shared<Spec>(*command.items[0].spec);
    spec->keep_descendants = true;
    command.items[0].spec = spec;
    ids.push_back(world_.Run(command));
    world_.shims.Exited(ids.back(), 0);
    CloseSessionCommand close{PermitOf(), session.id, session.token};
    close.keep_descendants = true;
    world_.supervisor->CloseSession(close, [](const absl::StatusOr<SessionEnd>&) {});
    world_.Turn();
  }
  EXPECT_TRUE(world_.Terminate(EndOf(Term(ids[1])))->status.ok());
  EXPECT_NE(world_.shims.SlotOf(ids[1]).agent.terminate_serial, 0u);
  EXPECT_EQ(world_.shims.SlotOf(ids[0]).agent.terminate_serial, 0u);
  auto clash = world_.Spawn(Detached("p", "r9"));
  world_.Turn();
  EXPECT_EQ(clash->statuses[0].code(), absl::StatusCode::kAlreadyExists);
}

TEST_F(SessionTest, AnEmptySessionClosesAtOnce) {
  SessionEntry session = world_.OpenSession();
  EXPECT_EQ(Close(session, true)->calls, 1);
  EXPECT_THAT(world_.store.sessions(), IsEmpty());
}

TEST_F(SessionTest, ASpawnIntoWhatIsOverIsRefused) {
  SessionEntry session = world_.OpenSession();
  Close(session, true);
  auto reply = world_.Spawn(InSession(session, "p"));
  world_.Turn();
  EXPECT_EQ(reply->statuses[0].code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(reply->statuses[0].message(), HasSubstr("SESSION_EXPIRED"));
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
