// What callers write to the input of processes: kept in its place once, whatever is sent again.
#include "tests/unit/core/supervisor_fixture.h"

namespace shoal::agent {
namespace {

constexpr int64_t kWindow = 16;

SpawnCommand WithInput(const std::string& name, int64_t window = kWindow) {
  SpawnCommand command = Detached(name);
  auto spec = std::make_shared<Spec>(*command.items[0].spec);
  spec->input_window = window;
  command.items[0].spec = spec;
  return command;
}

WriteInputCommand Bytes(int64_t offset, std::string data, bool end = false) {
  WriteInputCommand command{PermitOf(kOwner, Verb::kWriteInput)};
  command.selector = "web";
  command.offset = offset;
  command.data = std::move(data);
  command.end = end;
  command.writer = "one";
  return command;
}

WriteInputCommand Waiting(InputUntil until, WriteInputCommand command) {
  command.until = until;
  return command;
}

class InputTest : public SupervisorTest {
 protected:
  void Start(int64_t window = kWindow) { id_ = world_.Run(WithInput("web", window)); }
  const record::AgentHalf& half() { return world_.shims.SlotOf(id_).agent; }
  const InputState& input() { return world_.Get(id_).input; }
  // The terminal has no end of input in its mode; or the shim has seen that none is wanted any more.
  void RefuseEnd(bool refused) {
    EXPECT_EQ((half().flags & record::kInputEnded) != 0, refused);
    uint32_t& flags = world_.shims.SlotOf(id_).shim.flags;
    flags = refused ? flags | record::kInputEndRefused
                    : flags & ~static_cast<uint32_t>(record::kInputEndRefused);
    world_.shims.Take(id_, 0);
    world_.Turn();
  }

