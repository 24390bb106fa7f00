// Sessions that are given to another client of their owner.
#include "tests/unit/core/session_fixture.h"

namespace shoal::agent {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

Caller Program(int pid, const std::vector<std::string>& process_ids = {},
               const std::string& name = kOwner) {
  Caller caller{CallerKind::kUnixUser, name, Evidence::kPeerCredentials};
  caller.peer = std::make_shared<const SocketPeer>(
      SocketPeer{.pid = pid, .start_ticks = 1, .process_ids = process_ids});
  return caller;
}

class TakeoverTest : public SessionTest {
 protected:
  using Reply = absl::StatusOr<SessionEntry>;

  // Its answer comes with the next turn.
  std::shared_ptr<Reply> Ask(const SessionEntry& session, const std::string& request_id,
                             std::optional<absl::Duration> unrenewed_for = std::nullopt,
                             const Caller& caller = Program(1)) {
    TakeoverCommand command{{*Authorize(caller, Verb::kTakeover, Target::Host())}};
    command.request_id = request_id;
    command.session_id = session.id;
    command.unrenewed_for = unrenewed_for;
    auto reply = std::make_shared<Reply>(absl::UnknownError("not answered"));
    world_.supervisor->TakeOverSession(std::move(command),
                                       [reply](absl::StatusOr<const SessionEntry*> taken) {
                                         if (!taken.ok()) *reply = taken.status();
                                         if (taken.ok()) *reply = **taken;
                                       });
    return reply;
  }
  Reply TakeOver(const SessionEntry& session, const std::string& request_id,
                 std::optional<absl::Duration> unrenewed_for = std::nullopt,
                 const Caller& caller = Program(1)) {
    const auto reply = Ask(session, request_id, unrenewed_for, caller);
    world_.Turn();
    return *reply;
  }
  absl::Status SpawnIn(const SessionEntry& session, const std::string& token) {
    SpawnCommand command = InSession(session, "p", world_.NextRequestId());
    command.session_token = token;
    auto reply = world_.Spawn(std::move(command));
    world_.Turn();
    if (!world_.shims.starts().empty()) world_.shims.StartAll();
    world_.Turn();
    return reply->statuses.empty() ? absl::UnknownError("not answered") : reply->statuses[0];
  }
  void ExpectFenced(const SessionEntry& old) {
    for (const absl::Status& refused :
         {KeepAlive(old), Close(old, false)->status, SpawnIn(old, old.token), SpawnIn(old, "")}) {
      EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition) << refused;
      EXPECT_TRUE(HasReason(refused, kReasonFenced)) << refused;
      EXPECT_THAT(refused.message(), AllOf(HasSubstr(old.id.substr(0, 6)),
                                           HasSubstr("was taken over by uid:1000 at ")));
    }
  }
};

TEST_F(TakeoverTest, TheNewTokenCountsAndTheOldIsFencedAlsoAfterARestart) {
  const SessionEntry old = world_.OpenSession();
  EXPECT_TRUE(SpawnIn(old, old.token).ok()) << "a token may be shown before, too";
  const Reply taken = TakeOver(old, "t");
  ASSERT_TRUE(taken.ok()) << taken.status();
  EXPECT_EQ(taken->id, old.id);
  EXPECT_NE(taken->token, old.token);
  for (const bool restarted : {false, true}) {
    if (restarted) world_.Restart();
    ExpectFenced(old);
    EXPECT_TRUE(KeepAlive(*taken).ok());
    SessionEntry guess = *taken;
    guess.token = "guess";
    EXPECT_EQ(KeepAlive(guess).code(), absl::StatusCode::kPermissionDenied);
    EXPECT_EQ(SpawnIn(*taken, "guess").code(), absl::StatusCode::kPermissionDenied);
  }
  EXPECT_THAT(SpawnIn(*taken, taken->token).message(), HasSubstr("name"))
      << "held by the first one";
  EXPECT_EQ(world_.supervisor->live_processes(), 1);
  EXPECT_TRUE(Close(*taken, false, absl::ZeroDuration())->status.ok());
}

