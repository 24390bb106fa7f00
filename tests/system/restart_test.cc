// The agent killed and restarted: no exit lost, no byte lost, nothing run twice.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/ids.h"
#include "tests/support/system/system_test.h"

namespace shoal::testing {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class Restart : public SystemTest {
 protected:
  // Opens and closes a FIFO for writing, which lets every process go on that reads it.
  static void OpenGate(const std::string& fifo) {
    const int fd = open(fifo.c_str(), O_WRONLY | O_CLOEXEC);
    EXPECT_GE(fd, 0);
    close(fd);
  }
};

// A zombie that has lost its shim is ours to reap, and has ended.
bool HasEnded(pid_t pid) { return ProcessState(pid) == '?' || ProcessState(pid) == 'Z'; }

// What process `index` prints behind its gate: different for each, some bytes that are not text.
std::string TextOf(int index) {
  std::string text = absl::StrCat("output of ", index, "\xff\n");
  for (int i = 0; i < index; ++i) absl::StrAppend(&text, "line ", i, "\n");
  return text;
}

TEST_F(Restart, TwoHundredProcessesKeepExitsAndOutputOverAKill) {
  constexpr int kCount = 200;
  AgentProcess& agent = StartAgent("ant");
  const std::string early = Scratch("early");
  const std::string late = Scratch("late");
  ASSERT_EQ(mkfifo(early.c_str(), 0600), 0);
  ASSERT_EQ(mkfifo(late.c_str(), 0600), 0);
  std::map<std::string, int> index_of;
  std::map<std::string, int> pid_of;
  for (int i = 0; i < kCount; ++i) {
    const v1::Process process = agent.stub().Spawn(
        SpecOf({ChildPath(), "gated", i % 2 == 0 ? early : late, absl::StrCat(i % 256), TextOf(i)},
               absl::StrCat("p", i)));
    index_of[process.id()] = i;
    pid_of[process.id()] = process.pid();
  }
  ASSERT_THAT(index_of, SizeIs(kCount));
  for (int i = 0; i < kCount; ++i) {
    const std::string name = absl::StrCat("p", i);
    WaitUntil(absl::StrCat(name, " waits at its gate"),
              [&] { return agent.stub().Output(name, v1::STREAM_KIND_STDOUT) == "ready\n"; });
  }

  agent.Kill();
  OpenGate(early);  // half of them end while there is no agent
  WaitUntil("half of the processes have ended", [&] { return DescendantsWith(early).empty(); });
  ASSERT_TRUE(agent.Start());

  int running = 0;
  for (const v1::Process& process : agent.stub().List()) {
    if (process.state() != v1::STATE_RUNNING) continue;
    ++running;
    EXPECT_EQ(process.pid(), pid_of[process.id()]);
    EXPECT_EQ(process.name(), absl::StrCat("p", index_of[process.id()]));
  }
  EXPECT_EQ(running, kCount / 2);

  OpenGate(late);
  const std::vector<v1::Process> ended = agent.stub().WaitAll(v1::WaitRequest::UNTIL_EMPTY);
  EXPECT_THAT(ended, SizeIs(kCount));
  for (const v1::Process& process : ended) {
    const int index = index_of[process.id()];
    EXPECT_EQ(process.exit().outcome_case(), v1::ExitStatus::kCode) << process.ShortDebugString();
    EXPECT_EQ(process.exit().code(), index % 256);
    EXPECT_EQ(agent.stub().Output(process.id(), v1::STREAM_KIND_STDOUT), "ready\n" + TextOf(index));
  }
}

TEST_F(Restart, ADrainedAgentLeavesItsProcessesRunning) {
  AgentProcess& agent = StartAgent("ant");
  const v1::Process before = agent.stub().Spawn(SpecOf({ChildPath(), "sleep"}, "stays"));
  const CommandResult ended = agent.Stop();
  EXPECT_EQ(ended.exit_code, 0) << agent.Log();
  EXPECT_EQ(kill(before.pid(), 0), 0);
  ASSERT_TRUE(agent.Start());
  const v1::Process after = agent.stub().Get("stays");
  EXPECT_EQ(after.state(), v1::STATE_RUNNING);
  EXPECT_EQ(after.pid(), before.pid());
}

TEST_F(Restart, AnOpenStreamDoesNotKeepTheAgentFromEnding) {
  AgentProcess& agent = StartAgent("ant");
  agent.stub().Spawn(SpecOf({ChildPath(), "ignore-term"}, "stays"));
  auto logs = StartShoal({"logs", "-f", "stays"}, true);
  logs->WaitForOutput("ready");
  EXPECT_EQ(agent.Stop().exit_code, 0) << agent.Log();
  ASSERT_TRUE(agent.Start());
  agent.stub().TerminateAll();
  const CommandResult result = logs->Wait();  // it found its way back
  EXPECT_EQ(result.out, "ready\n") << result;
}

TEST_F(Restart, ATerminationGoesOnWithoutTheAgent) {
  AgentProcess& agent = StartAgent("ant");
  agent.stub().Spawn(SpecOf({ChildPath(), "ignore-term"}, "stubborn"));
  WaitUntil("it ignores SIGTERM",
            [&] { return agent.stub().Output("stubborn", v1::STREAM_KIND_STDOUT) == "ready\n"; });
  auto stop = StartShoal({"stop", "--grace", "1s", "stubborn"});
  agent.stub().WatchUntil(
      [](const v1::Process& process) { return process.state() == v1::STATE_STOPPING; });
  agent.Kill();
  WaitUntil("the shim has ended it", [&] { return DescendantsWith("ignore-term").empty(); });
  ASSERT_TRUE(agent.Start());
  const v1::Process ended = agent.stub().Wait("stubborn", v1::WaitRequest::UNTIL_EMPTY);
  EXPECT_EQ(ended.exit().signal(), SIGKILL);
  EXPECT_EQ(ended.exit().cause(), v1::CAUSE_TERMINATED);
  EXPECT_THAT(ended.exit().requested_by(), HasSubstr("uid:"));
  EXPECT_THAT(ended.flags(), ::testing::Contains(v1::FLAG_ESCALATED));
  stop->Wait();
}

TEST_F(Restart, AKilledShimCostsItsOwnProcessOnly) {
  AgentProcess& agent = StartAgent("ant");
  agent.stub().Spawn(SpecOf({ChildPath(), "sleep"}, "lost"));
  agent.stub().Spawn(SpecOf({ChildPath(), "sleep"}, "other"));
  const v1::Process lost = agent.stub().Get("lost");
  int killed = 0;
  for (const pid_t shim : ChildrenOf(agent.pid())) {
    if (ChildrenOf(shim) != std::vector<pid_t>{lost.pid()}) continue;
    ASSERT_EQ(kill(shim, SIGKILL), 0);
    ++killed;
  }
  ASSERT_EQ(killed, 1);
  EXPECT_TRUE(agent.stub().WatchUntil([](const v1::Process& process) {
    return process.name() == "lost" && process.state() == v1::STATE_LOST &&
           process.exit().unknown().reason() == v1::CAUSE_SHIM_LOST;
  }));
  EXPECT_TRUE(WaitUntil("its tree is ended", [&] { return HasEnded(lost.pid()); }));
  const v1::Process after = agent.stub().Wait("lost", v1::WaitRequest::UNTIL_EMPTY);
  EXPECT_FALSE(after.tree_empty()) << "it could have left its cgroup";
  EXPECT_THAT(after.flags(), Contains(v1::FLAG_LEAKED));
  EXPECT_EQ(agent.stub().Get("other").state(), v1::STATE_RUNNING);
}

TEST_F(Restart, AgentAndShimsKilledLeavesNothingRunning) {
  AgentProcess& agent = StartAgent("ant");
  const v1::Process process = agent.stub().Spawn(SpecOf({ChildPath(), "sleep"}, "lost"));
  const std::vector<pid_t> shims = ChildrenOf(agent.pid());
  agent.Kill();
  for (pid_t shim : shims) kill(shim, SIGKILL);
  ASSERT_TRUE(agent.Start());
  const v1::Process lost = agent.stub().Wait("lost", v1::WaitRequest::UNTIL_EXITED);
  EXPECT_EQ(lost.state(), v1::STATE_LOST);
  EXPECT_TRUE(WaitUntil("its tree is ended", [&] { return HasEnded(process.pid()); }));
}

}  // namespace
}  // namespace shoal::testing
