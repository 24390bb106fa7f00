// FORK: a running process that offers itself is forked by name.
#include "tests/unit/core/fork_fixture.h"

namespace shoal::agent {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

using ForkOfTest = ForkTest;

TEST_F(ForkOfTest, AForkIsOneProcessThoughTheAgentIsKilledAtEveryStep) {
  for (int step = 1;; ++step) {
    World world;
    const std::string load = world.Run(Detached("load", "r0"));
    bool killed = false;
    world.crash.Arm(step);
    try {
      world.shims.Offer(load);
      world.Spawn(ForkOf("load", "child"));
      world.Turn();
    } catch (const Crash&) {
      killed = true;
      world.Kill();
      world.Start();
    }
    world.crash.Arm(0);
    if (killed) world.shims.Offer(load);
    auto reply = world.Spawn(ForkOf("load", "child"));
    world.Turn();
    world.shims.StartAll();
    world.Turn();
    ASSERT_EQ(reply->calls, 1) << step;
    EXPECT_TRUE(reply->statuses[0].ok()) << step << ": " << reply->statuses[0];
    EXPECT_EQ(world.shims.StartsOf(reply->ids[0]), 1) << step;
    EXPECT_THAT(world.shims.slots(), SizeIs(2)) << step;
    if (!killed) break;
    ASSERT_LT(step, 100);
  }
}

TEST_F(ForkOfTest, ARunningProcessThatOffersItselfIsForkedByName) {
  const std::string load = world_.Run(Detached("load", "r0"));
  world_.shims.Offer(load);
  auto reply = Spawn(ForkOf("load", "child"));
  ASSERT_THAT(world_.shims.starts(), SizeIs(2));
  EXPECT_EQ(world_.shims.starts()[1].fork_from, world_.shims.ParentOf(load));
  world_.shims.StartAll();
  world_.Turn();
  ASSERT_EQ(reply->calls, 1);
  EXPECT_EQ(world_.Get(reply->ids[0]).forked_from, load);
  EXPECT_EQ(world_.store.processes().at(reply->ids[0]).forked_from, load) << "known durably";
}

TEST_F(ForkOfTest, AForkOfWhoDoesNotOfferItselfIsRefused) {
  world_.Run(Detached("load", "r0"));
  PassTime(absl::Minutes(1));
  auto reply = Spawn(ForkOf("load", "child"));
  ASSERT_EQ(reply->calls, 1);
  EXPECT_EQ(reply->statuses[0].code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(reply->statuses[0].message()), HasSubstr("does not offer itself"));
}

TEST_F(ForkOfTest, AForkOfWhoHasJustStartedWaitsForItsOffer) {
  const std::string load = world_.Run(Detached("load", "r0"));
  auto reply = Spawn(ForkOf("load", "child"));
  EXPECT_EQ(reply->calls, 0);
  world_.shims.Offer(load);
  world_.Turn();
  EXPECT_THAT(world_.shims.starts(), SizeIs(2));
  auto late = Spawn(ForkOf("child", "grandchild", "r2"));
  PassTime(absl::Seconds(4));
  ASSERT_EQ(late->calls, 1) << "which never offered itself";
  EXPECT_FALSE(late->statuses[0].ok());
}

TEST_F(ForkOfTest, AForkWaitsAsLongAsItSays) {
  const std::string load = world_.Run(Detached("load", "r0"));
  auto at_once = Spawn(WithWait(ForkOf("load", "a", "r1"), absl::ZeroDuration()));
  ASSERT_EQ(at_once->calls, 1);
  EXPECT_THAT(std::string(at_once->statuses[0].message()), HasSubstr("does not offer itself"));
  PassTime(absl::Minutes(5));
  auto in_time = Spawn(WithWait(ForkOf("load", "b", "r2"), absl::Minutes(2)));
  auto too_late = Spawn(WithWait(ForkOf("load", "c", "r3"), absl::Minutes(1)));
  PassTime(absl::Seconds(61));
  ASSERT_EQ(too_late->calls, 1);
  EXPECT_THAT(
      std::string(too_late->statuses[0].message()),
      HasSubstr("did not offer itself to be forked within 1m; fork_wait would wait longer"));
  EXPECT_EQ(in_time->calls, 0);
  world_.shims.Offer(load);
  world_.Turn();
  world_.shims.StartAll();
  world_.Turn();
  ASSERT_EQ(in_time->calls, 1);
  EXPECT_TRUE(in_time->statuses[0].ok()) << in_time->statuses[0];
}

TEST_F(ForkOfTest, AForkOfNobodyOfSeveralOrOfTheEndedIsRefusedBeforeAnythingIsKept) {
  const std::string load = world_.Run(Detached("load", "r0"));
  world_.Run(Detached("load2", "r00"));
  EXPECT_EQ(Spawn(ForkOf("nobody", "c", "r1"))->statuses[0].code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Spawn(ForkOf("load*", "c", "r2"))->statuses[0].code(),
            absl::StatusCode::kInvalidArgument);
  world_.shims.End(load, 0);
  world_.Turn();
  EXPECT_EQ(Spawn(ForkOf("load", "c", "r3"))->statuses[0].code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(world_.store.processes(), SizeIs(2));
}

}  // namespace
}  // namespace shoal::agent
