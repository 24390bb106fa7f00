#include "tests/support/system/system_test.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace shoal::testing {
namespace {

constexpr char kCgroupRoots[][64] = {"/sys/fs/cgroup/unified", "/sys/fs/cgroup"};

// A cgroup v2 directory of this test's own, or "" where none can be made.
std::string MakeCgroup() {
  for (const char* root : kCgroupRoots) {
    if (access(absl::StrCat(root, "/cgroup.procs").c_str(), W_OK) != 0) continue;
    std::string path = absl::StrCat(root, "/shoal-test-", getpid());
    if (mkdir(path.c_str(), 0755) == 0) return path;
  }
  return "";
}

}  // namespace

void SystemTest::SetUp() {
  char name[] = "/tmp/shoal-XXXXXX";
  ASSERT_NE(mkdtemp(name), nullptr);
  scratch_ = name;
  for (const char* directory : {"home", "run", "state", "config"}) {
    mkdir(Scratch(directory).c_str(), 0700);
  }
  cgroup_base_ = MakeCgroup();
  leftovers_ = std::make_unique<Leftovers>(scratch_, cgroup_base_);
}

void SystemTest::TearDown() {
  for (AgentProcess& agent : agents_) {
    if (agent.IsRunning()) agent.stub().TerminateAll();
  }
  for (AgentProcess& agent : agents_) {
    if (agent.IsRunning()) agent.Stop();
  }
  if (HasFailure()) {
    for (AgentProcess& agent : agents_) {
      std::cerr << "--- log of agent " << agent.name() << "\n" << agent.Log();
    }
  }
  if (leftovers_) leftovers_->Check();
  agents_.clear();
  std::error_code ignored;
  if (!scratch_.empty()) std::filesystem::remove_all(scratch_, ignored);
}

void SystemTest::WriteFile(const std::string& path, const std::string& bytes, int mode) {
  std::ofstream(path, std::ios::binary) << bytes;
  chmod(path.c_str(), static_cast<mode_t>(mode));
}

std::string SystemTest::ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

AgentProcess& SystemTest::AddAgent(const std::string& name, std::vector<std::string> flags) {
  AgentOptions options;
  options.name = name;
  options.directory = Scratch(name);
  // Below the test's own cgroup; the agent makes what it needs there.
  if (!cgroup_base_.empty()) {
    options.cgroup_base = absl::StrCat(cgroup_base_, "/", name);
    mkdir(options.cgroup_base.c_str(), 0755);
  }
  options.flags = std::move(flags);
  return agents_.emplace_back(std::move(options));
}

AgentProcess& SystemTest::StartAgent(const std::string& name, std::vector<std::string> flags) {
  AgentProcess& agent = AddAgent(name, std::move(flags));
  agent.Start();
  return agent;
}

std::map<std::string, std::string> SystemTest::UserEnvironment() const {
  std::map<std::string, std::string> env = extra_env_;
  env.emplace("PATH", "/usr/local/bin:/usr/bin:/bin");
  env.emplace("HOME", Scratch("home"));
  env.emplace("LANG", "C.UTF-8");
  env.emplace("XDG_RUNTIME_DIR", Scratch("run"));
  env.emplace("XDG_STATE_HOME", Scratch("state"));
  env.emplace("XDG_CONFIG_HOME", Scratch("config"));
  std::vector<std::string> targets;
  for (const AgentProcess& agent : agents_) targets.push_back(agent.target());
  const std::string hosts = hosts_.empty() ? absl::StrJoin(targets, ",") : hosts_;
  if (!hosts.empty()) env.emplace("SHOAL_HOSTS", hosts);
  return env;
}

CommandOptions SystemTest::UserOptions() const {
  CommandOptions options;
  options.env = UserEnvironment();
  options.cwd = Scratch("home");
  return options;
}

CommandResult SystemTest::Shoal(std::vector<std::string> arguments) const {
  return StartShoal(std::move(arguments))->Wait();
}

std::unique_ptr<RunningCommand> SystemTest::StartShoal(std::vector<std::string> arguments,
                                                       bool own_group) const {
  arguments.insert(arguments.begin(), ShoalPath());
  CommandOptions options = UserOptions();
  options.own_group = own_group;
  return std::make_unique<RunningCommand>(std::move(arguments), options);
}

std::vector<PrintedProcess> ParseProcesses(const std::string& json_lines) {
  std::vector<PrintedProcess> processes;
  for (absl::string_view line : absl::StrSplit(json_lines, '\n', absl::SkipEmpty())) {
    const nlohmann::json value = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    const bool is_one = value.is_object() && value.value("kind", "") == "process";
    EXPECT_TRUE(is_one) << line;
    if (!is_one) continue;
    processes.push_back({value.value("id", ""), value.value("name", ""), value.value("pid", 0)});
  }
  return processes;
}

std::string NameOfStep(const ::testing::TestParamInfo<const char*>& step) {
  std::string name = step.param;
  for (char& c : name) c = c == ':' || c == '-' ? '_' : c;
  return name;
}

}  // namespace shoal::testing
