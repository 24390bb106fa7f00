// What outlives the main process, with its shim and without.
#include <csignal>

#include "tests/unit/core/supervisor_fixture.h"

namespace shoal::agent {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

using DescendantsTest = SupervisorTest;

TEST_F(DescendantsTest, WhatOutlivedTheMainProcessIsKnownByNameAndTimeAndStaysSo) {
  const std::string id = world_.Run(Detached("web"));
  world_.shims.Exited(id, 0);
  world_.Turn();
  EXPECT_FALSE(world_.Get(id).descendants.has_value());
  record::ShimHalf& shim = world_.shims.SlotOf(id).shim;
  shim.descendant_count = 12;
  for (int i = 0; i < record::kMaxSurvivors; ++i) {
    shim.descendants[i] = {400 + i, "fifteen bytes15"};
  }
  world_.shims.Set(id, 0);
  world_.Turn();
  ASSERT_TRUE(world_.Get(id).descendants.has_value());
  EXPECT_EQ(world_.Get(id).descendants->signal, 0);
  world_.clock.Advance(absl::Seconds(4));
  shim.end_cause = record::EndCause::kDescendants;
  shim.end_signal = SIGTERM;
  shim.end_began_ns = absl::ToUnixNanos(world_.clock.Now());
  world_.clock.Advance(absl::Seconds(5));
  shim.killed_ns = absl::ToUnixNanos(world_.clock.Now());
  world_.shims.End(id, 0);
  world_.Turn();
  world_.Restart();
  const ProcessEntry& known = world_.Get(id);
  EXPECT_EQ(known.exit->cause, Cause::kExited);
  EXPECT_FALSE(known.termination.has_value());
  ASSERT_TRUE(known.descendants.has_value());
  EXPECT_EQ(known.descendants->count, 12);
  ASSERT_THAT(known.descendants->members, SizeIs(record::kMaxSurvivors));
  EXPECT_EQ(known.descendants->members[7].pid, 407);
  EXPECT_EQ(known.descendants->members[7].command, "fifteen bytes15");
  EXPECT_EQ(known.descendants->signal, SIGTERM);
  EXPECT_EQ(known.descendants->signal_time, *known.exit_time + absl::Seconds(4));
  EXPECT_EQ(known.descendants->kill_time, *known.exit_time + absl::Seconds(9));
}

TEST_F(DescendantsTest, WhatIsLeftOfATreeThatIsUnprovenIsNamed) {
  const std::string id = world_.Run(Detached("web"));
  world_.shims.orphans[id] = {411, 412};
  world_.shims.Die(id);
  world_.Turn();
  world_.shims.FinishLostTree(id, absl::FailedPreconditionError("no cgroup"));
  world_.Turn();
  EXPECT_THAT(world_.Get(id).exit->unknown_detail, HasSubstr("processes with its SHOAL_ID: 2"));
  EXPECT_THAT(world_.Get(id).survivors, SizeIs(2));
  auto ended = world_.Terminate(EndOf(Term(id)));
  ASSERT_EQ(ended->calls, 1);
  EXPECT_THAT(ended->outcomes[0].second.message(), HasSubstr("left of it was 411 daemon"));
}

}  // namespace
}  // namespace shoal::agent
