// exec: a command beside a process, on the host of that, with nothing of the environment of this one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/rpc/cli/agent_fixture.h"

namespace shoal::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ExecTest : public TwoAgentsTest {
 protected:
  ExecTest() {
    beetle_.Put(Running(kWeb, "web"));
    ant_.Put(Running(kDb, "db"));
  }
};

TEST_F(ExecTest, ItRunsBesideTheProcessOnItsHostAndTheExitIsItsOwn) {
  EXPECT_EQ(Shoal("exec web -- out:hello err:oops exit:3"), (Said{3, "hello", "oops"}));
  EXPECT_EQ(ant_.Calls("SpawnBatch"), 0);
  const v1::SpawnBatchRequest batch = beetle_.last_batch();
  ASSERT_EQ(batch.specs_size(), 1);
  EXPECT_EQ(batch.specs(0).beside(), kWeb);
  EXPECT_THAT(batch.specs(0).env(), IsEmpty()) << "that of the process is its own";
  EXPECT_EQ(batch.specs(0).cwd(), "");
  EXPECT_FALSE(batch.session_id().empty()) << "it ends with this command";
}

TEST_F(ExecTest, WhatIsGivenGoesBeforeWhatTheProcessHas) {
  setenv("HERE", "1", 1);
  EXPECT_EQ(Shoal("exec --env A=b --env HERE --cwd /tmp --name probe --timeout 1m --grace 2s "
                  "--session-ttl 7s --forget --stdin none web -- exit:0")
                .status,
            0);
  const v1::ProcessSpec spec = beetle_.last_batch().specs(0);
  EXPECT_THAT(spec.env(), ElementsAre("A=b", "HERE=1"));
  EXPECT_EQ(spec.cwd(), "/tmp");
  EXPECT_EQ(spec.name(), "probe");
  EXPECT_EQ(spec.time_limit().seconds(), 60);
  EXPECT_EQ(spec.grace().seconds(), 2);
  EXPECT_EQ(beetle_.last_open().ttl().seconds(), 7);
  EXPECT_FALSE(spec.has_terminal());
  EXPECT_EQ(Shoal("exec -t web -- exit:0").status, 0);
  EXPECT_TRUE(beetle_.last_batch().specs(0).has_terminal());
  EXPECT_EQ(Shoal("exec --terminal web -- exit:0").status, 0);
}

TEST_F(ExecTest, ItGoesToOneProcessThatIsThere) {
  EXPECT_THAT(Shoal("exec none -- exit:0").err, HasSubstr("is called \"none\""));
  EXPECT_THAT(Shoal("exec * -- exit:0").err,
              AllOf(HasSubstr("shoal: * fits 2 processes, "), HasSubstr("/db (BBBBBB) and "),
                    HasSubstr("/web (7KQ2MD): exec goes to one.\n")));
  EXPECT_EQ(Shoal("exec web").err, "shoal: what is to be run? Try `shoal exec web -- hostname`.\n");
  EXPECT_EQ(Shoal("exec").status, 2);
}

TEST_F(ExecTest, TheRefusalOfTheAgentIsTold) {
  beetle_.FailNext("SpawnBatch", absl::FailedPreconditionError("web has ended"));
  const Said said = Shoal("exec web -- exit:0");
  EXPECT_NE(said.status, 0);
  EXPECT_THAT(said.err, HasSubstr(": web has ended.\n"));
}

}  // namespace
}  // namespace shoal::testing
