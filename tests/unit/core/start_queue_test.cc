// Callers, and the connections of one, take turns at being started.
#include <set>

#include "tests/unit/core/supervisor_fixture.h"

namespace shoal::agent {
namespace {

using ::testing::SizeIs;

Permit PermitOn(const std::string& name, const std::string& connection) {
  Caller caller{CallerKind::kUnixUser, name, Evidence::kPeerCredentials};
  caller.connection = connection;
  return Authorize(caller, Verb::kSpawn, Target::Host()).value();
}

class StartQueueTest : public SupervisorTest {
 protected:
  std::shared_ptr<SpawnReply> SpawnBy(const std::string& caller, const std::string& connection,
                                      const std::string& name, int count) {
    SpawnCommand command = Ranks(name, count, "request of " + name);
    command.permit = PermitOn(caller, connection);
    auto reply = world_.Spawn(std::move(command));
    world_.Turn();
    return reply;
  }
  // How many are being started for this caller now.
  size_t StartingOf(const std::string& caller) {
    size_t starting = 0;
    world_.supervisor->ForEachFrom(PermitOf(), "", [&](const ProcessEntry& process) {
      starting += process.owner == caller && process.state == State::kStarting;
      return true;
    });
    return starting;
  }
};

TEST_F(StartQueueTest, ASpawnBesideABatchOfThousandsIsStartedAtOnce) {
  SpawnBy("uid:7", "fd:1", "flood", 2'000);
  auto one = SpawnBy("uid:8", "fd:2", "one", 1);
  EXPECT_EQ(StartingOf("uid:8"), 1u);
  world_.shims.StartAll();
  world_.Turn();
  EXPECT_EQ(one->calls, 1);
}

TEST_F(StartQueueTest, NoMoreThanTwoOfACallerAreBeingStartedWhileAnotherWaits) {
  SpawnBy("uid:7", "fd:1", "flood", 100);
  SpawnBy("uid:8", "fd:2", "other", 100);
  size_t both = 0;
  for (int i = 0; i < 40; ++i) {
    world_.shims.StartAll();
    world_.Turn();
    if (StartingOf("uid:7") > 0 && StartingOf("uid:8") > 0) ++both;
    EXPECT_LE(StartingOf("uid:7"), 2u);
    EXPECT_LE(StartingOf("uid:8"), 2u);
  }
  EXPECT_EQ(both, 40u);
}

TEST_F(StartQueueTest, ACallerAloneHasMoreStartedAtATimeAndAllInTheEnd) {
  auto reply = SpawnBy("uid:7", "fd:1", "job", 100);
  EXPECT_GT(StartingOf("uid:7"), 2u);
  for (int i = 0; i < 10; ++i) {
    world_.shims.StartAll();
    world_.Turn();
  }
  EXPECT_EQ(reply->calls, 1);
  EXPECT_THAT(world_.shims.starts(), SizeIs(100));
}

TEST_F(StartQueueTest, ConnectionsOfOneCallerTakeTurns) {
  SpawnBy("uid:7", "fd:1", "first", 200);
  auto second = SpawnBy("uid:7", "fd:2", "second", 2);
  for (int i = 0; i < 3; ++i) {
    world_.shims.StartAll();
    world_.Turn();
  }
  EXPECT_EQ(second->calls, 1);
  EXPECT_LT(world_.shims.starts().size(), 100u);
}

TEST_F(StartQueueTest, StartsThatNeverSettleDoNotHoldTheQueueForEver) {
  SpawnBy("uid:7", "fd:1", "stuck", 16);  // whose shims never say anything
  auto later = SpawnBy("uid:7", "fd:1", "later", 1);
  EXPECT_THAT(world_.shims.starts(), SizeIs(16));
  world_.scheduler.Advance(absl::Seconds(10));
  world_.Turn();
  EXPECT_THAT(world_.shims.starts(), SizeIs(17));
}

}  // namespace
}  // namespace shoal::agent