TEST_F(TakeoverTest, TheLeaseHasItsFullTtlAndTheNewClientKeepsTheProcesses) {
  const SessionEntry old = world_.OpenSession();
  const std::string id = world_.Run(InSession(old, "p"));
  world_.scheduler.Advance(absl::Seconds(14));
  const Reply taken = TakeOver(old, "t");
  ASSERT_TRUE(taken.ok());
  world_.scheduler.Advance(absl::Seconds(14));
  EXPECT_EQ(world_.Get(id).state, State::kRunning);
  EXPECT_TRUE(KeepAlive(*taken).ok());
  world_.scheduler.Advance(absl::Seconds(14));
  EXPECT_EQ(world_.Get(id).state, State::kRunning);
  world_.scheduler.Advance(absl::Seconds(1));
  EXPECT_EQ(world_.Get(id).state, State::kStopping);
}

TEST_F(TakeoverTest, ARepeatIsAnsweredWithItsTokenUntilThereIsAnotherOne) {
  const SessionEntry old = world_.OpenSession();
  const Reply first = TakeOver(old, "t1");
  ASSERT_TRUE(first.ok());
  for (const bool restarted : {false, true}) {
    if (restarted) world_.Restart();
    const Reply repeat = TakeOver(old, "t1");
    ASSERT_TRUE(repeat.ok()) << repeat.status();
    EXPECT_EQ(repeat->token, first->token);
  }
  const Reply second = TakeOver(old, "t2");
  ASSERT_TRUE(second.ok());
  EXPECT_NE(second->token, first->token);
  for (const bool restarted : {false, true}) {
    if (restarted) world_.Restart();
    const absl::Status repeat = TakeOver(old, "t1").status();
    EXPECT_EQ(repeat.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_TRUE(HasReason(repeat, kReasonFenced)) << repeat;
    ExpectFenced(old);
    ExpectFenced(*first);
    EXPECT_TRUE(KeepAlive(*second).ok());
  }
}

TEST_F(TakeoverTest, OfTwoInOneTurnTheSecondFencesTheFirst) {
  const SessionEntry old = world_.OpenSession();
  const auto first = Ask(old, "t1");
  const auto second = Ask(old, "t2");
  const auto repeat = Ask(old, "t2");
  world_.Turn();
  ASSERT_TRUE(first->ok() && second->ok() && repeat->ok());
  EXPECT_EQ((*second)->token, (*repeat)->token);
  ExpectFenced(old);
  ExpectFenced(**first);
  EXPECT_TRUE(KeepAlive(**second).ok());
}

TEST_F(TakeoverTest, AFailedCommitTakesNothingOverAndTheRepeatDoes) {
  const SessionEntry old = world_.OpenSession();
  world_.store.FailNext(absl::ResourceExhaustedError("full"));
  EXPECT_EQ(TakeOver(old, "t").status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(KeepAlive(old).ok());
  EXPECT_TRUE(SpawnIn(old, "").ok());
  world_.scheduler.Advance(absl::Seconds(2));  // what was not saved is saved again
  world_.Restart();
  EXPECT_TRUE(KeepAlive(old).ok());
  const Reply taken = TakeOver(old, "t");
  ASSERT_TRUE(taken.ok()) << taken.status();
  ExpectFenced(old);
  EXPECT_TRUE(KeepAlive(*taken).ok());
}

TEST_F(TakeoverTest, AnotherOwnerMayNotAndRootMay) {
  const SessionEntry old = world_.OpenSession();
  const absl::Status foreign = TakeOver(old, "t", std::nullopt, Program(2, {}, "uid:2")).status();
  EXPECT_EQ(foreign.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(foreign.message(), HasSubstr("belongs to another identity"));
  EXPECT_TRUE(KeepAlive(old).ok());
  const Reply taken = TakeOver(old, "t", std::nullopt, Program(3, {}, "uid:0"));
  ASSERT_TRUE(taken.ok()) << taken.status();
  EXPECT_EQ(taken->owner, kOwner) << "it stays its owner's";
  EXPECT_THAT(KeepAlive(old).message(), HasSubstr("was taken over by uid:0 at "));
  EXPECT_TRUE(TakeOver(old, "t").ok()) << "request_ids are of each caller";
}

TEST_F(TakeoverTest, OneThatIsOverOrUnknownIsNotFound) {
  SessionEntry session = world_.OpenSession();
  world_.Run(InSession(session, "p"));
  Close(session, false, absl::ZeroDuration());
  EXPECT_EQ(TakeOver(session, "t1").status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(TakeOver(session, "t1").status().message(), HasSubstr("was closed"));
  EXPECT_TRUE(Close(session, false, absl::ZeroDuration())->status.ok()) << "its token counts";
  session.id = "NOSUCHSESSIONAAA";
  EXPECT_EQ(TakeOver(session, "t2").status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(world_.supervisor->Sessions(PermitOf()), IsEmpty());
}

TEST_F(TakeoverTest, OneThatIsRenewedIsInUseAndTheSameRequestMayBeRepeated) {
  const SessionEntry old = world_.OpenSession();
  world_.scheduler.Advance(absl::Seconds(9));
  const absl::Status refused = TakeOver(old, "t", absl::Seconds(10)).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(HasReason(refused, kReasonSessionInUse)) << refused;
  EXPECT_THAT(refused.message(), HasSubstr("renewed 9s ago"));
  EXPECT_TRUE(KeepAlive(old).ok());
  world_.scheduler.Advance(absl::Seconds(9));
  EXPECT_FALSE(TakeOver(old, "t", absl::Seconds(10)).ok());
  world_.scheduler.Advance(absl::Seconds(1));
  EXPECT_TRUE(TakeOver(old, "t", absl::Seconds(10)).ok());
  ExpectFenced(old);
}

TEST_F(TakeoverTest, OneOfAStoppedClientIsInUse) {
  OpenSessionCommand command{{*Authorize(Program(7), Verb::kOpenSession, Target::Host())}};
  command.request_id = "o";
  SessionEntry old;
  world_.supervisor->OpenSession(
      command, [&](absl::StatusOr<const SessionEntry*> session) { old = **session; });
  world_.Turn();
  world_.peers.stopped = {7};
  for (int i = 0; i < 60; ++i) {
    world_.scheduler.Advance(absl::Seconds(1));
    EXPECT_FALSE(TakeOver(old, "t", absl::Seconds(10)).ok()) << i;
  }
  world_.peers.stopped.clear();
  world_.scheduler.Advance(absl::Seconds(10));
  EXPECT_TRUE(TakeOver(old, "t", absl::Seconds(10)).ok());
}

// The process in whose tree the first client ran ends; then that of the second one does.
TEST_F(TakeoverTest, TheNewClientTakesThePlaceOfTheOpener) {
  const std::string first = world_.Run(Detached("first", "f"));
  const std::string second = world_.Run(Detached("second", "s"));
  const auto in_tree = [&](const std::string& id) {
    world_.shims.members[id] = {world_.Get(id).pid};
    return Program(world_.Get(id).pid, {id});
  };
  OpenSessionCommand command{{*Authorize(in_tree(first), Verb::kOpenSession, Target::Host())}};
  command.request_id = "o";
  SessionEntry old;
  world_.supervisor->OpenSession(
      command, [&](absl::StatusOr<const SessionEntry*> session) { old = **session; });
  world_.Turn();
  const Reply taken = TakeOver(old, "t", std::nullopt, in_tree(second));
  ASSERT_TRUE(taken.ok());
  world_.shims.End(first, 0);
  world_.Turn();
  EXPECT_TRUE(KeepAlive(*taken).ok());
  world_.Restart();
  EXPECT_TRUE(KeepAlive(*taken).ok());
  world_.shims.End(second, 0);
  world_.Turn();
  EXPECT_EQ(KeepAlive(*taken).code(), absl::StatusCode::kNotFound);
}

TEST_F(TakeoverTest, AHolderOfALongForgottenTokenIsRefusedAllTheSame) {
  const SessionEntry old = world_.OpenSession();
  SessionEntry last = old;
  for (size_t i = 0; i <= kMaxFencedTokens; ++i) {
    const Reply taken = TakeOver(old, absl::StrCat("t", i));
    ASSERT_TRUE(taken.ok());
    last = *taken;
  }
  EXPECT_EQ(KeepAlive(old).code(), absl::StatusCode::kPermissionDenied);
  EXPECT_TRUE(KeepAlive(last).ok());
  EXPECT_THAT(world_.store.sessions().at(old.id).fenced_tokens, Not(IsEmpty()));
}

}  // namespace
}  // namespace shoal::agent
