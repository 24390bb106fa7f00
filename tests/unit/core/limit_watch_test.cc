// Time limits that are reached while nothing comes of it.
#include <csignal>

#include "tests/unit/core/supervisor_fixture.h"

namespace shoal::agent {
namespace {

class LimitWatchTest : public SupervisorTest {
 protected:
  static SpawnCommand Limited(const std::string& name) {
    SpawnCommand command = Detached(name);
    auto spec = std::make_shared<Spec>(*command.items[0].spec);
    spec->time_limit = absl::Seconds(10);
    command.items[0].spec = spec;
    return command;
  }
  void SetLimit(const std::string& id, absl::Duration limit) {
    UpdateCommand command{{PermitOf()}};
    command.selector = Term(id);
    command.time_limit = limit;
    EXPECT_TRUE(world_.Update(command)->outcomes[0].second.ok());
  }
  bool IsFlagged(const std::string& id) { return (world_.Get(id).flags & kFlagShimStalled) != 0; }
  // As its shim, which has reached the limit.
  void EndByLimit(const std::string& id) {
    world_.shims.SlotOf(id).shim.end_cause = record::EndCause::kTimeLimit;
    world_.shims.SlotOf(id).shim.end_signal = SIGTERM;
    world_.shims.SlotOf(id).shim.end_began_ns = 1;
    world_.shims.Take(id, 0);
    world_.Turn();
  }
};

TEST_F(LimitWatchTest, AShimThatLetsItPassIsFlaggedUntilItGoesOn) {
  const std::string id = world_.Run(Limited("web"));
  world_.scheduler.Advance(absl::Seconds(11));
  EXPECT_FALSE(IsFlagged(id));
  for (int look = 0; look < 4; ++look) {
    world_.scheduler.Advance(absl::Seconds(2));
    EXPECT_TRUE(IsFlagged(id)) << look;
  }
  EndByLimit(id);
  world_.scheduler.Advance(absl::Seconds(3));
  EXPECT_FALSE(IsFlagged(id));
  EXPECT_EQ(world_.Get(id).termination->cause, Cause::kTimeLimit);
}

TEST_F(LimitWatchTest, AShimThatKeepsItIsNot) {
  const std::string id = world_.Run(Limited("web"));
  world_.scheduler.Advance(absl::Seconds(10));
  EndByLimit(id);
  for (int look = 0; look < 4; ++look) {
    world_.scheduler.Advance(absl::Seconds(2));
    EXPECT_FALSE(IsFlagged(id)) << look;
  }
}

TEST_F(LimitWatchTest, ALimitThatIsMovedOrTakenAwayIsTheOneThatCounts) {
  const std::string id = world_.Run(Detached("web"));
  SetLimit(id, absl::Seconds(1));
  world_.scheduler.Advance(absl::Seconds(2));
  SetLimit(id, absl::Seconds(60));
  world_.scheduler.Advance(absl::Seconds(30));
  EXPECT_FALSE(IsFlagged(id));
  world_.scheduler.Advance(absl::Seconds(33));
  EXPECT_TRUE(IsFlagged(id));
  SetLimit(id, absl::ZeroDuration());
  world_.scheduler.Advance(absl::Seconds(1));
  EXPECT_FALSE(IsFlagged(id));
}

TEST_F(LimitWatchTest, AnEndThatWasAskedForBesidesKeepsItsOwnFlag) {
  const std::string id = world_.Run(Limited("web"));
  world_.scheduler.Advance(absl::Seconds(10));
  EndByLimit(id);
  world_.Terminate(EndOf(Term(id)));
  world_.scheduler.Advance(absl::Seconds(5));
  EXPECT_TRUE(IsFlagged(id)) << "it has not seen that request";
}

TEST_F(LimitWatchTest, AnAgentThatIsStartedAnewKnowsTheLimitThatWasSet) {
  const std::string id = world_.Run(Detached("web"));
  SetLimit(id, absl::Seconds(20));
  world_.Restart();
  world_.scheduler.Advance(absl::Seconds(19));
  EXPECT_FALSE(IsFlagged(id));
  world_.scheduler.Advance(absl::Seconds(4));
  EXPECT_TRUE(IsFlagged(id));
}

}  // namespace
}  // namespace shoal::agent
