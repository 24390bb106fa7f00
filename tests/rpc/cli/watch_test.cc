// watch: changes of state as they come.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <thread>

#include "shoal/host_list.h"
#include "tests/rpc/cli/agent_fixture.h"

namespace shoal::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class WatchTest : public AgentCommandTest {
 protected:
  // With "TIME" where the time stands.
  static Said Watch(const std::string& line) {
    Said said = Shoal(line);
    said.out = std::regex_replace(said.out, std::regex("\\d\\d:\\d\\d:\\d\\d\\.\\d\\d\\d"), "TIME");
    return said;
  }
};

TEST_F(WatchTest, FirstShowsWhatLives) {
  v1::Process pending = Running(kDb, "a-name-that-is-longer");
  pending.set_state(v1::STATE_PENDING);
  pending.set_pid(0);
  ant_.Put(Running(kWeb, "web"));
  ant_.Put(pending);
  ant_.Put(Exited(kSim, "sim", 0));
  ant_.BreakAfter("Watch", 3, 1, absl::OkStatus());
  EXPECT_EQ(Watch("watch"),
            (Said{0,
                  "TIME  web               7KQ2MD  ant       48213    running\n"
                  "TIME  a-name-that-is-longer  BBBBBB  ant       –        pending\n",
                  ""}));
}

TEST_F(WatchTest, AHostIsNamedByItselfOrAsItWasWritten) {
  ant_.Put(Running(kWeb, "web"));
  for (const std::string& host : {std::string("ant"), UnixAddress(ant_.socket_path()).name}) {
    ant_.BreakAfter("Watch", 1, 1, absl::OkStatus());
    EXPECT_EQ(Watch(absl::StrCat("watch ", host, "/web")),
              (Said{0, "TIME  web               7KQ2MD  ant       48213    running\n", ""}));
  }
}

TEST_F(WatchTest, ANameThatNoProcessHasIsAnErrorAndAGlobWaits) {
  ant_.Put(Running(kWeb, "web"));
  EXPECT_EQ(
      Watch("watch wbe w*"),
      (Said{1, "", "shoal: no process on ant is called \"wbe\"; `shoal ps -a` lists them.\n"}));
  EXPECT_EQ(ant_.Calls("Watch"), 0);
  ant_.BreakAfter("Watch", 0, 1, absl::OkStatus());
  EXPECT_EQ(Watch("watch x*"), (Said{0, "", ""}));
}

TEST_F(WatchTest, ThenEachChangeOnce) {
  ant_.Put(Running(kWeb, "web"));
  ant_.BreakAfter("Watch", 4, 1, absl::OkStatus());
  std::thread agent([this] {
    ant_.AwaitCalls("WatchSynced", 1);
    ant_.Write(kWeb, v1::STREAM_KIND_STDOUT, "a change that is not one of state");
    ant_.AwaitCalls("WatchSent", 2);
    ant_.Exit(kWeb, 3);
    ant_.Put(Running(kDb, "db"));
  });
  EXPECT_EQ(Watch("watch"),
            (Said{0,
                  "TIME  web               7KQ2MD  ant       48213    running\n"
                  "TIME  web               7KQ2MD  ant       48213    exited(3), tree empty\n",
                  ""}));
  agent.join();
}

TEST_F(WatchTest, WhatIsForgottenIsSaidToBe) {
  ant_.Put(Running(kWeb, "web"));
  ant_.BreakAfter("Watch", 4, 1, absl::OkStatus());
  std::thread agent([this] {
    ant_.AwaitCalls("WatchSynced", 1);
    ant_.Exit(kWeb, 0);
    ant_.AwaitCalls("WatchSent", 2);
    ant_.Delete(kWeb);
    ant_.Put(Running(kDb, "db"));  // instead of which the stream ends
  });
  EXPECT_THAT(Watch("watch").out,
              ::testing::EndsWith("TIME  web               7KQ2MD  ant       –        deleted\n"));
  agent.join();
}

TEST_F(WatchTest, ABrokenConnectionIsToldAndMended) {
  ant_.Put(Running(kWeb, "web"));
  ant_.BreakAfter("Watch", 2, 1);
  ant_.BreakAfter("Watch", 1, 1, absl::PermissionDeniedError("not yours any more"));
  std::thread agent([this] {
    ant_.AwaitCalls("WatchSynced", 1);
    ant_.Exit(kWeb, 0);
    ant_.Put(Running(kDb, "db"));
  });
  EXPECT_EQ(Watch("watch"),
            (Said{1,
                  "TIME  web               7KQ2MD  ant       48213    running\n"
                  "TIME  web               7KQ2MD  ant       48213    exited(0), tree empty\n",
                  "shoal: ant: the connection broke (the connection was closed by the other side); "
                  "trying again.\n"
                  "shoal: ant: connected again.\n"
                  "shoal: not yours any more.\n"}));
  agent.join();
}

TEST_F(WatchTest, AnAgentThatTellsAllAgainTellsNoNews) {
  ant_.Put(Exited(kSim, "sim", 0));
  ant_.Put(Running(kWeb, "web"));
  ant_.BreakAfter("Watch", 4, 1);
  ant_.BreakAfter("Watch", 1, 1);  // the revision to go on from is gone
  ant_.BreakAfter("Watch", 3, 1, absl::OkStatus());
  std::thread agent([this] {
    ant_.AwaitCalls("WatchSynced", 1);
    ant_.Hold("Watch");
    ant_.Exit(kWeb, 3);
    ant_.AwaitCalls("WatchSent", 3);
    ant_.Put(Exited(kDb, "db", 0));
    ant_.Compact();
    ant_.Release("Watch");
  });
  const Said said = Watch("watch");
  agent.join();
  EXPECT_THAT(said.out, Not(HasSubstr("sim"))) << said;
  EXPECT_THAT(said.out, HasSubstr("exited(3), tree empty\n"));
}

TEST_F(WatchTest, InJsonWhatWasOverBeforeIsNoNewsEither) {
  ant_.Put(Exited(kSim, "sim", 0));
  ant_.Put(Running(kWeb, "web"));
  ant_.BreakAfter("Watch", 4, 1, absl::OkStatus());
  std::thread agent([this] {
    ant_.AwaitCalls("WatchSynced", 1);
    ant_.Exit(kWeb, 3);
    ant_.AwaitCalls("WatchSent", 3);
    ant_.Put(Running(kDb, "db"));
  });
  const Said said = Watch("watch -o json");
  agent.join();
  EXPECT_THAT(said.out, Not(HasSubstr("\"sim\"")));
  EXPECT_THAT(said.out, HasSubstr("STATE_RUNNING"));
  EXPECT_THAT(said.out, HasSubstr("STATE_EXITED"));
}

TEST_F(WatchTest, InJsonIsEachEvent) {
  v1::Process web = Running(kWeb, "web");
  (*web.mutable_spec()->mutable_labels())["job"] = "x";
  ant_.Put(web);
  ant_.Put(Running(kDb, "db"));
  ant_.BreakAfter("Watch", 1, 1, absl::OkStatus());
  Said said = Watch("watch -o json -l job=x");
  EXPECT_EQ(said.out.find("{\"kind\":\"process\",\"host\":\"ant\",\"id\":\"7KQ2MDAAAAAAAAAA\""), 0u)
      << said;
}

}  // namespace
}  // namespace shoal::testing
