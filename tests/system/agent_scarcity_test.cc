// A running agent that has no descriptor left ends processes all the same.
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/unique_fd.h"
#include "tests/support/system/pids_cgroup.h"
#include "tests/support/system/system_test.h"

namespace shoal::testing {
namespace {

constexpr size_t kLimit = 80;
// Of descriptors and PIDs there are as many as are counted.
const std::vector<std::string> kNoIdleShims = {"--idle-shims=0"};

class AgentScarcity : public SystemTest {
 protected:
  // From its next start on the agent may have so many descriptors.
  void Limit(AgentProcess& agent) {
    WriteFile(Scratch("tight"),
              absl::StrCat("#!/bin/sh\nulimit -n ", kLimit, "\nexec ", ShoaldPath(), " \"$@\"\n"),
              0755);
    agent.options().program = Scratch("tight");
  }
  // Of those that count: what it was started with may have a number above its limit.
  static size_t OpenDescriptorsOf(const AgentProcess& agent) {
    const std::filesystem::directory_iterator open(absl::StrCat("/proc/", agent.pid(), "/fd"));
    return static_cast<size_t>(
        std::count_if(begin(open), end(open), [](const std::filesystem::directory_entry& entry) {
          return std::stoul(entry.path().filename()) < kLimit;
        }));
  }
  // The agent has sent its settings.
  static bool IsAccepted(const UniqueFd& connection) {
    pollfd asked = {connection.get(), POLLIN, 0};
    return poll(&asked, 1, 0) == 1;
  }
  static UniqueFd Connect(const AgentProcess& agent) {
    UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = agent.socket();
    std::copy(path.begin(), path.end(), address.sun_path);
    EXPECT_EQ(connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    return fd;
  }
};

TEST_F(AgentScarcity, ANewClientStopsAProcessOfAnAgentWithoutDescriptors) {
  AgentProcess& agent = AddAgent("ant", kNoIdleShims);
  Limit(agent);
  ASSERT_TRUE(agent.Start());
  agent.stub().Spawn(SpecOf({ChildPath(), "sleep"}, "web"));
  // One after the other: what is open at a look may be so for a moment alone.
  std::vector<UniqueFd> idle;
  WaitUntil("no descriptor is left but one", [&] {
    if (OpenDescriptorsOf(agent) >= kLimit - 1) return true;
    if (idle.empty() || IsAccepted(idle.back())) idle.push_back(Connect(agent));
    return false;
  });
  // That one, and one of those that the agent has to spare.
  for (int i = 0; i < 2; ++i) {
    idle.push_back(Connect(agent));
    WaitUntil("it is accepted", [&] { return IsAccepted(idle.back()); });
  }
  const CommandResult stopped = Shoal({"stop", "web"});
  EXPECT_EQ(stopped.exit_code, 0) << stopped;
  EXPECT_TRUE(agent.stub().Get("web").tree_empty());
}

TEST_F(AgentScarcity, AnAgentThatFindsMoreShimsThanItHasDescriptorsEndsThemAll) {
  AgentProcess& agent = StartAgent("ant", kNoIdleShims);
  for (size_t i = 0; i < kLimit; ++i) agent.stub().Spawn(SpecOf({ChildPath(), "sleep"}));
  agent.Kill();
  Limit(agent);
  ASSERT_TRUE(agent.Start());
  const CommandResult stopped = Shoal({"stop", "*"});
  EXPECT_EQ(stopped.exit_code, 0) << stopped;
}

// One that gRPC counts and cannot make would keep what is queued to it for good.
TEST_F(AgentScarcity, TheExecutorHasAllItsThreadsFromTheStart) {
  const AgentProcess& agent = StartAgent("ant");
  size_t threads = 0;
  for (const auto& thread :
       std::filesystem::directory_iterator(absl::StrCat("/proc/", agent.pid(), "/task"))) {
    threads += ReadFile(thread.path() / "comm") == "default-executo\n" ? 1 : 0;
  }
  EXPECT_EQ(threads, 2 * static_cast<size_t>(sysconf(_SC_NPROCESSORS_CONF)));
}

TEST_F(AgentScarcity, ANewClientStopsABombThatHasLeftNoPid) {
  AgentProcess& agent = StartAgent("ant", kNoIdleShims);
  PidsCgroup cgroup(agent.pid());
  if (!cgroup.usable()) GTEST_SKIP() << "no writable pids controller";
  cgroup.Write("pids.max", cgroup.Current() + 60);
  agent.stub().Spawn(SpecOf({ChildPath(), "bomb"}, "grows"));
  WaitUntil("the bomb has filled its limit", [&] { return cgroup.Current() > 40; });
  std::vector<std::unique_ptr<RunningCommand>> others;
  others.reserve(24);
  for (int i = 0; i < 24; ++i) others.push_back(StartShoal({"ps"}));
  for (const auto& other : others) other->Wait();  // the bomb leaves them little time
  const CommandResult stopped = Shoal({"stop", "grows"});
  EXPECT_EQ(stopped.exit_code, 0) << stopped;
  // One that ends after the agent would be left to this program as a zombie, which counts.
  WaitUntil("its shims have ended", [&] { return ChildrenOf(agent.pid()).empty(); });
  agent.Stop();
  cgroup.WaitEmpty();
}

}  // namespace
}  // namespace shoal::testing
