// The agent killed between any two steps of a spawn, by a client that tries again.
#ifdef SHOAL_FAILPOINTS
#include <signal.h>
#include <sys/stat.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/ids.h"
#include "tests/support/system/system_test.h"

namespace shoal::testing {
namespace {

using ::testing::SizeIs;

// In the order of the steps; each stands in agent/core or agent/os as SHOAL_FAILPOINT(…).
constexpr const char* kSteps[] = {
    "spawn:received",    "spawn:admitted",     "spawn:after-intent", "spawn:before-start",
    "spawn:slot-locked", "spawn:cgroup-made",  "spawn:told",         "spawn:shim-started",
    "spawn:after-start", "spawn:before-reply", "warm:cgroup-made",   "warm:told",
    "warm:given",
};

// Steps of a start by an idle shim; the others are of one by a shim of its own, or of both.
bool IsWarm(const std::string& step) { return step.rfind("warm:", 0) == 0; }

class SpawnFailpoint : public SystemTest, public ::testing::WithParamInterface<const char*> {
 protected:
  // A request whose process writes one line into `file` each time that it is run.
  v1::SpawnRequest RequestAppendingTo(const std::string& file) {
    v1::SpawnRequest request;
    request.set_request_id(NewRequestId());
    *request.mutable_spec() = SpecOf({ChildPath(), "append", file}, "once");
    return request;
  }
  // An agent that dies at the step, with an idle shim if the step is one of those.
  AgentProcess& StartArmed() {
    AgentProcess& agent = AddAgent("ant");
    agent.options().flags.push_back(absl::StrCat("--idle-shims=", IsWarm(GetParam()) ? 1 : 0));
    agent.options().env["SHOAL_FAILPOINT"] = absl::StrCat(GetParam(), "=kill");
    if (agent.Start() && IsWarm(GetParam())) {
      WaitUntil("a shim is idle", [] { return !IdleShims().empty(); });
    }
    return agent;
  }
  static std::vector<pid_t> IdleShims() { return DescendantsWith(std::string("\0idle\0", 6)); }
  void ExpectExactlyOne(AgentProcess& agent, const std::string& file) {
    const std::vector<v1::Process> processes = agent.stub().List();
    ASSERT_THAT(processes, SizeIs(1));
    EXPECT_EQ(processes[0].state(), v1::STATE_RUNNING) << processes[0].ShortDebugString();
    WaitUntil("it has run", [&] { return !ReadFile(file).empty(); });
    EXPECT_THAT(DescendantsWith(file), SizeIs(1));
    EXPECT_EQ(ReadFile(file), "once\n");
  }
};

TEST_P(SpawnFailpoint, KilledThereARetriedSpawnIsOneProcess) {
  AgentProcess& agent = StartArmed();
  const std::string file = Scratch("runs");
  const v1::SpawnRequest request = RequestAppendingTo(file);
  v1::SpawnResponse response;
  const grpc::Status first = agent.stub().TrySpawn(request, &response);
  EXPECT_EQ(first.error_code(), grpc::StatusCode::UNAVAILABLE) << Describe(first);
  EXPECT_EQ(agent.WaitForEnd().exit_code, 128 + SIGKILL) << "the failpoint was not reached";

  agent.options().env.erase("SHOAL_FAILPOINT");
  ASSERT_TRUE(agent.Start());
  const grpc::Status second = agent.stub().TrySpawn(request, &response);
  EXPECT_TRUE(second.ok()) << Describe(second);
  ExpectExactlyOne(agent, file);
  // And a third time, to an agent that lives.
  const grpc::Status third = agent.stub().TrySpawn(request, &response);
  EXPECT_TRUE(third.ok()) << Describe(third);
  EXPECT_TRUE(response.replayed());
  ExpectExactlyOne(agent, file);
}

TEST_P(SpawnFailpoint, KilledThereTheCommandLineStartsOneProcess) {
  AgentProcess& agent = StartArmed();
  const std::string file = Scratch("runs");
  auto start = StartShoal({"start", "--name", "once", "--", ChildPath(), "append", file});
  EXPECT_EQ(agent.WaitForEnd().exit_code, 128 + SIGKILL) << "the failpoint was not reached";
  agent.options().env.erase("SHOAL_FAILPOINT");
  ASSERT_TRUE(agent.Start());
  const CommandResult result = start->Wait();
  EXPECT_EQ(result.exit_code, 0) << result;
  ExpectExactlyOne(agent, file);
}

// With idle shims, or without.
class KillStorm : public SystemTest, public ::testing::WithParamInterface<bool> {};

// Kills at the N-th hit of a step that every spawn passes, while clients try each spawn again until
// it is answered.
TEST_P(KillStorm, EverySpawnIsOneProcessThoughTheAgentIsKilledAgainAndAgain) {
  constexpr int kSpawns = 40;
  AgentProcess& agent = AddAgent("ant");
  const std::string directory = Scratch("runs");
  ASSERT_EQ(mkdir(directory.c_str(), 0700), 0);
  agent.options().flags.push_back(GetParam() ? "--idle-shims=2" : "--idle-shims=0");
  agent.options().env["SHOAL_FAILPOINT"] =
      GetParam() ? "warm:given=kill@2,free:released=kill@3,spawn:after-intent=kill@7"
                 : "spawn:shim-started=kill@4,spawn:after-intent=kill@7";
  ASSERT_TRUE(agent.Start());
  std::vector<v1::SpawnRequest> requests;
  for (int i = 0; i < kSpawns; ++i) {
    v1::SpawnRequest& request = requests.emplace_back();
    request.set_request_id(NewRequestId());
    *request.mutable_spec() =
        SpecOf({ChildPath(), "append", absl::StrCat(directory, "/", i)}, absl::StrCat("s", i));
  }
  int kills = 0;
  for (const v1::SpawnRequest& request : requests) {
    v1::SpawnResponse response;
    while (!agent.stub().TrySpawn(request, &response).ok()) {
      ASSERT_LT(++kills, 3 * kSpawns);
      EXPECT_EQ(agent.WaitForEnd().exit_code, 128 + SIGKILL);
      agent.Kill();
      ASSERT_TRUE(agent.Start());
    }
  }
  EXPECT_GT(kills, 5);
  // What is left of the test is to meet no failpoint.
  agent.Kill();
  agent.options().env.erase("SHOAL_FAILPOINT");
  ASSERT_TRUE(agent.Start());
  EXPECT_THAT(agent.stub().List(), SizeIs(kSpawns));
  for (int i = 0; i < kSpawns; ++i) {
    const std::string file = absl::StrCat(directory, "/", i);
    WaitUntil(absl::StrCat(file, " is written"), [&] { return !ReadFile(file).empty(); });
    EXPECT_EQ(ReadFile(file), "once\n") << file;
  }
}

INSTANTIATE_TEST_SUITE_P(IdleShims, KillStorm, ::testing::Bool(),
                         [](const auto& param) { return param.param ? "With" : "Without"; });
INSTANTIATE_TEST_SUITE_P(EveryStep, SpawnFailpoint, ::testing::ValuesIn(kSteps), NameOfStep);

}  // namespace
}  // namespace shoal::testing
#endif  // SHOAL_FAILPOINTS
