// Names of processes, as the shells complete them.
#include <gtest/gtest.h>

#include <string>

#include "tests/rpc/cli/agent_fixture.h"

namespace shoal::testing {
namespace {

class CompleteTest : public TwoAgentsTest {
 protected:
  CompleteTest() {
    setenv("SHOAL_COMPLETE_TIMEOUT", "5m", 1);  // on a busy machine a second is short
    ant_.Put(Running(kWeb, "web"));
    ant_.Put(Exited(kSim, "was", 0));
    v1::Process db = Running(kDb, "db");
    db.set_host("beetle");
    beetle_.Put(db);
  }

  ~CompleteTest() override { unsetenv("SHOAL_COMPLETE_TIMEOUT"); }

  static std::string Complete(const std::string& typed) {
    std::vector<std::string> words = {"complete", "--"};
    for (absl::string_view word : absl::StrSplit(typed, ' ')) words.emplace_back(word);
    const Said said = RunCommand(words);
    EXPECT_EQ(said.status, 0);
    return said.out;
  }
};

TEST_F(CompleteTest, OffersLivingProcessesOfAllHosts) {
  EXPECT_EQ(Complete("stop "),
            "words\n"
            "db\tbeetle, running, PID 48213: serve\n"
            "web\tant, running, PID 48213: serve\n");
  EXPECT_EQ(Complete("exec w"), "words\nweb\tant, running, PID 48213: serve\n");
  EXPECT_EQ(Complete("signal HUP d"), "words\ndb\tbeetle, running, PID 48213: serve\n");
  EXPECT_EQ(Complete("stop db w"), "words\nweb\tant, running, PID 48213: serve\n");
  EXPECT_EQ(Complete("stop x"), "words\n");
}

TEST_F(CompleteTest, OffersEndedOnesWhereTheyAreOfUse) {
  EXPECT_EQ(Complete("rm "), "words\nwas\tant, exited(0), PID 48213: serve\n");
  EXPECT_EQ(Complete("why wa"), "words\nwas\tant, exited(0), PID 48213: serve\n");
}

TEST_F(CompleteTest, OffersAJobByItsNameWhereItsRanksAreTakenByIt) {
  for (int rank : {0, 1}) {
    v1::Process process = Running(absl::StrCat("RANK", rank), absl::StrCat("sim.", rank));
    process.set_rank(rank);
    ant_.Put(process);
  }
  const std::string ranks =
      "sim.0\tant, running, PID 48213: serve\n"
      "sim.1\tant, running, PID 48213: serve\n";
  EXPECT_EQ(Complete("stop s"), "words\nsim\ta job of 2 ranks\n" + ranks);
  EXPECT_EQ(Complete("stop sim."), "words\n" + ranks);
  EXPECT_EQ(Complete("exec s"), "words\n" + ranks);
}

TEST_F(CompleteTest, AsksTheHostsThatWereTyped) {
  EXPECT_EQ(Complete("-H " + beetle_.hosts() + " stop "),
            "words\ndb\tbeetle, running, PID 48213: serve\n");
  EXPECT_EQ(Complete("-H " + beetle_.hosts() + " stop beetle/"),
            "words\nbeetle/db\tbeetle, running, PID 48213: serve\n");
  EXPECT_EQ(Complete("-H " + beetle_.hosts() + " stop ant/"), "words\n");
  EXPECT_EQ(Complete("stop -H " + ant_.hosts() + " "),
            "words\nweb\tant, running, PID 48213: serve\n");
}

TEST_F(CompleteTest, SaysNothingWhenNoHostAnswers) {
  setenv("SHOAL_HOSTS", (home_ + "/no.sock").c_str(), 1);
  EXPECT_EQ(Complete("stop "), "words\n");
}

}  // namespace
}  // namespace shoal::testing
