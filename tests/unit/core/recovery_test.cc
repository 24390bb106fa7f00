// A second supervisor over the store and the records that the first one left.
#include <map>
#include <set>

#include "tests/unit/core/supervisor_fixture.h"

namespace shoal::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

using RecoveryTest = SupervisorTest;

TEST_F(RecoveryTest, RunningProcessesAreFoundAgain) {
  std::string id = world_.Run(Detached("web"));
  int64_t revision = world_.supervisor->revision();
  world_.Restart();
  const ProcessEntry& process = world_.Get(id);
  EXPECT_EQ(process.state, State::kRunning);
  EXPECT_EQ(process.name, "web");
  EXPECT_EQ(process.pid, 1001);
  EXPECT_EQ(process.spec->argv[0], "/bin/program");
  EXPECT_GT(world_.supervisor->revision(), revision);
  EXPECT_THAT(world_.output.kept, ElementsAre(id));
  world_.shims.End(id, 2);
  world_.Turn();
  EXPECT_EQ(world_.Get(id).exit->code, 2);
  EXPECT_FALSE(world_.shims.HasSlot(id));
}

TEST_F(RecoveryTest, UnnamedRanksGetNamesThatNoRanksHaveFromBefore) {
  const auto before = world_.Spawn(Ranks("", 2, "r1"));
  world_.Turn();
  world_.shims.StartAll();
  world_.Turn();
  world_.Restart();
  const auto after = world_.Spawn(Ranks("", 2, "r2"));
  world_.Turn();
  world_.shims.StartAll();
  world_.Turn();
  ASSERT_THAT(after->ids, SizeIs(2));
  for (const absl::Status& status : after->statuses) EXPECT_TRUE(status.ok()) << status;
  EXPECT_NE(world_.Get(after->ids[0]).name, world_.Get(before->ids[0]).name);
}

TEST_F(RecoveryTest, ExitsDuringTheDowntimeAreNotLost) {
  std::vector<std::string> ids;
  ids.reserve(50);
  for (int i = 0; i < 50; ++i) {
    ids.push_back(world_.Run(Detached(absl::StrCat("p", i), absl::StrCat("r", i))));
  }
  world_.Kill();
  for (int i = 0; i < 50; i += 2) world_.shims.End(ids[static_cast<size_t>(i)], i);
  world_.Start();
  for (int i = 0; i < 50; ++i) {
    const ProcessEntry& process = world_.Get(ids[static_cast<size_t>(i)]);
    if (i % 2 == 0) {
      EXPECT_EQ(process.exit->code, i);
      EXPECT_TRUE(process.IsOver());
    } else {
      EXPECT_EQ(process.state, State::kRunning);
    }
  }
  EXPECT_THAT(world_.shims.slots(), SizeIs(25));
}

TEST_F(RecoveryTest, AStoredExitStays) {
  std::string id = world_.Run(Detached("web"));
  world_.shims.End(id, 9);
  world_.Turn();
  world_.Restart();
  EXPECT_EQ(world_.Get(id).exit->code, 9);
  EXPECT_TRUE(world_.Get(id).IsOver());
}

TEST_F(RecoveryTest, AShimKilledDuringTheDowntimeIsLost) {
  std::string id = world_.Run(Detached("web"));
  world_.Kill();
  world_.shims.Die(id);
  world_.Start();
  EXPECT_EQ(world_.Get(id).state, State::kLost);
  EXPECT_EQ(world_.Get(id).exit->cause, Cause::kShimLost);
  world_.shims.FinishLostTree(id, absl::OkStatus());
  world_.Turn();
  EXPECT_TRUE(world_.Get(id).IsOver());
}

TEST_F(RecoveryTest, AShimThatDiesUnderTheNextAgentBeforeItsHalfHasRunNothing) {
  world_.Spawn(Detached("web"));
  world_.Turn();
  const std::string id = world_.shims.starts()[0].id;
  world_.Restart();
  EXPECT_EQ(world_.Get(id).state, State::kStarting);
  world_.shims.Die(id);
  world_.Turn();
  // What is needed to start it is not all stored; the client may ask again.
  EXPECT_EQ(world_.shims.StartsOf(id), 1);
  EXPECT_EQ(world_.Get(id).state, State::kFailedToStart);
  EXPECT_EQ(world_.Get(id).start_failure->error_number, EAGAIN);
  EXPECT_THAT(world_.shims.slots(), IsEmpty());
}

