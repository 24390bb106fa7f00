// Processes beside a running one: they end with it at the latest, and it is not over before them.
#include <csignal>

#include "tests/unit/core/session_fixture.h"

namespace shoal::agent {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class BesideTest : public SessionTest {
 protected:
  BesideTest() {
    SpawnCommand command = Detached("web", "w");
    auto spec = std::make_shared<Spec>(*command.items[0].spec);
    spec->env = {"A=web", "B=web"};
    spec->cwd = "/srv";
    command.items[0].spec = spec;
    web_ = world_.Run(std::move(command));
  }

  static SpawnCommand Beside(const std::string& other, const std::string& name,
                             const std::string& request_id) {
    SpawnCommand command = Detached(name, request_id);
    auto spec = std::make_shared<Spec>(*command.items[0].spec);
    spec->beside = other;
    spec->env = {"B=own", "C=own"};
    spec->cwd.clear();
    command.items[0].spec = spec;
    return command;
  }
  std::string Exec(const std::string& name = "sh") {
    return world_.Run(Beside("web", name, world_.NextRequestId()));
  }
  absl::Status Refused(SpawnCommand command) {
    auto reply = world_.Spawn(std::move(command));
    world_.Turn();
    EXPECT_EQ(reply->calls, 1);
    return reply->statuses.empty() ? absl::OkStatus() : reply->statuses[0];
  }
  bool IsAsked(const std::string& id) {
    return world_.shims.SlotOf(id).agent.terminate_serial != 0;
  }

