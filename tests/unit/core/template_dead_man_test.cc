// Templates whose agent has gone, or goes: until when they live, and what is said of them.
#include <string>

#include "tests/unit/core/fork_fixture.h"

namespace shoal::agent {
namespace {

using ::testing::HasSubstr;

class TemplateDeadManTest : public ForkTest {
 protected:
  int64_t DeadManOf(const std::string& id) { return world_.shims.SlotOf(id).agent.dead_man_ns; }
  int64_t FromNow(absl::Duration span) {
    return absl::ToInt64Nanoseconds(world_.clock.BootTime() + span);
  }
};

TEST_F(TemplateDeadManTest, ATemplateHasItAndWhatIsForkedFromItHasNot) {
  const std::string id = WarmUp();
  EXPECT_EQ(DeadManOf(id), FromNow(absl::Minutes(10)));
  EXPECT_EQ(world_.shims.starts().back().desired.dead_man_ns, 0) << "DETACHED";
}

TEST_F(TemplateDeadManTest, ALivingAgentMovesItAheadWithoutWakingTheShim) {
  const std::string id = WarmUp();
  const int wakes = world_.shims.SlotOf(id).wakes;
  for (int minute = 0; minute < 4; ++minute) {
    PassTime(absl::Minutes(1));
    EXPECT_GE(DeadManOf(id), FromNow(absl::Seconds(450)));
  }
  EXPECT_EQ(world_.shims.SlotOf(id).wakes, wakes);
}

TEST_F(TemplateDeadManTest, ATemplateAfterATimeWithoutAnyIsRenewedLikeTheFirst) {
  const std::string id = WarmUp();
  world_.shims.End(id, 0);
  PassTime(absl::Minutes(10));
  Spawn(Forkserver("again", "r2"));
  Warm(TemplateId());
  world_.shims.StartAll();
  EXPECT_EQ(DeadManOf(TemplateId()), FromNow(absl::Minutes(10)));
  PassTime(absl::Seconds(150));
  EXPECT_EQ(DeadManOf(TemplateId()), FromNow(absl::Minutes(10)));
}

TEST_F(TemplateDeadManTest, TheNextAgentMovesItAheadAtOnce) {
  const std::string id = WarmUp();
  world_.Kill();
  world_.clock.Advance(absl::Minutes(9));
  world_.Start();
  EXPECT_EQ(DeadManOf(id), FromNow(absl::Minutes(10)));
  EXPECT_EQ(TemplateId(), id);
}

TEST_F(TemplateDeadManTest, AnAgentThatEndsNamesThemAndTheirWholeTime) {
  EXPECT_EQ(world_.supervisor->LeaveTemplates(/*end=*/false), "");
  const std::string id = WarmUp();
  PassTime(absl::Minutes(1));
  EXPECT_EQ(world_.supervisor->LeaveTemplates(/*end=*/false),
            "1 template (program-template) ends in 10m unless an agent is started");
  EXPECT_EQ(DeadManOf(id), FromNow(absl::Minutes(10)));
  EXPECT_EQ(world_.Get(id).state, State::kRunning);
}

TEST_F(TemplateDeadManTest, APrivateAgentEndsThemAndWhatWasForkedLivesOn) {
  const std::string id = WarmUp();
  SpawnCommand foreign = Forkserver("foreign", "r3");
  foreign.permit = PermitOf("uid:7");
  Spawn(foreign);
  EXPECT_THAT(world_.supervisor->LeaveTemplates(/*end=*/true),
              ::testing::AllOf(::testing::StartsWith("2 templates (program-template"),
                               ::testing::EndsWith(") end with it")));
  world_.Turn();
  EXPECT_EQ(world_.shims.SlotOf(id).agent.terminate_serial, 1u);
  EXPECT_EQ(world_.Get(id).state, State::kStopping);
  EXPECT_THAT(world_.Get(id).termination->requested_by, HasSubstr("shoald (it ends)"));
  EXPECT_EQ(world_.Get(world_.shims.starts()[1].id).state, State::kRunning);
}

}  // namespace
}  // namespace shoal::agent