TEST_F(RecoveryTest, ALostTreeWhoseProofWasInterruptedIsProvenAgain) {
  std::string id = world_.Run(Detached("web"));
  world_.shims.Die(id);
  world_.Turn();
  world_.Restart();
  EXPECT_EQ(world_.Get(id).state, State::kLost);
  ASSERT_TRUE(world_.shims.IsLostTreePending(id));
  world_.shims.FinishLostTree(id, absl::OkStatus());
  world_.Turn();
  EXPECT_TRUE(world_.Get(id).IsOver());
  EXPECT_THAT(world_.shims.slots(), IsEmpty());
}

TEST_F(RecoveryTest, AfterARebootWhatHadNoExitIsLostAndNothingIsSignalled) {
  std::string running = world_.Run(Detached("running", "r1"));
  std::string ended = world_.Run(Detached("ended", "r2"));
  world_.shims.End(ended, 1);
  world_.Turn();
  world_.Reboot();
  const ProcessEntry& lost = world_.Get(running);
  EXPECT_EQ(lost.state, State::kLost);
  EXPECT_EQ(lost.exit->cause, Cause::kHostReboot);
  EXPECT_FALSE(lost.exit->code.has_value());
  EXPECT_TRUE(lost.IsOver());
  EXPECT_EQ(world_.Get(ended).exit->code, 1);
  EXPECT_THAT(world_.shims.signals(), IsEmpty());
  EXPECT_EQ(world_.store.processes().at(running).state, State::kLost);
  world_.Run(Detached("running", "r3"));  // its name is free
}

TEST_F(RecoveryTest, ARetryAfterARebootIsToldAndStartsNothing) {
  std::string id = world_.Run(Detached("web"));
  world_.Reboot();
  auto retry = world_.Spawn(Detached("web"));
  world_.Turn();
  ASSERT_EQ(retry->calls, 1);
  EXPECT_TRUE(retry->replayed);
  EXPECT_THAT(retry->ids, ElementsAre(id));
  EXPECT_THAT(world_.shims.starts(), SizeIs(1));
}

TEST_F(RecoveryTest, LostRecordsMakeWhatRanUnknownNeverForgotten) {
  std::string id = world_.Run(Detached("web"));
  world_.Kill();
  world_.shims.Reboot();
  world_.shims.were_lost = true;
  world_.Start();
  EXPECT_EQ(world_.Get(id).state, State::kLost);
  EXPECT_EQ(world_.Get(id).exit->cause, Cause::kShimLost);
}

TEST_F(RecoveryTest, AnIntentWhoseShimNeverStartedIsForgotten) {
  world_.Spawn(Detached("web"));
  world_.crash.Arm(3);  // commit, committed, start
  EXPECT_THROW(world_.Turn(), Crash);
  EXPECT_THAT(world_.store.processes(), SizeIs(1));
  world_.Restart();
  EXPECT_THAT(world_.store.processes(), IsEmpty());
  EXPECT_THAT(world_.shims.starts(), IsEmpty());
}

TEST_F(RecoveryTest, ATerminateThatWasToldGoesOnWithoutTheAgent) {
  std::string id = world_.Run(Detached("web"));
  world_.Terminate(EndOf(Term(id)));
  world_.Kill();
  world_.shims.BeginEnd(id);
  world_.shims.Signaled(id, 15);
  world_.shims.End(id, 0);
  world_.Start();
  EXPECT_EQ(world_.Get(id).exit->signal, 15);
  EXPECT_EQ(world_.Get(id).exit->cause, Cause::kTerminated);
  EXPECT_EQ(world_.Get(id).exit->requested_by, kOwner);
}

TEST_F(RecoveryTest, ATerminateThatWasStoredButNotToldIsToldByTheNextAgent) {
  std::string id = world_.Run(Detached("web"));
  world_.crash.Arm(3);  // commit, committed, tell
  EXPECT_THROW(world_.Terminate(EndOf(Term(id))), Crash);
  world_.Restart();
  EXPECT_EQ(world_.shims.SlotOf(id).agent.terminate_serial, 1u);
  auto again = world_.Terminate(EndOf(Term(id)));
  EXPECT_NE(world_.shims.SlotOf(id).agent.terminate_serial, 0u);
  world_.shims.BeginEnd(id);
  world_.shims.End(id, 0);
  world_.Turn();
  EXPECT_EQ(again->calls, 1);
}

TEST_F(RecoveryTest, RevisionsNeverGoBack) {
  int64_t highest = 0;
  for (int i = 0; i < 5; ++i) {
    world_.Run(Detached(absl::StrCat("p", i), absl::StrCat("r", i)));
    EXPECT_GT(world_.supervisor->revision(), highest);
    highest = world_.supervisor->revision();
    world_.Restart();
    EXPECT_GE(world_.supervisor->revision(), highest);
  }
}