  std::string web_;
};

TEST_F(BesideTest, ItHasEnvironmentAndDirectoryOfTheOtherAndItsCgroup) {
  const std::string id = Exec();
  const ShimStart& start = world_.shims.starts().back();
  EXPECT_EQ(start.beside, web_);
  EXPECT_EQ(start.cwd, "/srv");
  EXPECT_THAT(world_.Get(id).spec->env, ElementsAre("A=web", "B=own", "C=own"));
  EXPECT_THAT(start.env, ::testing::IsSupersetOf({"A=web", "B=own", "C=own"}));
  const record::AgentHalf& half = world_.shims.SlotOf(id).agent;
  EXPECT_NE(half.flags & record::kNeedsCgroup, 0u);
  EXPECT_EQ(std::string(half.beside, sizeof(half.beside)), web_);
  EXPECT_EQ(world_.shims.SlotOf(web_).agent.beside[0], 0);
  world_.Restart();
  EXPECT_EQ(world_.Get(id).spec->beside, web_);
  EXPECT_THAT(world_.Get(id).spec->env, ElementsAre("A=web", "B=own", "C=own"));
  EXPECT_EQ(world_.Get(id).spec->cwd, "/srv");
}

TEST_F(BesideTest, ItsOwnDirectoryGoesBeforeThatOfTheOther) {
  SpawnCommand command = Beside(web_, "sh", "r1");
  auto spec = std::make_shared<Spec>(*command.items[0].spec);
  spec->cwd = "/own";
  command.items[0].spec = spec;
  world_.Run(std::move(command));
  EXPECT_EQ(world_.shims.starts().back().cwd, "/own");
}

TEST_F(BesideTest, ItsEndDoesNotTouchTheOther) {
  const std::string id = Exec();
  world_.Terminate(EndOf(Term(id)));
  EXPECT_TRUE(IsAsked(id));
  EXPECT_FALSE(IsAsked(web_));
  Obey(id);
  EXPECT_TRUE(world_.Get(id).tree_empty);
  EXPECT_EQ(world_.Get(web_).state, State::kRunning);
}

TEST_F(BesideTest, AnEndOfTheOtherIsAnEndOfIt) {
  const std::string id = Exec();
  world_.Terminate(EndOf(Term(web_)));
  EXPECT_TRUE(IsAsked(web_));
  EXPECT_TRUE(IsAsked(id));
  Obey(id);
  EXPECT_EQ(world_.Get(id).exit->cause, Cause::kTerminated);
  EXPECT_THAT(world_.Get(id).exit->requested_by, HasSubstr("the end of web ("))
      << "not itself was asked for";
  EXPECT_FALSE(world_.Get(web_).tree_empty);
  Obey(web_);
  EXPECT_TRUE(world_.Get(web_).tree_empty);
}

TEST_F(BesideTest, WhenTheOtherHasEndedByItselfItIsEndedWithTheReason) {
  const std::string id = Exec();
  world_.shims.Exited(web_, 0);
  world_.Turn();
  EXPECT_TRUE(IsAsked(id));
  Obey(id);
  EXPECT_THAT(world_.Get(id).exit->requested_by,
              AllOf(HasSubstr("the end of web ("), HasSubstr("), beside which it ran")));
}

TEST_F(BesideTest, WhereDescendantsAreKeptItIsKept) {
  SpawnCommand command = Detached("keeps", "k");
  auto spec = std::make_shared<Spec>(*command.items[0].spec);
  spec->keep_descendants = true;
  command.items[0].spec = spec;
  const std::string keeps = world_.Run(std::move(command));
  const std::string id = world_.Run(Beside("keeps", "sh", "r1"));
  world_.shims.Exited(keeps, 0);
  world_.Turn();
  EXPECT_FALSE(IsAsked(id));
  world_.Restart();
  EXPECT_FALSE(IsAsked(id));
}

// The shim of the other saw its tree empty before this one was started in it, and told so afterwards.
TEST_F(BesideTest, TheOtherIsNotOverBeforeIt) {
  for (const bool restarted : {false, true}) {
    const std::string web = restarted ? world_.Run(Detached("web", "w2")) : web_;
    const std::string id = Exec(restarted ? "sh2" : "sh");
    world_.shims.End(web, 0);
    world_.Turn();
    if (restarted) world_.Restart();
    EXPECT_EQ(world_.Get(web).state, State::kExited);
    EXPECT_FALSE(world_.Get(web).tree_empty);
    EXPECT_TRUE(world_.shims.HasSlot(web)) << "its record is needed yet";
    EXPECT_TRUE(IsAsked(id));
    EXPECT_EQ(Refused(Detached("web", world_.NextRequestId())).code(),
              absl::StatusCode::kAlreadyExists);
    Obey(id);
    EXPECT_TRUE(world_.Get(web).tree_empty);
    EXPECT_FALSE(world_.shims.HasSlot(web));
  }
}

TEST_F(BesideTest, AKilledShimOfTheOtherTakesItAlong) {
  const std::string id = Exec();
  world_.shims.Die(web_);
  world_.Turn();
  EXPECT_EQ(world_.Get(web_).state, State::kLost);
  EXPECT_TRUE(IsAsked(id)) << "the cgroup of the other may be gone, or be left";
  EXPECT_EQ(world_.Get(id).termination->signal, SIGKILL);
  EXPECT_EQ(world_.Get(id).termination->grace, absl::ZeroDuration()) << "as its cgroup is killed";
  world_.shims.FinishLostTree(web_, absl::OkStatus());
  world_.Turn();
  EXPECT_FALSE(world_.Get(web_).tree_empty);
  Obey(id);
  EXPECT_TRUE(world_.Get(web_).tree_empty);
  EXPECT_THAT(world_.shims.slots(), IsEmpty());
}

TEST_F(BesideTest, ItsKilledShimLeavesTheOtherAlone) {
  const std::string id = Exec();
  world_.shims.Die(id);
  world_.Turn();
  world_.shims.FinishLostTree(id, absl::OkStatus());
  world_.Turn();
  EXPECT_EQ(world_.Get(id).state, State::kLost);
  EXPECT_FALSE(IsAsked(web_));
  world_.shims.End(web_, 0);
  world_.Turn();
  EXPECT_TRUE(world_.Get(web_).tree_empty);
}

TEST_F(BesideTest, WhatEndedWhileTheAgentWasAwayEndsItAtTheNextStart) {
  const std::string id = Exec();
  world_.Kill();
  world_.shims.Exited(web_, 0);
  world_.Start();
  EXPECT_TRUE(IsAsked(id));
  Obey(id);
  world_.shims.End(web_, 0);
  world_.Turn();
  EXPECT_TRUE(world_.Get(web_).tree_empty);
}

TEST_F(BesideTest, AnAgentThatIsKilledAtAnyStepOfTheEndLeavesNoneBehind) {
  bool was_killed = true;
  for (int step = 1; was_killed; ++step) {
    ASSERT_LT(step, 100);
    World world;
    const std::string web = world.Run(Detached("web", "w"));
    const std::string id = world.Run(Beside("web", "sh", "r1"));
    was_killed = false;
    world.crash.Arm(step);
    try {
      world.Terminate(EndOf(Term(web)));
      world.Turn();
    } catch (const Crash&) {
      was_killed = true;
      world.Restart();
    }
    world.crash.Arm(0);
    world.Turn();
    const bool is_asked = world.shims.SlotOf(web).agent.terminate_serial != 0;
    EXPECT_EQ(world.shims.SlotOf(id).agent.terminate_serial != 0, is_asked) << step;
  }
}

TEST_F(BesideTest, AStartIsRefusedWhereTheEndOfTheOtherWouldNotCoverIt) {
  EXPECT_EQ(Refused(Beside("none", "a", "r1")).code(), absl::StatusCode::kNotFound);
  SpawnCommand foreign = Beside("web", "a", "r2");
  foreign.permit = PermitOf("uid:2");
  EXPECT_EQ(Refused(std::move(foreign)).code(), absl::StatusCode::kPermissionDenied);
  const std::string id = Exec();
  EXPECT_THAT(Refused(Beside(id, "b", "r3")).message(), HasSubstr("runs itself beside"));
  world_.Terminate(EndOf(Term(web_)));
  EXPECT_THAT(Refused(Beside(web_, "c", "r4")).message(), HasSubstr("is being ended"));
  Obey(id);
  Obey(web_);
  EXPECT_THAT(Refused(Beside(web_, "d", "r5")).message(), HasSubstr("has ended"));
  World without;
  without.options.has_cgroup = false;
  without.Restart();
  without.Run(Detached("web", "w"));
  auto reply = without.Spawn(Beside("web", "a", "r1"));
  without.Turn();
  EXPECT_EQ(reply->statuses[0].code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(reply->statuses[0].message(), HasSubstr("has no cgroup"));
}

TEST_F(BesideTest, OneWhoseStartTheEndOvertakesIsNotStarted) {
  auto reply = world_.Spawn(Beside("web", "sh", "r1"));
  world_.Terminate(EndOf(Term(web_)));
  world_.Turn();
  ASSERT_EQ(reply->calls, 1);
  EXPECT_EQ(reply->statuses[0].code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(world_.shims.starts().size(), 1u);
}

TEST_F(BesideTest, WithoutTheCgroupItNeedsItDoesNotStart) {
  world_.shims.FailStart(absl::FailedPreconditionError("no writable cgroup v2"));
  const absl::Status refused = Refused(Beside("web", "sh", "r1"));
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(refused.message(), HasSubstr("no writable cgroup v2"));
}

}  // namespace
}  // namespace shoal::agent