  std::string id_;
};

TEST_F(InputTest, BytesGoToTheRingFirstAndToTheRecordThen) {
  Start();
  EXPECT_EQ(half().input_window, kWindow);
  auto reply = world_.WriteInput(Bytes(0, "hello"));
  EXPECT_EQ(reply->calls, 1);
  EXPECT_TRUE(reply->status.ok()) << reply->status;
  EXPECT_EQ(reply->input.kept, 5);
  EXPECT_EQ(half().input_end, 5);
  EXPECT_EQ(world_.inputs.Read(id_, 0, 5), "hello");
}

TEST_F(InputTest, AHoldIsOverWithTheProgramThatHasIt) {
  Start();
  Caller caller{CallerKind::kUnixUser, kOwner, Evidence::kPeerCredentials};
  caller.peer =
      std::make_shared<const SocketPeer>(SocketPeer{.pid = 7, .start_ticks = 1, .process_ids = {}});
  WriteInputCommand holding{*Authorize(caller, Verb::kWriteInput, Target::Host())};
  holding.selector = "web";
  holding.writer = "attached";
  holding.hold = absl::Minutes(1);
  EXPECT_TRUE(world_.WriteInput(holding)->status.ok());
  const auto refused = world_.WriteInput(Bytes(0, "hello"));
  EXPECT_THAT(std::string(refused->status.message()),
              ::testing::HasSubstr(
                  " is held by another writer, of uid:1000, with PID 7; it may be stolen"));
  world_.peers.gone = {7};
  const auto taken = world_.WriteInput(Bytes(0, "hello"));
  EXPECT_TRUE(taken->status.ok()) << taken->status;
}

TEST_F(InputTest, AHoldFromElsewhereIsOverInItsTime) {
  Start();
  WriteInputCommand holding = Bytes(0, "");
  holding.writer = "attached";
  holding.hold = absl::Seconds(40);
  EXPECT_TRUE(world_.WriteInput(holding)->status.ok());
  const auto refused = world_.WriteInput(Bytes(0, "hello"));
  EXPECT_THAT(std::string(refused->status.message()),
              ::testing::HasSubstr(", for up to 40 s more if that has gone; it may be stolen"));
  world_.scheduler.Advance(absl::Seconds(41));
  EXPECT_TRUE(world_.WriteInput(Bytes(0, "hello"))->status.ok());
}

TEST_F(InputTest, WhatIsSentAgainIsPassedOver) {
  Start();
  world_.WriteInput(Bytes(0, "hello"));
  auto repeat = world_.WriteInput(Bytes(0, "hello"));
  EXPECT_TRUE(repeat->status.ok()) << repeat->status;
  auto longer = world_.WriteInput(Bytes(3, "lo all"));
  EXPECT_TRUE(longer->status.ok()) << longer->status;
  EXPECT_EQ(longer->input.kept, 9);
  EXPECT_EQ(world_.inputs.Read(id_, 0, 9), "hello all");
  EXPECT_EQ(world_.inputs.writes, 2);
}

TEST_F(InputTest, AnOffsetBehindWhatIsKeptWouldLeaveBytesOut) {
  Start();
  auto reply = world_.WriteInput(Bytes(3, "lo"));
  EXPECT_EQ(reply->status.code(), absl::StatusCode::kOutOfRange);
  EXPECT_THAT(std::string(reply->status.message()),
              ::testing::HasSubstr("is kept up to 0: offset 3 would leave bytes out"));
}

TEST_F(InputTest, MoreThanTheWindowWaitsForWhatIsFed) {
  Start();
  auto reply = world_.WriteInput(Bytes(0, "0123456789abcdefGHIJ"));
  EXPECT_EQ(reply->calls, 0);
  EXPECT_EQ(input().kept, kWindow);
  world_.shims.Feed(id_, 2);
  world_.Turn();
  EXPECT_EQ(reply->calls, 0);
  EXPECT_EQ(input().kept, kWindow + 2);
  EXPECT_EQ(world_.inputs.Read(id_, 2, 18), "23456789abcdefGH");
  world_.shims.Feed(id_);
  world_.Turn();
  EXPECT_EQ(reply->calls, 1);
  EXPECT_EQ(reply->input.kept, 20);
  EXPECT_EQ(world_.inputs.Read(id_, 18, 20), "IJ");
}

TEST_F(InputTest, AtTheTimeoutItTellsWhereToGoOn) {
  Start();
  WriteInputCommand command = Bytes(0, "0123456789abcdefGHIJ");
  command.timeout = absl::Seconds(1);
  auto reply = world_.WriteInput(std::move(command));
  world_.scheduler.Advance(absl::Seconds(2));
  EXPECT_EQ(reply->calls, 1);
  EXPECT_TRUE(reply->timed_out);
  EXPECT_EQ(reply->input.kept, kWindow);
  auto rest = world_.WriteInput(Bytes(kWindow, "GHIJ"));
  world_.shims.Feed(id_);
  world_.Turn();
  EXPECT_EQ(rest->input.kept, 20);
}

TEST_F(InputTest, CallsOfOneProcessAreKeptInTheirOrder) {
  Start();
  auto first = world_.WriteInput(Bytes(0, "0123456789abcdefGH"));
  auto second = world_.WriteInput(Bytes(18, "IJ", /*end=*/true));
  EXPECT_EQ(second->calls, 0);
  world_.shims.Feed(id_);
  world_.Turn();
  EXPECT_EQ(first->calls, 1);
  EXPECT_EQ(second->calls, 1);
  EXPECT_TRUE(second->input.ended);
  EXPECT_NE(half().flags & record::kInputEnded, 0u);
  EXPECT_EQ(half().input_end, 20);
}

TEST_F(InputTest, OneThatIsGivenUpMakesWayForTheNext) {
  Start();
  auto ticket = std::make_shared<InputTicket>();
  auto given_up = world_.WriteInput(Bytes(0, "0123456789abcdefGH"), ticket);
  world_.supervisor->CancelInput(ticket.get());
  auto next = world_.WriteInput(Bytes(kWindow, "IJ"));
  world_.shims.Feed(id_);
  world_.Turn();
  EXPECT_EQ(given_up->calls, 0);
  EXPECT_EQ(next->calls, 1);
  EXPECT_EQ(world_.inputs.Read(id_, kWindow, kWindow + 2), "IJ");
}

// Each of them is asked for: an answer to one is not taken for that to the next.
TEST_F(InputTest, AnEndBehindARefusedOneIsAskedForWhenTheShimHasSeenThatThatIsOver) {
  SpawnCommand command = WithInput("web");
  auto spec = std::make_shared<Spec>(*command.items[0].spec);
  spec->terminal_rows = 24;
  spec->terminal_columns = 80;
  command.items[0].spec = spec;
  id_ = world_.Run(std::move(command));
  auto first = world_.WriteInput(Bytes(0, "", /*end=*/true));
  EXPECT_EQ(first->calls, 0);
  RefuseEnd(true);
  EXPECT_EQ(first->status.code(), absl::StatusCode::kFailedPrecondition);
  auto second = world_.WriteInput(Bytes(0, "", /*end=*/true));
  EXPECT_EQ(second->calls, 0);
  EXPECT_EQ(half().flags & record::kInputEnded, 0u);
  RefuseEnd(false);
  EXPECT_NE(half().flags & record::kInputEnded, 0u);
  RefuseEnd(true);
  EXPECT_EQ(second->calls, 1);
  EXPECT_EQ(second->status.code(), absl::StatusCode::kFailedPrecondition);
  RefuseEnd(false);
  auto third = world_.WriteInput(Bytes(0, "x", /*end=*/true));
  world_.Turn();
  world_.shims.Feed(id_);
  world_.Turn();
  EXPECT_EQ(third->calls, 1);
  EXPECT_TRUE(third->status.ok()) << third->status;
}

TEST_F(InputTest, TheEndStandsAtItsOffset) {
  Start();
  world_.WriteInput(Bytes(0, "hello", /*end=*/true));
  EXPECT_TRUE(world_.WriteInput(Bytes(5, "", /*end=*/true))->status.ok());
  EXPECT_TRUE(world_.WriteInput(Bytes(0, "hello", /*end=*/true))->status.ok());
  EXPECT_EQ(world_.WriteInput(Bytes(3, "", /*end=*/true))->status.code(),
            absl::StatusCode::kOutOfRange);
  auto more = world_.WriteInput(Bytes(5, "more"));
  EXPECT_EQ(more->status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(more->status.message()), ::testing::HasSubstr("it has ended, at 5"));
}

TEST_F(InputTest, BytesOfAnotherWriterAreNoRepeat) {
  Start();
  world_.WriteInput(Bytes(0, "hello"));
  WriteInputCommand other = Bytes(0, "other");
  other.writer = "two";
  auto refused = world_.WriteInput(other);
  EXPECT_EQ(refused->status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused->status.message()),
              ::testing::HasSubstr("another writer has written to it meanwhile"));
  other.offset = 5;
  EXPECT_TRUE(world_.WriteInput(other)->status.ok());
  // The first one's are not the second one's to repeat, nor the other way round.
  other.offset = 4;
  EXPECT_FALSE(world_.WriteInput(other)->status.ok());
  EXPECT_FALSE(world_.WriteInput(Bytes(5, "other"))->status.ok());
}

TEST_F(InputTest, FedAndTakenAreWaitedFor) {
  Start();
  auto fed = world_.WriteInput(Waiting(InputUntil::kFed, Bytes(0, "hello")));
  auto taken = world_.WriteInput(Waiting(InputUntil::kTaken, Bytes(0, "hello")));
  EXPECT_EQ(fed->calls, 0);
  EXPECT_NE(half().flags & record::kWatchInput, 0u);
  world_.shims.Feed(id_);
  world_.Turn();
  EXPECT_EQ(fed->calls, 1);
  EXPECT_EQ(taken->calls, 0);
  world_.shims.Take(id_, 4);
  world_.Turn();
  EXPECT_EQ(taken->calls, 0);
  world_.shims.Take(id_);
  world_.Turn();
  EXPECT_EQ(taken->calls, 1);
  EXPECT_EQ(half().flags & record::kWatchInput, 0u) << "the shim looks no longer than it is asked";
}

TEST_F(InputTest, AProcessThatClosesItsInputRefusesWhatComes) {
  Start();
  auto waits = world_.WriteInput(Waiting(InputUntil::kTaken, Bytes(0, "hello")));
  auto blocked = world_.WriteInput(Bytes(5, "0123456789abcdef"));
  world_.shims.Feed(id_);
  world_.shims.Take(id_, 3);
  world_.shims.CloseInput(id_);
  world_.Turn();
  EXPECT_EQ(waits->status.code(), absl::StatusCode::kFailedPrecondition);
  auto later = world_.WriteInput(Bytes(input().kept, "x"));
  EXPECT_EQ(later->status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(later->status.message()),
              ::testing::HasSubstr("has closed its input: of"));
  EXPECT_THAT(std::string(later->status.message()), ::testing::HasSubstr("it has taken 3"));
}

TEST_F(InputTest, TheEndOfTheProcessAnswersWhatWaits) {
  Start();
  auto blocked = world_.WriteInput(Bytes(0, "0123456789abcdefGHIJ"));
  world_.shims.End(id_, 0);
  world_.Turn();
  EXPECT_EQ(blocked->status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(blocked->status.message()), ::testing::HasSubstr("has ended"));
  EXPECT_TRUE(world_.inputs.forgotten.contains(id_));
  EXPECT_FALSE(world_.WriteInput(Bytes(16, "x"))->status.ok());
  world_.Restart();
  EXPECT_FALSE(world_.WriteInput(Bytes(16, "x"))->status.ok());
  EXPECT_EQ(world_.Get(id_).input.kept, 16);
}

TEST_F(InputTest, WhatIsWrittenBeforeTheStartWaitsForIt) {
  auto spawned = world_.Spawn(WithInput("web"));
  world_.Turn();
  auto early = world_.WriteInput(Bytes(0, "hello", /*end=*/true));
  EXPECT_EQ(early->calls, 0);
  EXPECT_EQ(world_.inputs.writes, 0) << "its shim may not have made the ring yet";
  world_.shims.StartAll();
  world_.Turn();
  EXPECT_EQ(early->calls, 1);
  EXPECT_TRUE(early->input.ended);
}

TEST_F(InputTest, AnAgentThatIsKilledHasKeptWhatTheRecordSays) {
  Start();
  world_.WriteInput(Bytes(0, "hello"));
  world_.Kill();
  world_.Start();
  EXPECT_EQ(input().kept, 5);
  auto repeat = world_.WriteInput(Bytes(3, "lo all", /*end=*/true));
  EXPECT_TRUE(repeat->status.ok()) << repeat->status;
  EXPECT_EQ(half().input_end, 9);
  WriteInputCommand other = Bytes(0, "hello");
  other.writer = "two";
  EXPECT_FALSE(world_.WriteInput(other)->status.ok());
}

TEST_F(InputTest, BytesThatCannotBeWrittenAreNotKept) {
  Start();
  world_.inputs.next = absl::UnavailableError("write the ring: Input/output error");
  auto failed = world_.WriteInput(Bytes(0, "hello"));
  EXPECT_EQ(failed->status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(half().input_end, 0);
  world_.inputs.next = absl::OkStatus();
  EXPECT_EQ(world_.WriteInput(Bytes(0, "hello"))->input.kept, 5);
}

TEST_F(InputTest, IsForTheOwnerAlone) {
  Start();
  WriteInputCommand command = Bytes(0, "x");
  command.permit = PermitOf("uid:2000", Verb::kWriteInput);
  EXPECT_EQ(world_.WriteInput(command)->status.code(), absl::StatusCode::kPermissionDenied);
}

TEST_F(InputTest, AProcessWithoutOneSaysSo) {
  world_.Run(Detached("web"));
  auto refused = world_.WriteInput(Bytes(0, "x"));
  EXPECT_EQ(refused->status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused->status.message()), ::testing::HasSubstr("has no input"));
}

TEST_F(InputTest, AQuestionIsAnsweredAtOnce) {
  Start();
  auto blocked = world_.WriteInput(Bytes(0, "0123456789abcdefGHIJ"));
  auto asked = world_.WriteInput(Bytes(0, ""));
  EXPECT_EQ(asked->calls, 1);
  EXPECT_EQ(asked->input.kept, kWindow);
  EXPECT_EQ(blocked->calls, 0);
}

}  // namespace
}  // namespace shoal::agent
