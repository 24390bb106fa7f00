// Work on many processes in slices: nothing of it is lost, doubled or half done, and others have their
// turns in between.
#include "agent/core/slices.h"

#include "tests/unit/core/supervisor_fixture.h"

namespace shoal::agent {
namespace {

using ::testing::Each;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr int kMany = 100;

class SlicesTest : public SupervisorTest {
 protected:
  // Each look at the clock takes 1 ms: a slice ends after the second piece of work.
  void CutWork() { world_.clock.SetTick(absl::Milliseconds(1)); }
  void CutNothing() { world_.clock.SetTick(absl::ZeroDuration()); }
  // Until the reply is there, or nothing happens any more.
  template <typename Reply>
  int TurnsUntil(const Reply& reply) {
    int turns = 0;
    while (reply->calls == 0 && turns < 10 * kMany) {
      world_.supervisor->FinishTurn();
      world_.scheduler.RunDue();
      world_.shims.StartAll();
      ++turns;
    }
    return turns;
  }
  std::shared_ptr<SpawnReply> RunMany() {
    auto reply = world_.Spawn(Ranks("job", kMany));
    TurnsUntil(reply);
    EXPECT_EQ(reply->calls, 1);
    return reply;
  }
};

TEST_F(SlicesTest, ASelectionLetsOthersHaveTheirTurns) {
  RunMany();
  CutWork();
  int found = -1;
  world_.supervisor->Select(PermitOf(), All(), nullptr,
                            [&found](absl::StatusOr<std::vector<const ProcessEntry*>> selected) {
                              found = static_cast<int>(selected->size());
                            });
  EXPECT_EQ(found, -1) << "not in the first slice";
  CutNothing();
  world_.Turn();
  EXPECT_EQ(found, kMany);
}

TEST_F(SlicesTest, ASelectionEndsWhenTheCallerHasGone) {
  RunMany();
  CutWork();
  const size_t timers = world_.scheduler.size();
  bool is_wanted = true;
  bool is_called = false;
  world_.supervisor->Select(
      PermitOf(), All(), [&is_wanted] { return is_wanted; },
      [&is_called](absl::StatusOr<std::vector<const ProcessEntry*>>) { is_called = true; });
  is_wanted = false;
  CutNothing();
  world_.Turn();
  EXPECT_FALSE(is_called);
  EXPECT_EQ(world_.scheduler.size(), timers) << "nothing of it is left";
}

TEST_F(SlicesTest, WhatIsDeletedBetweenTwoSlicesIsNotSelected) {
  auto reply = RunMany();
  for (const std::string& id : reply->ids) world_.shims.End(id, 0);
  world_.Turn();
  CutWork();
  int found = -1;
  world_.supervisor->Select(PermitOf(), All(), nullptr,
                            [&found](absl::StatusOr<std::vector<const ProcessEntry*>> selected) {
                              found = static_cast<int>(selected->size());
                            });
  CutNothing();
  world_.supervisor->FinishTurn();
  DeleteCommand command{{PermitOf()}};
  command.request_id = "delete";
  command.selector = Term("job.7");
  world_.supervisor->Delete(std::move(command), [](const auto&) {});
  world_.Turn();
  EXPECT_EQ(found, kMany - 1);
}

TEST_F(SlicesTest, ABatchThatIsAdmittedInSlicesAnswersForEachOnce) {
  CutWork();
  auto reply = world_.Spawn(Ranks("job", kMany));
  EXPECT_THAT(world_.shims.starts(), IsEmpty());
  EXPECT_GT(TurnsUntil(reply), kMany / 4) << "in many turns";
  ASSERT_EQ(reply->calls, 1);
  EXPECT_THAT(reply->ids, SizeIs(kMany));
  EXPECT_THAT(reply->statuses, Each(absl::OkStatus()));
  EXPECT_THAT(world_.shims.starts(), SizeIs(kMany));
}

TEST_F(SlicesTest, ARepeatWhileABatchIsAdmittedWaitsForIt) {
  CutWork();
  auto first = world_.Spawn(Ranks("job", kMany));
  auto again = world_.Spawn(Ranks("job", kMany));
  TurnsUntil(first);
  TurnsUntil(again);
  EXPECT_EQ(again->ids, first->ids);
  EXPECT_TRUE(again->replayed);
  EXPECT_THAT(world_.shims.starts(), SizeIs(kMany));
}

TEST_F(SlicesTest, ABatchOfWhichANameIsTakenMeanwhileStartsNothing) {
  CutWork();
  auto batch = world_.Spawn(Ranks("job", kMany));
  while (world_.store.processes().size() < kMany / 2) {  // checked, and admitted in part
    world_.supervisor->FinishTurn();
    world_.scheduler.RunDue();
  }
  EXPECT_THAT(world_.shims.starts(), IsEmpty());
  auto one = world_.Spawn(Detached("job.99", "r2"));
  TurnsUntil(batch);
  ASSERT_EQ(batch->calls, 1);
  EXPECT_EQ(batch->statuses[0].code(), absl::StatusCode::kAlreadyExists);
  TurnsUntil(one);
  EXPECT_TRUE(one->statuses.at(0).ok());
  EXPECT_THAT(world_.shims.starts(), SizeIs(1));
  EXPECT_THAT(world_.store.processes(), SizeIs(1));
}

TEST_F(SlicesTest, AFailedCommitOfALaterSliceUndoesTheBatch) {
  CutWork();
  auto reply = world_.Spawn(Ranks("job", kMany));
  while (world_.store.processes().size() < kMany / 2) {
    world_.supervisor->FinishTurn();
    world_.scheduler.RunDue();
  }
  world_.store.FailNext(absl::ResourceExhaustedError("disk full"));
  TurnsUntil(reply);
  ASSERT_EQ(reply->calls, 1);
  EXPECT_EQ(reply->statuses[0].code(), absl::StatusCode::kResourceExhausted);
  CutNothing();
  world_.scheduler.Advance(absl::Seconds(5));
  EXPECT_THAT(world_.store.processes(), IsEmpty());
  EXPECT_THAT(world_.shims.starts(), IsEmpty());
  RunMany();
  EXPECT_THAT(world_.shims.starts(), SizeIs(kMany)) << "a repeat is carried out";
}

TEST_F(SlicesTest, ABatchWhoseAgentIsKilledBetweenTwoSlicesIsStartedByItsRepeat) {
  CutWork();
  world_.Spawn(Ranks("job", kMany));
  while (world_.store.processes().size() < kMany / 2) {
    world_.supervisor->FinishTurn();
    world_.scheduler.RunDue();
  }
  CutNothing();
  world_.Restart();
  auto again = RunMany();
  EXPECT_THAT(again->statuses, Each(absl::OkStatus()));
  EXPECT_THAT(world_.shims.starts(), SizeIs(kMany));
}

TEST_F(SlicesTest, BulkCallsInSlicesAnswerForEach) {
  auto reply = RunMany();
  CutWork();
  auto updated = std::make_shared<BulkReply>();
  UpdateCommand update{{PermitOf()}};
  update.request_id = "update";
  update.selector = All();
  update.set_labels = {{"seen", "yes"}};
  world_.supervisor->Update(std::move(update), [updated](const auto& outcomes) {
    ++updated->calls;
    EXPECT_THAT(*outcomes, SizeIs(kMany));
  });
  EXPECT_GT(TurnsUntil(updated), 4);
  EXPECT_EQ(world_.Get(reply->ids[kMany - 1]).labels.at("seen"), "yes");

  auto ended = std::make_shared<BulkReply>();
  world_.supervisor->Terminate(EndOf(All()), [ended](const auto& outcomes) {
    ++ended->calls;
    EXPECT_THAT(*outcomes, SizeIs(kMany));
  });
  for (int i = 0; i < kMany; ++i) world_.Turn();
  EXPECT_EQ(ended->calls, 0);
  for (const std::string& id : reply->ids) world_.shims.End(id, 0);
  TurnsUntil(ended);
  EXPECT_EQ(ended->calls, 1);

  auto deleted = std::make_shared<BulkReply>();
  DeleteCommand deletion{{PermitOf()}};
  deletion.request_id = "delete";
  deletion.selector = All();
  world_.supervisor->Delete(std::move(deletion), [deleted](const auto& outcomes) {
    ++deleted->calls;
    EXPECT_THAT(*outcomes, SizeIs(kMany));
    for (const Outcome& outcome : *outcomes) EXPECT_NE(outcome.process, nullptr);
  });
  EXPECT_GT(TurnsUntil(deleted), 4);
  EXPECT_THAT(world_.store.processes(), IsEmpty());
}

TEST_F(SlicesTest, AWaitForManyIsBegunInSlicesAndMissesNoEnd) {
  const std::vector<std::string> ids = RunMany()->ids;
  CutWork();
  auto wait = world_.Wait(All(), Until::kExited);
  int turns = 0;
  for (const std::string& id : ids) {
    world_.shims.End(id, 0);
    world_.Turn();
    turns += wait->calls == 0;
  }
  EXPECT_GE(turns, kMany - 1) << "not before the last";
  TurnsUntil(wait);
  ASSERT_EQ(wait->calls, 1);
  EXPECT_THAT(wait->ids, SizeIs(kMany));
  EXPECT_FALSE(wait->timed_out);
}

TEST_F(SlicesTest, AWaitForManyLetsOthersHaveTheirTurns) {
  const std::vector<std::string> ids = RunMany()->ids;
  for (const std::string& id : ids) world_.shims.End(id, 0);
  world_.Turn();
  // Each look at the clock is a slice: a process more than fits into one takes another.
  world_.clock.SetTick(Slices::kSlice);
  auto few = world_.Wait(Term("job.7"), Until::kExited);
  const int turns_of_few = TurnsUntil(few);
  auto many = world_.Wait(All(), Until::kExited);
  // Twice over all: to find them, and to see what has come.
  EXPECT_GE(TurnsUntil(many), turns_of_few + 2 * (kMany / 16) - 2);
  EXPECT_THAT(many->ids, SizeIs(kMany));
}

TEST_F(SlicesTest, AWaitWhoseTimePassesBeforeAllWereLookedAtIsSatisfiedByWhatHasCome) {
  const std::vector<std::string> ids = RunMany()->ids;
  for (const std::string& id : ids) world_.shims.End(id, 0);
  world_.Turn();
  CutWork();
  auto wait = world_.Wait(All(), Until::kExited, /*any=*/false, absl::ZeroDuration());
  TurnsUntil(wait);
  ASSERT_EQ(wait->calls, 1);
  EXPECT_FALSE(wait->timed_out);
}

TEST_F(SlicesTest, AWaitWhoseTimePassesBeforeAllWereLookedAtIsLateOtherwise) {
  RunMany();
  CutWork();
  auto wait = world_.Wait(All(), Until::kExited, /*any=*/false, absl::ZeroDuration());
  TurnsUntil(wait);
  ASSERT_EQ(wait->calls, 1);
  EXPECT_TRUE(wait->timed_out);
  EXPECT_THAT(wait->ids, SizeIs(kMany));
}

TEST_F(SlicesTest, OfAWaitThatIsCancelledWhileItIsBegunOrForgottenNothingIsLeft) {
  const std::vector<std::string> ids = RunMany()->ids;
  world_.scheduler.Advance(absl::Seconds(1));  // no timer of the starts is left
  for (int turns = 0; turns < 20; ++turns) {
    const size_t timers = world_.scheduler.size();
    CutWork();
    bool is_called = false;
    auto ticket = std::make_shared<WaitTicket>();
    world_.supervisor->Wait(
        PermitOf(), All(), Until::kExited, /*any=*/false, absl::Hours(1), ticket,
        [&is_called](absl::StatusOr<SharedProcesses>, bool) { is_called = true; });
    for (int i = 0; i < turns; ++i) world_.Turn();
    world_.supervisor->CancelWait(ticket.get());
    CutNothing();
    world_.Turn();
    EXPECT_EQ(world_.scheduler.size(), timers);
    world_.shims.End(ids[static_cast<size_t>(turns)], 0);
    world_.Turn();
    EXPECT_FALSE(is_called);
  }
}

TEST_F(SlicesTest, AProcessHasNoMoreLabelsThanItMayHaveHoweverManyUpdates) {
  const std::string id = world_.Run(Detached("web"));
  for (int round = 0; round < 3; ++round) {
    UpdateCommand update{{PermitOf()}};
    update.selector = Term("web");
    for (int i = 0; i < 64; ++i) update.set_labels[absl::StrCat("r", round, "-", i)] = "x";
    const absl::Status status = world_.Update(std::move(update))->outcomes.at(0).second;
    EXPECT_EQ(status.ok(), round == 0) << status;
    if (round > 0) {
      EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    }
  }
  EXPECT_THAT(world_.Get(id).labels, SizeIs(64));
}

}  // namespace
}  // namespace shoal::agent