// A client that retries until it is answered, over an agent that is killed at step `crash_at` of
// the first try, and again at step `second` of the recovery and retry that follow.
struct CrashStory {
  int ranks;
  bool start_at_once;  // the shim's report arrives before the kill
};

class CrashMatrixTest : public RecoveryTest, public ::testing::WithParamInterface<CrashStory> {
 protected:
  std::shared_ptr<SpawnReply> Try(World* world) {
    auto reply = world->Spawn(Ranks("job", GetParam().ranks));
    for (int i = 0; i < 10 && reply->calls == 0; ++i) {
      world->Turn();
      if (GetParam().start_at_once) world->shims.StartAll();
    }
    return reply;
  }
  // True if it was killed.
  bool Killed(World* world, int step, const std::function<void()>& act) {
    world->crash.Arm(step);
    try {
      act();
    } catch (const Crash&) {
      world->Kill();
      return true;
    }
    world->crash.Arm(0);
    return false;
  }
};

TEST_P(CrashMatrixTest, ARetriedSpawnIsOneProcessNeverTwoNeverNone) {
  bool any = true;
  for (int first = 1; any; ++first) {
    any = false;
    for (int second = 0; second < 40; ++second) {
      World world;
      const bool killed = Killed(&world, first, [&] { Try(&world); });
      if (!killed) break;
      any = true;
      // What the shims that were started do goes on without the agent.
      world.shims.StartAll();
      std::shared_ptr<SpawnReply> reply;
      auto recover_and_retry = [&] {
        world.Start();
        reply = Try(&world);
      };
      if (Killed(&world, second, recover_and_retry)) recover_and_retry();
      world.shims.StartAll();
      world.Turn();
      ASSERT_EQ(reply->calls, 1) << first << ", " << second;
      std::set<std::string> answered(reply->ids.begin(), reply->ids.end());
      EXPECT_THAT(answered, SizeIs(GetParam().ranks)) << first << ", " << second;
      // Every slot is one of the answer, and every answer has its slot and started once.
      EXPECT_THAT(world.shims.slots(), SizeIs(GetParam().ranks)) << first << ", " << second;
      for (const std::string& id : answered) {
        EXPECT_TRUE(world.shims.HasSlot(id));
        EXPECT_EQ(world.shims.StartsOf(id), 1);
        EXPECT_EQ(world.Get(id).state, State::kRunning);
      }
      EXPECT_THAT(world.store.processes(), SizeIs(GetParam().ranks));
    }
    ASSERT_LT(first, 200);
  }
}

INSTANTIATE_TEST_SUITE_P(Stories, CrashMatrixTest,
                         ::testing::Values(CrashStory{1, false}, CrashStory{1, true},
                                           CrashStory{3, true}));

TEST_F(RecoveryTest, AnExitSurvivesAKillAtEveryStepOfItsStoring) {
  bool killed = true;
  for (int step = 1; killed; ++step) {
    World world;
    std::string id = world.Run(Detached("web"));
    killed = false;
    world.crash.Arm(step);
    try {
      world.shims.Exited(id, 42);
      world.Turn();
      world.shims.End(id, 0);
      world.Turn();
    } catch (const Crash&) {
      killed = true;
      world.Kill();
      // The shim itself was not killed.
      if (world.shims.HasSlot(id)) world.shims.End(id, 42);
      world.Start();
    }
    world.crash.Arm(0);
    world.Turn();
    EXPECT_EQ(world.Get(id).exit->code, 42) << step;
    EXPECT_TRUE(world.Get(id).IsOver()) << step;
    EXPECT_FALSE(world.shims.HasSlot(id)) << step;
    ASSERT_LT(step, 100);
  }
}

TEST_F(RecoveryTest, ADeleteIsWholeOrNotAtAll) {
  bool killed = true;
  for (int step = 1; killed; ++step) {
    World world;
    std::string id = world.Run(Detached("web"));
    world.shims.End(id, 0);
    world.Turn();
    killed = false;
    world.crash.Arm(step);
    try {
      world.Delete(Term(id));
    } catch (const Crash&) {
      killed = true;
      world.Restart();
    }
    world.crash.Arm(0);
    auto retry = world.Spawn(Detached("web"));
    world.Turn();
    EXPECT_THAT(world.shims.starts(), SizeIs(1)) << step;
    ASSERT_LT(step, 100);
  }
}

}  // namespace
}  // namespace shoal::agent
