// Processes whose record only a newer agent can read: shown, held, left alone.
#include "agent/core/unmanaged.h"

#include <optional>

#include "tests/unit/core/supervisor_fixture.h"

namespace shoal::agent {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class UnmanagedTest : public SupervisorTest {
 protected:
  // Runs `command`, and restarts the agent as one that cannot read the record.
  std::string RunAndForgetHow(SpawnCommand command) {
    std::string id = world_.Run(std::move(command));
    world_.shims.SlotOf(id).unreadable_version = 9;
    world_.Restart();
    return id;
  }
};

TEST_F(UnmanagedTest, ItKeepsItsNameAndIsShownAndLogged) {
  const std::string id = RunAndForgetHow(Detached("web"));
  const ProcessEntry& process = world_.Get(id);
  EXPECT_TRUE(process.IsUnmanaged());
  EXPECT_FALSE(process.IsOver());
  EXPECT_THAT(world_.supervisor->unmanaged(), ElementsAre(HasSubstr("version 9")));
  auto second = world_.Spawn(Detached("web", "another-request"));
  world_.Turn();
  ASSERT_THAT(second->statuses, SizeIs(1));
  EXPECT_EQ(second->statuses[0].code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(world_.shims.starts(), SizeIs(1));
}

TEST_F(UnmanagedTest, ARetriedRequestStartsNothing) {
  const std::string id = RunAndForgetHow(Detached("web"));
  auto retry = world_.Spawn(Detached("web"));
  world_.Turn();
  EXPECT_THAT(world_.shims.starts(), SizeIs(1));
  ASSERT_EQ(retry->calls, 1) << "nothing more is heard of its start, so it is not waited for";
  EXPECT_THAT(retry->ids, ElementsAre(id));
  EXPECT_TRUE(world_.Get(id).IsUnmanaged());
}

TEST_F(UnmanagedTest, WhatWouldTouchItIsRefusedAndSaysWhoCan) {
  const std::string id = RunAndForgetHow(Detached("web"));
  const int wakes = world_.shims.SlotOf(id).wakes;
  auto ended = world_.Terminate(EndOf(Term(id)));
  world_.Turn();
  ASSERT_EQ(ended->calls, 1) << "nothing will come of it, so it is not waited for";
  ASSERT_THAT(ended->outcomes, SizeIs(1));
  EXPECT_EQ(ended->outcomes[0].second.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(ended->outcomes[0].second.message(),
              AllOf(HasSubstr("web"), HasSubstr("a newer agent can read")));
  auto sent = world_.Signal(Term(id), 10);
  auto removed = world_.Delete(Term(id));
  world_.Turn();
  EXPECT_EQ(sent->outcomes.at(0).second.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(removed->outcomes.at(0).second.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(world_.shims.signals(), IsEmpty());
  EXPECT_EQ(world_.shims.SlotOf(id).wakes, wakes);
  EXPECT_EQ(world_.shims.SlotOf(id).agent.terminate_serial, 0u);
}

TEST_F(UnmanagedTest, ItIsOverWhenItsLockIsFreeAndItsTreeSeenEmpty) {
  const std::string id = RunAndForgetHow(Detached("web"));
  world_.shims.Die(id);
  world_.Turn();
  EXPECT_EQ(world_.Get(id).state, State::kLost);
  EXPECT_FALSE(world_.Get(id).IsOver());
  EXPECT_FALSE(world_.shims.IsLostTreePending(id)) << "nothing of it may be killed";
  ASSERT_TRUE(world_.shims.IsTreeAwaited(id));
  world_.shims.FinishLostTree(id, absl::OkStatus());
  world_.Turn();
  const ProcessEntry& over = world_.Get(id);
  EXPECT_TRUE(over.IsOver());
  EXPECT_TRUE(over.tree_empty);
  EXPECT_EQ(over.exit->cause, Cause::kRecordVersion);
  EXPECT_FALSE(over.exit->code.has_value());
  EXPECT_THAT(world_.shims.slots(), IsEmpty());
  world_.Run(Detached("web", "another-request"));  // its name is free
}

TEST_F(UnmanagedTest, WithoutACgroupItIsOverUnproven) {
  const std::string id = RunAndForgetHow(Detached("web"));
  world_.shims.Die(id);
  world_.Turn();
  world_.shims.FinishLostTree(id, absl::FailedPreconditionError("no cgroup"));
  world_.Turn();
  EXPECT_TRUE(world_.Get(id).IsOver());
  EXPECT_FALSE(world_.Get(id).tree_empty);
  EXPECT_NE(world_.Get(id).flags & kFlagLeaked, 0u);
  EXPECT_THAT(world_.Get(id).exit->unknown_detail, HasSubstr("unproven"));
}

TEST_F(UnmanagedTest, OneThatEndedWhileNoAgentWasThereIsSettledAtTheStart) {
  const std::string id = world_.Run(Detached("web"));
  world_.Kill();
  world_.shims.SlotOf(id).unreadable_version = 9;
  world_.shims.Die(id);
  world_.Start();
  ASSERT_TRUE(world_.shims.IsTreeAwaited(id));
  world_.shims.FinishLostTree(id, absl::OkStatus());
  world_.Turn();
  EXPECT_EQ(world_.Get(id).exit->cause, Cause::kRecordVersion);
  EXPECT_TRUE(world_.Get(id).IsOver());
}

TEST_F(UnmanagedTest, AnAgentThatCanReadItServesItAgain) {
  const std::string id = RunAndForgetHow(Detached("web"));
  world_.shims.SlotOf(id).unreadable_version = 0;
  world_.Restart();
  EXPECT_FALSE(world_.Get(id).IsUnmanaged());
  EXPECT_EQ(world_.Get(id).state, State::kRunning);
  world_.shims.End(id, 3);
  world_.Turn();
  EXPECT_EQ(world_.Get(id).exit->code, 3);
}

TEST_F(UnmanagedTest, AnEndThatWasAskedForIsToldByAnAgentThatCanReadIt) {
  const std::string id = RunAndForgetHow(Detached("web"));
  world_.Terminate(EndOf(Term(id)));
  world_.Turn();
  EXPECT_EQ(world_.shims.SlotOf(id).agent.terminate_serial, 0u);
  world_.shims.SlotOf(id).unreadable_version = 0;
  world_.Restart();
  EXPECT_EQ(world_.shims.SlotOf(id).agent.terminate_serial, 1u);
}

TEST_F(UnmanagedTest, AnOfferOfAProcessThatMayBeItIsNotRefused) {
  const std::string id = RunAndForgetHow(Detached("web"));
  world_.shims.Offer(id);
  world_.Turn();
  world_.scheduler.Advance(absl::Seconds(30));
  EXPECT_THAT(world_.shims.answers, IsEmpty());
}

TEST_F(UnmanagedTest, ItsClosedSessionNamesItAsASurvivorAtOnce) {
  const SessionEntry session = world_.OpenSession();
  const std::string id = RunAndForgetHow(InSession(session, "web"));
  std::optional<SessionEnd> closed;
  world_.supervisor->CloseSession(
      {PermitOf(), session.id, session.token, /*forget=*/true, std::nullopt, std::nullopt},
      [&](absl::StatusOr<SessionEnd> end) {
        ASSERT_TRUE(end.ok()) << end.status();
        closed = *std::move(end);
      });
  world_.Turn();
  ASSERT_TRUE(closed.has_value());
  EXPECT_EQ(closed->terminated, 0);
  EXPECT_THAT(closed->survivor_ids, ElementsAre(id));
  ASSERT_TRUE(world_.Get(id).termination.has_value());
  EXPECT_EQ(world_.Get(id).termination->cause, Cause::kSessionClosed);
  EXPECT_THAT(world_.store.sessions(), SizeIs(1)) << "it is kept for an agent that can end it";
  EXPECT_EQ(world_.shims.SlotOf(id).agent.terminate_serial, 0u);
}

TEST_F(UnmanagedTest, ItsLapsedSessionEndsTheOthersOnly) {
  const SessionEntry session = world_.OpenSession();
  const std::string other = world_.Run(InSession(session, "other", "r1"));
  const std::string id = RunAndForgetHow(InSession(session, "web", "r2"));
  world_.scheduler.Advance(absl::Seconds(15));
  EXPECT_EQ(world_.Get(other).termination->cause, Cause::kSessionExpired);
  EXPECT_NE(world_.shims.SlotOf(other).agent.terminate_serial, 0u);
  EXPECT_EQ(world_.Get(id).termination->cause, Cause::kSessionExpired);
  EXPECT_EQ(world_.shims.SlotOf(id).agent.terminate_serial, 0u);
}

}  // namespace
}  // namespace shoal::agent
