// Templates and forks that go wrong: refused, silent, lost one after the other, ended half-way.
#include <cerrno>

#include "tests/unit/core/fork_fixture.h"

namespace shoal::agent {
namespace {

using ::testing::HasSubstr;

class TemplateLossTest : public ForkTest {
 protected:
  std::string LastStart() { return world_.shims.starts().back().id; }
  // The template dies at a fork; the status that the caller of Spawn gets.
  absl::Status LoseOne(const std::string& request_id) {
    auto reply = Spawn(Forkserver("p", request_id));
    const std::string id = TemplateId();
    if (!world_.Get(id).start_time) Warm(id);
    const std::string forked = LastStart();
    world_.shims.Withdraw(id);
    world_.shims.RefuseFork(forked, broken_);
    world_.Turn();
    world_.shims.Signaled(id, 9);
    world_.shims.OutputComplete(id);
    world_.shims.Empty(id);
    world_.shims.Final(id);
    world_.Turn();
    world_.clock.Advance(absl::Seconds(1));
    return reply->statuses.at(0);
  }

  const ForkFailure broken_ = {
      .stage = "fork", .error_number = ECONNRESET, .text = "it closed its connection"};
};

TEST_F(TemplateLossTest, ATemplateWithASecondThreadIsReplacedAtTheNextUse) {
  const std::string id = WarmUp();
  auto reply = Spawn(Forkserver("second", "r2"));
  world_.shims.RefuseFork(LastStart(),
                          {.stage = "threads", .error_number = 0, .text = "it has 3 threads"});
  world_.Turn();
  EXPECT_THAT(std::string(reply->statuses.at(0).message()), HasSubstr("it has 3 threads"));
  EXPECT_EQ(world_.Get(id).state, State::kStopping);
  world_.clock.Advance(absl::Seconds(1));
  auto next = Spawn(Forkserver("third", "r3"));
  EXPECT_NE(TemplateId(), id);
  Warm(TemplateId());
  world_.shims.StartAll();
  world_.Turn();
  ASSERT_EQ(next->calls, 1);
  EXPECT_TRUE(next->statuses[0].ok()) << next->statuses[0];
}

TEST_F(TemplateLossTest, AProgramThatKnowsNothingOfTemplatesIsToldFromOneThatFailed) {
  auto reply = Spawn(Forkserver("web"));
  const std::string id = TemplateId();
  world_.shims.Started(id);
  world_.shims.End(id, 0);
  world_.Turn();
  ASSERT_EQ(reply->calls, 1);
  EXPECT_TRUE(absl::IsFailedPrecondition(reply->statuses[0]));
  EXPECT_THAT(std::string(reply->statuses[0].message()), HasSubstr("must call shoal::Init()"));
}

TEST_F(TemplateLossTest, ATemplateThatDoesNotAnswerIsEndedAfterHalfAMinute) {
  const std::string id = WarmUp();
  auto reply = Spawn(Forkserver("second", "r2"));
  PassTime(absl::Seconds(29));
  EXPECT_FALSE(world_.Get(id).termination.has_value());
  PassTime(absl::Seconds(2));
  ASSERT_TRUE(world_.Get(id).termination.has_value());
  EXPECT_THAT(world_.Get(id).termination->requested_by, HasSubstr("does not answer"));
  world_.shims.RefuseFork(LastStart(), broken_);
  world_.Turn();
  ASSERT_EQ(reply->calls, 1);
  EXPECT_TRUE(absl::IsUnavailable(reply->statuses[0])) << reply->statuses[0];
}

TEST_F(TemplateLossTest, OneThatAnswersNowAndThenIsLeftAlone) {
  const std::string id = WarmUp();
  for (int i = 0; i < 4; ++i) {
    Spawn(Forkserver(absl::StrCat("p", i), absl::StrCat("q", i)));
    PassTime(absl::Seconds(20));
    world_.shims.StartAll();
    world_.Turn();
  }
  EXPECT_FALSE(world_.Get(id).termination.has_value());
}

TEST_F(TemplateLossTest, TheThirdTemplateThatIsLostInARowIsNotWorthTryingAgain) {
  EXPECT_TRUE(absl::IsUnavailable(LoseOne("a")));
  EXPECT_TRUE(absl::IsUnavailable(LoseOne("b")));
  EXPECT_TRUE(absl::IsFailedPrecondition(LoseOne("c")));
  // One that forks is a new beginning.
  Spawn(Forkserver("good", "d"));
  Warm(TemplateId());
  world_.shims.StartAll();
  world_.Turn();
  EXPECT_TRUE(absl::IsUnavailable(LoseOne("e")));
}

TEST_F(TemplateLossTest, WhatWasForkedAndRefusedByItsShimHoldsItsNameUntilItsTreeIsEmpty) {
  WarmUp();
  auto reply = Spawn(Forkserver("web", "r2"));
  const std::string forked = LastStart();
  world_.shims.SlotOf(forked).shim.fail_stage = record::Stage::kSetup;
  world_.shims.SlotOf(forked).shim.fail_errno = ECANCELED;
  world_.shims.Set(forked, record::kAdopted | record::kStartFailed);
  world_.Turn();
  ASSERT_EQ(reply->calls, 1);
  EXPECT_EQ(world_.Get(forked).state, State::kFailedToStart);
  EXPECT_FALSE(world_.Get(forked).tree_empty);
  EXPECT_TRUE(absl::IsAlreadyExists(Spawn(Detached("web", "r3"))->statuses.at(0)));
  world_.shims.OutputComplete(forked);
  world_.shims.Empty(forked);
  world_.shims.Final(forked);
  world_.Turn();
  EXPECT_TRUE(world_.Get(forked).tree_empty);
  EXPECT_EQ(Spawn(Detached("web", "r4"))->calls, 0) << "it is being started";
}

TEST_F(TemplateLossTest, AnEndThatWasCommittedAndNotToldIsToldAfterTheRestart) {
  const std::string id = WarmUp();
  world_.shims.versions["/bin/program"] = "2";
  Spawn(Forkserver("second", "r2"));
  ASSERT_EQ(world_.Get(id).state, State::kStopping);
  world_.shims.SlotOf(id).agent.terminate_serial = 0;  // the agent was killed before it told
  world_.Restart();
  world_.Turn();
  EXPECT_NE(world_.shims.SlotOf(id).agent.terminate_serial, 0u);
}

TEST_F(TemplateLossTest, ATemplateThatWithdrewAndLivesOnIsEndedWhenItsTimeIsOver) {
  const std::string id = WarmUp();
  world_.shims.Withdraw(id);
  PassTime(absl::Minutes(6));
  EXPECT_TRUE(world_.Get(id).termination.has_value());
}

}  // namespace
}  // namespace shoal::agent
