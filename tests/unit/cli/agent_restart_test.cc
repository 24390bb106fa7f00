// What a restarted agent keeps, and what is said of it.
#include "client/cli/agent_restart.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "client/cli/private_agent.h"

namespace shoal::cli {
namespace {

using Words = std::vector<std::string>;

TEST(AgentRestart, ItKeepsTheFlagsOfAnAgentThatACommandHasStarted) {
  const Words own = {"/usr/sbin/shoald", "--socket", "/run/a.sock", "--idle-exit", "10m",
                     "--ready-fd",       "3"};
  Words more = own;
  more.insert(more.end(), {"--slots", "4"});
  EXPECT_EQ(ExtraFlagsOf(own, "/run/a.sock"), Words());
  EXPECT_EQ(ExtraFlagsOf(more, "/run/a.sock"), (Words{"--slots", "4"}));
  EXPECT_EQ(ExtraFlagsOf(own, "/run/b.sock"), std::nullopt);
  EXPECT_EQ(ExtraFlagsOf({"shoald", "--config", "/etc/shoal/shoald.toml"}, "/run/a.sock"),
            std::nullopt);
  EXPECT_EQ(ExtraFlagsOf({""}, "/run/a.sock"), std::nullopt);
}

TEST(AgentRestart, ItSaysWhatKeepsRunning) {
  v1::Host facts;
  facts.set_agent_pid(4711);
  facts.set_slots(2);
  facts.set_live_processes(1);
  EXPECT_EQ(
      TellRestarted("/run/a.sock", facts),
      "restarted the agent on unix:/run/a.sock (PID 4711, 2 slots); 1 process keeps running.");
  facts.set_live_processes(0);
  EXPECT_EQ(
      TellRestarted("/run/a.sock", facts),
      "restarted the agent on unix:/run/a.sock (PID 4711, 2 slots); 0 processes keep running.");
}

}  // namespace
}  // namespace shoal::cli
