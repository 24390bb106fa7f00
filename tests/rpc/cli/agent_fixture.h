// Commands against agents that are faked: what is asked of them, and what is printed of what they
// answer.
//
// Ownership:     the test's.
// Thread-safety: the test's main thread only, but for the agents.
#ifndef SHOAL_TESTS_RPC_CLI_AGENT_FIXTURE_H_
#define SHOAL_TESTS_RPC_CLI_AGENT_FIXTURE_H_

#include <stdlib.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/support/fake_agent.h"
#include "tests/support/shoal_command.h"

namespace shoal::testing {

inline constexpr char kWeb[] = "7KQ2MDAAAAAAAAAA";
inline constexpr char kDb[] = "BBBBBBBBBBBBBBBB";
inline constexpr char kSim[] = "SIMSIMSIMSIMSIMS";

inline void SetTime(google::protobuf::Timestamp* timestamp, absl::Time time) {
  timestamp->set_seconds(absl::ToUnixSeconds(time));
}

// 2026-03-01 at that time, in the zone of CommandTest.
inline absl::Time At(int hour, int minute, int second) {
  return absl::FromCivil(absl::CivilSecond(2026, 3, 1, hour, minute, second), absl::UTCTimeZone());
}

// Runs since 14:02:11.
inline v1::Process Running(const std::string& id, const std::string& name) {
  v1::Process process;
  process.set_id(id);
  process.set_name(name);
  process.set_host("ant");
  process.set_pid(48213);
  process.set_owner("uid:1000");
  process.set_state(v1::STATE_RUNNING);
  process.mutable_spec()->add_argv("serve");
  SetTime(process.mutable_create_time(), At(14, 2, 10));
  SetTime(process.mutable_start_time(), At(14, 2, 11));
  return process;
}

// Ended at 14:02:41, with everything that it started.
inline v1::Process Exited(const std::string& id, const std::string& name, int code) {
  v1::Process process = Running(id, name);
  process.set_state(v1::STATE_EXITED);
  process.mutable_exit()->set_code(code);
  process.mutable_exit()->set_cause(v1::CAUSE_EXITED);
  SetTime(process.mutable_exit_time(), At(14, 2, 41));
  process.set_tree_empty(true);
  process.set_output_complete(true);
  return process;
}

// One agent, "ant", which is the default host.
class AgentCommandTest : public CommandTest {
 protected:
  AgentCommandTest() : ant_("ant") { setenv("SHOAL_HOSTS", ant_.hosts().c_str(), 1); }

  FakeAgent ant_;
};

// Another one besides, "beetle".
class TwoAgentsTest : public AgentCommandTest {
 protected:
  TwoAgentsTest() : beetle_("beetle") {
    setenv("SHOAL_HOSTS", absl::StrCat(ant_.hosts(), ",", beetle_.hosts()).c_str(), 1);
  }

  FakeAgent beetle_;
};

}  // namespace shoal::testing

#endif  // SHOAL_TESTS_RPC_CLI_AGENT_FIXTURE_H_
