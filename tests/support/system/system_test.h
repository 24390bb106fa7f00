// The fixture of every system test: scratch directory, agents, command line, and the check that
// nothing is left.
//
// Each test is a process of its own under ctest; what it starts is below it, in its scratch
// directory, its cgroup and its network.
#ifndef SHOAL_TESTS_SUPPORT_SYSTEM_SYSTEM_TEST_H_
#define SHOAL_TESTS_SUPPORT_SYSTEM_SYSTEM_TEST_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/system/agent_process.h"
#include "tests/support/system/agent_stub.h"
#include "tests/support/system/binaries.h"
#include "tests/support/system/certificates.h"
#include "tests/support/system/command.h"
#include "tests/support/system/leftovers.h"
#include "tests/support/system/test_network.h"

namespace shoal::testing {

class SystemTest : public ::testing::Test {
 protected:
  void SetUp() override;
  // Ends every process of every agent that runs, then the agents, then checks.
  void TearDown() override;

  // A path in the scratch directory.
  std::string Scratch(const std::string& name) const { return scratch_ + "/" + name; }
  void WriteFile(const std::string& path, const std::string& bytes, int mode = 0600);
  std::string ReadFile(const std::string& path);

  // An agent that is not started yet; it lives as long as the fixture.
  AgentProcess& AddAgent(const std::string& name, std::vector<std::string> flags = {});
  // The same, ready.
  AgentProcess& StartAgent(const std::string& name, std::vector<std::string> flags = {});

  // The environment of a user whose home, configuration and runtime directory are in the scratch
  // directory; SHOAL_HOSTS is the agents' Unix sockets.
  std::map<std::string, std::string> UserEnvironment() const;
  CommandOptions UserOptions() const;
  // `shoal ARGUMENTS…`.
  CommandResult Shoal(std::vector<std::string> arguments) const;
  std::unique_ptr<RunningCommand> StartShoal(std::vector<std::string> arguments,
                                             bool own_group = false) const;

  // Additions to the user's environment.
  std::map<std::string, std::string> extra_env_;
  // Where SHOAL_HOSTS points; empty: the sockets of all agents.
  std::string hosts_;
  std::deque<AgentProcess> agents_;

 private:
  std::string scratch_;
  std::string cgroup_base_;
  std::unique_ptr<Leftovers> leftovers_;
};

struct PrintedProcess {
  std::string id;
  std::string name;
  pid_t pid = 0;
};

// `shoal … -o json`: one object per line, each a process.
std::vector<PrintedProcess> ParseProcesses(const std::string& json_lines);

// "spawn:told" as the name of a test: "spawn_told".
std::string NameOfStep(const ::testing::TestParamInfo<const char*>& step);

// One line, no more: what a bad input is answered with.
MATCHER(IsOneReadableLine, "") {
  return !arg.empty() && arg.find('\n') == arg.size() - 1 && arg.find('\x1b') == std::string::npos;
}

}  // namespace shoal::testing

#endif  // SHOAL_TESTS_SUPPORT_SYSTEM_SYSTEM_TEST_H_
