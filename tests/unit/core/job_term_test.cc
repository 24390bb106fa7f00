// The name of a job as a term of a selector: it means the ranks that were started together under it.
#include "tests/unit/core/supervisor_fixture.h"

namespace shoal::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

class JobTermTest : public SupervisorTest {
 protected:
  // The ids of what is started.
  std::vector<std::string> Started(const SpawnCommand& command) {
    world_.clock.Advance(absl::Seconds(1));
    auto reply = world_.Spawn(command);
    world_.Turn();
    world_.shims.StartAll();
    world_.Turn();
    EXPECT_EQ(reply->calls, 1);
    return reply->ids;
  }
  void End(const std::string& id) {
    world_.shims.End(id, 0);
    world_.Turn();
  }
  std::vector<std::string> IdsOf(const std::string& term) {
    std::vector<std::string> ids;
    const auto found = world_.Select(Term(term));
    EXPECT_TRUE(found.ok()) << found.status();
    if (!found.ok()) return ids;
    for (const ProcessEntry* process : *found) ids.push_back(process->id);
    return ids;
  }
};

TEST_F(JobTermTest, AJobsNameIsAllItsRanksAndARanksNameIsThatRank) {
  const std::vector<std::string> ranks = Started(Ranks("p", 12));
  EXPECT_THAT(ranks, SizeIs(12));
  EXPECT_THAT(IdsOf("p"), ::testing::UnorderedElementsAreArray(ranks));
  EXPECT_THAT(IdsOf("p.1"), ElementsAre(ranks[1]));
}

TEST_F(JobTermTest, ThoseThatHaveEndedBelongToItAsLongAsOneLives) {
  const std::vector<std::string> ranks = Started(Ranks("p", 2));
  End(ranks[0]);
  EXPECT_THAT(IdsOf("p"), UnorderedElementsAre(ranks[0], ranks[1]));
}

TEST_F(JobTermTest, WhatIsCalledAlikeIsNotOfTheJob) {
  const std::string alone = Started(Detached("p.extra", "r1"))[0];
  const std::string dotted = Started(Ranks("p.q", 1, "r2"))[0];
  const std::string like_a_rank = Started(Detached("p.7", "r3"))[0];
  const std::string rank = Started(Ranks("p", 1, "r4"))[0];
  EXPECT_THAT(IdsOf("p"), ElementsAre(rank));
  EXPECT_THAT(IdsOf("p.q"), ElementsAre(dotted));
  EXPECT_THAT(IdsOf("p.7"), ElementsAre(like_a_rank));
  EXPECT_THAT(IdsOf("p.extra"), ElementsAre(alone));
}

TEST_F(JobTermTest, AnEarlierJobOfTheNameIsNotMeantByIt) {
  const std::vector<std::string> first = Started(Ranks("p", 3, "r1"));
  for (const std::string& id : first) End(id);
  EXPECT_THAT(IdsOf("p"), SizeIs(3));
  const std::string second = Started(Ranks("p", 1, "r2"))[0];
  EXPECT_THAT(IdsOf("p"), ElementsAre(second));
  End(second);
  EXPECT_THAT(IdsOf("p"), ElementsAre(second)) << "what was started last";
  EXPECT_THAT(IdsOf("p.2"), ElementsAre(first[2]));
}

TEST_F(JobTermTest, AProcessAndAJobOfOneNameAreBothMeantWhileTheyHoldIt) {
  const std::string process = Started(Detached("p", "r1"))[0];
  const std::string rank = Started(Ranks("p", 1, "r2"))[0];
  EXPECT_THAT(IdsOf("p"), UnorderedElementsAre(process, rank));
  End(rank);
  EXPECT_THAT(IdsOf("p"), ElementsAre(process));
}

TEST_F(JobTermTest, IsFoundAgainByTheNextAgent) {
  const std::vector<std::string> ranks = Started(Ranks("p", 3));
  world_.Restart();
  EXPECT_THAT(IdsOf("p"), ::testing::UnorderedElementsAreArray(ranks));
  EXPECT_FALSE(world_.Select(Term("q")).ok());
}

TEST_F(JobTermTest, AllRanksAreEndedByIt) {
  Started(Ranks("p", 3));
  auto reply = world_.Terminate(EndOf(Term("p")));
  world_.Turn();
  for (const auto& [id, process] : world_.store.processes()) End(id);
  EXPECT_EQ(reply->calls, 1);
  EXPECT_THAT(reply->outcomes, SizeIs(3));
}

}  // namespace
}  // namespace shoal::agent
