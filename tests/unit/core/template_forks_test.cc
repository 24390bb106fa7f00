// FORKSERVER: what becomes of a fork that is refused, dies, or is under way when the agent is killed.
#include <cerrno>

#include "tests/unit/core/fork_fixture.h"

namespace shoal::agent {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

using TemplatesTest = ForkTest;

TEST_F(TemplatesTest, WhatItsParentRefusesFailedToStartWithTheReason) {
  const std::string id = WarmUp();
  auto reply = Spawn(Forkserver("second", "r2"));
  const std::string forked = world_.shims.starts().back().id;
  world_.shims.RefuseFork(forked,
                          {.stage = "threads", .error_number = 0, .text = "it has 3 threads"});
  world_.Turn();
  ASSERT_EQ(reply->calls, 1);
  EXPECT_EQ(reply->statuses[0].code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(reply->statuses[0].message()), HasSubstr("it has 3 threads"));
  EXPECT_EQ(world_.Get(forked).state, State::kFailedToStart);
  EXPECT_FALSE(world_.shims.HasSlot(forked));
}

TEST_F(TemplatesTest, AForkThatDiedWithItsTemplateMayBeTriedAfresh) {
  WarmUp();
  auto reply = Spawn(Forkserver("second", "r2"));
  const std::string forked = world_.shims.starts().back().id;
  world_.shims.RefuseFork(forked,
                          {.stage = "fork", .error_number = ECONNRESET, .text = "it ended"});
  world_.Turn();
  ASSERT_EQ(reply->calls, 1);
  EXPECT_EQ(reply->statuses[0].code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(world_.supervisor->Find(PermitOf(), forked), nullptr);
  auto again = Spawn(Forkserver("second", "r2"));
  world_.shims.StartAll();
  world_.Turn();
  ASSERT_EQ(again->calls, 1);
  EXPECT_TRUE(again->statuses[0].ok()) << again->statuses[0];
  EXPECT_FALSE(again->replayed);
}

TEST_F(TemplatesTest, AShimThatLivesIsNotRefusedByAConnectionThatBroke) {
  WarmUp();
  auto reply = Spawn(Forkserver("second", "r2"));
  const std::string forked = world_.shims.starts().back().id;
  world_.shims.SlotOf(forked).refused =
      ForkFailure{.stage = "fork", .error_number = ECONNRESET, .text = ""};
  world_.shims.Started(forked);
  world_.Turn();
  ASSERT_EQ(reply->calls, 1);
  EXPECT_TRUE(reply->statuses[0].ok());
  world_.shims.Die(forked);
  world_.Turn();
  EXPECT_EQ(world_.Get(forked).state, State::kLost);
}

TEST_F(TemplatesTest, TheProgramOfManyRanksIsLookedAtOnceWhenTheyAreAdmitted) {
  const std::string id = WarmUp();
  SpawnCommand ranks = Forkserver("ranks", "r2");
  for (int rank = 0; rank < 3; ++rank) {
    SpawnItem item = ranks.items[0];
    item.rank = rank;
    ranks.items.push_back(item);
  }
  ranks.items.erase(ranks.items.begin());
  world_.shims.programs_looked_at = 0;
  auto reply = world_.Spawn(ranks);
  EXPECT_EQ(world_.shims.programs_looked_at, 1);
  world_.Turn();
  world_.shims.StartAll();
  world_.Turn();
  ASSERT_EQ(reply->ids.size(), 3u);
  for (const std::string& forked : reply->ids) EXPECT_EQ(world_.Get(forked).forked_from, id);
}

TEST_F(TemplatesTest, AForkThatWasMadeAndWhoseShimNeverWroteIsLost) {
  WarmUp();
  auto reply = Spawn(Forkserver("second", "r2"));
  const std::string forked = world_.shims.starts().back().id;
  world_.shims.SlotOf(forked).forked = true;
  world_.shims.Die(forked);
  world_.Turn();
  EXPECT_EQ(world_.Get(forked).state, State::kLost);
  ASSERT_TRUE(world_.shims.IsLostTreePending(forked)) << "it may have started others";
  world_.shims.FinishLostTree(forked, absl::OkStatus());
  world_.Turn();
  EXPECT_TRUE(world_.Get(forked).tree_empty);
  EXPECT_EQ(reply->calls, 1);
}

TEST_F(TemplatesTest, AForkUnderWayWhenTheAgentWasKilledAndThatCameToNothingIsForgotten) {
  WarmUp();
  Spawn(Forkserver("second", "r2"));
  const std::string forked = world_.shims.starts().back().id;
  world_.Kill();
  world_.shims.SlotOf(forked).locked = false;
  world_.Start();
  EXPECT_EQ(world_.supervisor->Find(PermitOf(), forked), nullptr);
  EXPECT_FALSE(world_.shims.HasSlot(forked));
}

TEST_F(TemplatesTest, AForkStillUnderWayAtTheRestartFailsWhenItsLockGoes) {
  WarmUp();
  Spawn(Forkserver("second", "r2"));
  const std::string forked = world_.shims.starts().back().id;
  world_.Restart();
  EXPECT_EQ(world_.Get(forked).state, State::kStarting);
  world_.shims.Die(forked);
  world_.Turn();
  EXPECT_EQ(world_.Get(forked).state, State::kFailedToStart);
  EXPECT_TRUE(world_.Get(forked).tree_empty);
}

TEST_F(TemplatesTest, AForkWhoseTemplateCameFirstIsForkedFromItThoughTheAgentWasKilledAndRetried) {
  Spawn(Forkserver("web"));
  world_.Restart();
  const std::string id = TemplateId();
  ASSERT_NE(id, "") << "the template had been started";
  auto reply = Spawn(Forkserver("web"));
  Warm(id);
  world_.shims.StartAll();
  world_.Turn();
  ASSERT_EQ(reply->calls, 1);
  EXPECT_TRUE(reply->statuses[0].ok()) << reply->statuses[0];
  EXPECT_THAT(world_.shims.starts(), SizeIs(2));
}

}  // namespace
}  // namespace shoal::agent
