// Who opened a session: a stopped opener keeps it, and it ends with the process that the opener is of.
#include <csignal>

#include "tests/unit/core/supervisor_fixture.h"

namespace shoal::agent {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class OpenerTest : public SupervisorTest {
 protected:
  // Opened by the program `pid`, whose cgroup or environment names these processes.
  SessionEntry Open(int pid, const std::vector<std::string>& process_ids = {}) {
    Caller caller{CallerKind::kUnixUser, kOwner, Evidence::kPeerCredentials};
    caller.peer = std::make_shared<const SocketPeer>(
        SocketPeer{.pid = pid, .start_ticks = 1, .process_ids = process_ids});
    OpenSessionCommand command{{*Authorize(caller, Verb::kOpenSession, Target::Host())}};
    command.request_id = world_.NextRequestId();
    SessionEntry opened;
    world_.supervisor->OpenSession(command, [&](absl::StatusOr<const SessionEntry*> session) {
      ASSERT_TRUE(session.ok()) << session.status();
      opened = **session;
    });
    world_.Turn();
    return opened;
  }
  // A process of a session that `parent` has opened from within its tree, or DETACHED without one.
  std::string Child(const std::string& name, const std::string& parent = "") {
    if (parent.empty()) return world_.Run(Detached(name, world_.NextRequestId()));
    const int pid = world_.Get(parent).pid;
    world_.shims.members[parent] = {pid};
    const SessionEntry session = Open(pid, {parent});
    return world_.Run(InSession(session, name, world_.NextRequestId()));
  }
  void Pass(int seconds) {
    for (int i = 0; i < seconds; ++i) world_.scheduler.Advance(absl::Seconds(1));
  }
  absl::Duration DeadManOf(const std::string& id) {
    return absl::Nanoseconds(world_.shims.SlotOf(id).agent.dead_man_ns) - world_.clock.BootTime();
  }
};

TEST_F(OpenerTest, AStoppedOneKeepsItsLeaseAndItsDeadManTime) {
  const SessionEntry session = Open(7);
  const std::string id = world_.Run(InSession(session, "p"));
  world_.peers.stopped = {7};
  for (int i = 0; i < 60; ++i) {
    Pass(1);
    ASSERT_EQ(world_.Get(id).state, State::kRunning) << i;
    // As renewals by itself would leave it at the latest: half of the TTL is gone.
    ASSERT_GE(DeadManOf(id), world_.options.dead_man + session.ttl / 2) << i;
  }
  EXPECT_TRUE(world_.supervisor->KeepAlive(PermitOf(), session.id, session.token).ok());
  // It goes on and is never heard of again.
  world_.peers.stopped.clear();
  Pass(14);
  EXPECT_EQ(world_.Get(id).state, State::kRunning);
  Pass(1);
  EXPECT_EQ(world_.Get(id).state, State::kStopping);
}

TEST_F(OpenerTest, OneThatStopsJustBeforeTheLapseIsSeenAtIt) {
  const SessionEntry session = Open(7);
  const std::string id = world_.Run(InSession(session, "p"));
  Pass(14);
  world_.peers.stopped = {7};
  Pass(10);
  EXPECT_EQ(world_.Get(id).state, State::kRunning);
}

TEST_F(OpenerTest, OneThatIsKilledWhileItIsStoppedLapses) {
  const SessionEntry session = Open(7);
  const std::string id = world_.Run(InSession(session, "p"));
  world_.peers.stopped = {7};
  Pass(60);
  world_.peers.stopped.clear();
  Pass(15);
  EXPECT_EQ(world_.shims.SlotOf(id).agent.terminate_cause, record::EndCause::kSessionExpired);
}

TEST_F(OpenerTest, OneThatIsStoppedOutlastsARestartOfTheAgent) {
  const SessionEntry session = Open(7);
  const std::string id = world_.Run(InSession(session, "p"));
  world_.peers.stopped = {7};
  Pass(10);
  world_.Restart();
  Pass(60);
  EXPECT_EQ(world_.Get(id).state, State::kRunning);
}

TEST_F(OpenerTest, APidOfAnEarlierBootIsNobody) {
  const SessionEntry session = Open(7);
  world_.peers.stopped = {7};
  world_.Reboot();
  Pass(15);
  EXPECT_THAT(world_.supervisor->Sessions(PermitOf()), IsEmpty());
}

TEST_F(OpenerTest, WhatAProcessHasOpenedClosesWhenItsTreeIsEmpty) {
  const std::string parent = Child("solve");
  const std::string child = Child("part", parent);
  world_.shims.Exited(parent, 0);
  world_.Turn();
  EXPECT_EQ(world_.Get(child).state, State::kRunning)
      << "the opener may be a descendant that lives";
  world_.shims.End(parent, 0);
  world_.Turn();
  ASSERT_EQ(world_.Get(child).state, State::kStopping);
  EXPECT_EQ(world_.Get(child).termination->cause, Cause::kSessionClosed);
  EXPECT_THAT(world_.Get(child).termination->requested_by, HasSubstr("the end of solve ("));
}

TEST_F(OpenerTest, FourLevelsEndOneAfterTheOtherWithoutALapse) {
  std::vector<std::string> ids = {Child("p0")};
  for (int i = 1; i < 4; ++i) ids.push_back(Child(absl::StrCat("p", i), ids.back()));
  world_.Terminate(EndOf(Term(ids[0])));
  for (const std::string& id : ids) {
    ASSERT_EQ(world_.Get(id).state, State::kStopping) << world_.Get(id).name;
    world_.shims.BeginEnd(id);
    world_.shims.Signaled(id, SIGTERM);
    world_.shims.End(id, 0);
    world_.Turn();
  }
  EXPECT_THAT(world_.supervisor->Sessions(PermitOf()), IsEmpty());
}

TEST_F(OpenerTest, OneThatIsNotOfTheTreeIsNotOfTheProcess) {
  const std::string parent = Child("solve");
  world_.shims.members[parent] = {world_.Get(parent).pid};
  const SessionEntry session = Open(4711, {"NOSUCHPROCESSAAA", parent});
  const std::string child = world_.Run(InSession(session, "part"));
  world_.shims.End(parent, 0);
  world_.Turn();
  EXPECT_EQ(world_.Get(child).state, State::kRunning);
}

TEST_F(OpenerTest, AnUnprovenTreeClosesNothing) {
  const std::string parent = Child("solve");
  const std::string child = Child("part", parent);
  world_.shims.Die(parent);
  world_.Turn();
  world_.shims.FinishLostTree(parent, absl::FailedPreconditionError("no cgroup"));
  world_.Turn();
  EXPECT_TRUE(world_.Get(parent).IsTreeOver());
  EXPECT_EQ(world_.Get(child).state, State::kRunning);
}

TEST_F(OpenerTest, ATreeThatGetsEmptyWhileTheAgentIsAwayClosesThemAtTheStart) {
  const std::string parent = Child("solve");
  const std::string child = Child("part", parent);
  world_.Kill();
  world_.shims.End(parent, 0);
  world_.Start();
  ASSERT_EQ(world_.Get(child).state, State::kStopping);
  EXPECT_EQ(world_.Get(child).termination->cause, Cause::kSessionClosed);
}

}  // namespace
}  // namespace shoal::agent
