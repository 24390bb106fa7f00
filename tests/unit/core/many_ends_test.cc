// Ends of more processes than are told at once.
#include "agent/core/terminator.h"
#include "tests/unit/core/supervisor_fixture.h"

namespace shoal::agent {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

const size_t kAtOnce = SupervisorOptions().ends_at_once;
const int kMany = 2 * static_cast<int>(kAtOnce);

class ManyEndsTest : public SupervisorTest {
 protected:
  std::vector<std::string> RunMany(const std::string& name, const std::string& request_id) {
    const auto reply = world_.Spawn(Ranks(name, kMany, request_id));
    for (int turn = 0; turn < kMany && reply->calls == 0; ++turn) {
      world_.Turn();
      world_.shims.StartAll();
    }
    EXPECT_THAT(reply->ids, SizeIs(kMany));
    return reply->ids;
  }
  std::vector<std::string> Told(const std::vector<std::string>& ids) {
    std::vector<std::string> told;
    for (const std::string& id : ids) {
      if (world_.shims.HasSlot(id) && world_.shims.SlotOf(id).agent.terminate_serial > 0) {
        told.push_back(id);
      }
    }
    return told;
  }
  std::shared_ptr<BulkReply> EndAll() {
    auto reply = world_.Terminate(EndOf(All()));
    world_.Turn();
    return reply;
  }
};

TEST_F(ManyEndsTest, SomeAreToldAtATimeAndTheNextWhenOneIsOver) {
  const std::vector<std::string> ids = RunMany("job", "r1");
  const auto reply = EndAll();
  ASSERT_THAT(Told(ids), SizeIs(kAtOnce));
  for (const std::string& id : Told(ids)) world_.shims.End(id, 0);
  world_.Turn();
  const std::vector<std::string> rest = Told(ids);
  EXPECT_THAT(rest, SizeIs(kAtOnce)) << "the others";
  EXPECT_EQ(reply->calls, 0);
  for (const std::string& id : rest) world_.shims.End(id, 0);
  world_.Turn();
  EXPECT_EQ(reply->calls, 1);
  EXPECT_THAT(reply->outcomes, SizeIs(kMany));
}

TEST_F(ManyEndsTest, OnesThatGoOnInTheirGraceHoldNobodyUp) {
  const std::vector<std::string> ids = RunMany("job", "r1");
  EndAll();
  ASSERT_THAT(Told(ids), SizeIs(kAtOnce));
  world_.scheduler.Advance(Terminator::kPatience);
  EXPECT_THAT(Told(ids), SizeIs(kMany));
}

TEST_F(ManyEndsTest, AnotherCallIsNotBehindAllThatWait) {
  const std::vector<std::string> ids = RunMany("job", "r1");
  const std::string other = world_.Run(Detached("other", "r2"));
  TerminateCommand all = EndOf(Term("job.*"));
  world_.Terminate(std::move(all));
  world_.Turn();
  world_.Terminate(EndOf(Term("other")));
  world_.Turn();
  EXPECT_THAT(Told({other}), IsEmpty());
  const std::vector<std::string> first = Told(ids);
  world_.shims.End(first[0], 0);
  world_.shims.End(first[1], 0);
  world_.Turn();
  EXPECT_THAT(Told({other}), SizeIs(1));
}

// What waits is stored: the next agent tells it.
TEST_F(ManyEndsTest, AKillLosesNoEndThatWaits) {
  const std::vector<std::string> ids = RunMany("job", "r1");
  EndAll();
  ASSERT_THAT(Told(ids), SizeIs(kAtOnce));
  world_.Restart();
  world_.scheduler.Advance(Terminator::kPatience);
  EXPECT_THAT(Told(ids), SizeIs(kMany));
}

TEST_F(ManyEndsTest, EnvironmentsGoWithTheLastOfTheirRequest) {
  const std::vector<std::string> ids = RunMany("job", "r1");
  for (size_t i = 1; i < ids.size(); ++i) world_.shims.End(ids[i], 0);
  world_.Turn();
  const auto spec = world_.Get(ids[0]).spec;
  EXPECT_EQ(world_.Get(ids[1]).spec, spec) << "the first lives and needs it";
  world_.shims.End(ids[0], 0);
  world_.Turn();
  EXPECT_EQ(world_.Get(ids[1]).spec, world_.Get(ids[0]).spec);
}

}  // namespace
}  // namespace shoal::agent
