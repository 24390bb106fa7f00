// The close of a session: what it ends, what it keeps, what it forgets.
#include <csignal>

#include "tests/unit/core/session_fixture.h"

namespace shoal::agent {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST_F(SessionTest, CloseEndsAndForgets) {
  SessionEntry session = world_.OpenSession();
  std::string running = world_.Run(InSession(session, "a", "r1"));
  std::string ended = world_.Run(InSession(session, "b", "r2"));
  for (const std::string& id : {running, ended}) world_.shims.Write(id, record::kStdout, 5);
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

}  // namespace
}  // namespace shoal::agent
