// The agent killed between any two steps of a spawn, by a client that tries again.
#ifdef SHOAL_FAILPOINTS
#include <signal.h>

#include <string>
#include <thread>
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
    "spawn:after-start", "spawn:before-reply",
};

class SpawnFailpoint : public SystemTest, public ::testing::WithParamInterface<const char*> {
 protected:
  // A request whose process writes one line into `file` each time that it is run.
  v1::SpawnRequest RequestAppendingTo(const std::string& file) {
    v1::SpawnRequest request;
    request.set_request_id(NewRequestId());
    *request.mutable_spec() = SpecOf({ChildPath(), "append", file}, "once");
    return request;
  }
  void ExpectExactlyOne(AgentProcess& agent, const std::string& file) {
    const std::vector<v1::Process> processes = agent.stub().List();
    ASSERT_THAT(processes, SizeIs(1));
    EXPECT_EQ(processes[0].state(), v1::STATE_RUNNING) << processes[0].ShortDebugString();
    WaitUntil("it has run", [&] { return !ReadFile(file).empty(); });
    int alive = 0;
    for (pid_t pid : DescendantsWith(file)) {
      alive += DescribeProcess(pid).find("shoal-shim") == std::string::npos ? 1 : 0;
    }
    EXPECT_EQ(alive, 1);
    EXPECT_EQ(ReadFile(file), "once\n");
  }
};

TEST_P(SpawnFailpoint, KilledThereARetriedSpawnIsOneProcess) {
  AgentProcess& agent = AddAgent("ant");
  agent.options().env["SHOAL_FAILPOINT"] = absl::StrCat(GetParam(), "=kill");
  ASSERT_TRUE(agent.Start());
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
  AgentProcess& agent = AddAgent("ant");
  agent.options().env["SHOAL_FAILPOINT"] = absl::StrCat(GetParam(), "=kill");
  ASSERT_TRUE(agent.Start());
  const std::string file = Scratch("runs");
  auto start = StartShoal({"start", "--name", "once", "--", ChildPath(), "append", file});
  EXPECT_EQ(agent.WaitForEnd().exit_code, 128 + SIGKILL) << "the failpoint was not reached";
  agent.options().env.erase("SHOAL_FAILPOINT");
  ASSERT_TRUE(agent.Start());
  const CommandResult result = start->Wait();
  EXPECT_EQ(result.exit_code, 0) << result;
  ExpectExactlyOne(agent, file);
}

INSTANTIATE_TEST_SUITE_P(EveryStep, SpawnFailpoint, ::testing::ValuesIn(kSteps),
                         [](const auto& param_info) {
                           std::string name = param_info.param;
                           for (char& c : name) c = c == ':' || c == '-' ? '_' : c;
                           return name;
                         });

}  // namespace
}  // namespace shoal::testing
#endif  // SHOAL_FAILPOINTS
