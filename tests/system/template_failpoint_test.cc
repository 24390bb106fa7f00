// The agent killed between any two steps of a spawn that is forked, by a client that tries again.
#ifdef SHOAL_FAILPOINTS
#include "tests/system/template_fixture.h"

namespace shoal::testing {
namespace {

// In the order of the steps; each stands in agent/core or agent/os as SHOAL_FAILPOINT(…).
constexpr const char* kSteps[] = {
    "spawn:admitted",    "spawn:after-intent", "spawn:before-start",
    "spawn:slot-locked", "spawn:cgroup-made",  "spawn:told",
    "spawn:fork-sent",   "spawn:after-start",  "spawn:before-reply",
};

class TemplateFailpoint : public TemplateTest {
 protected:
  v1::SpawnRequest RequestAppendingTo(const std::string& file) {
    v1::SpawnRequest request;
    request.set_request_id(NewRequestId());
    *request.mutable_spec() = Forkserver({"append", file}, "once");
    return request;
  }
  // Sends the request to an agent that is killed there, then twice to one that is not.
  void ExpectExactlyOne(AgentProcess& agent) {
    const std::string file = Scratch("runs");
    const v1::SpawnRequest request = RequestAppendingTo(file);
    v1::SpawnResponse response;
    const grpc::Status first = agent.stub().TrySpawn(request, &response);
    EXPECT_EQ(first.error_code(), grpc::StatusCode::UNAVAILABLE) << Describe(first);
    EXPECT_EQ(agent.WaitForEnd().exit_code, 128 + SIGKILL) << "the failpoint was not reached";
    agent.options().env.erase("SHOAL_FAILPOINT");
    ASSERT_TRUE(agent.Start());
    for (int i = 0; i < 2; ++i) {
      const grpc::Status again = agent.stub().TrySpawn(request, &response);
      ASSERT_TRUE(again.ok()) << Describe(again);
    }
    EXPECT_TRUE(response.replayed());
    WaitUntil("it has run", [&] { return !ReadFile(file).empty(); });
    EXPECT_EQ(ReadFile(file), "once\n");
    int running = 0;
    for (const v1::Process& process : agent.stub().List()) running += process.name() == "once";
    EXPECT_EQ(running, 1);
    EXPECT_EQ(agent.stub().Get("once").state(), v1::STATE_RUNNING);
    EXPECT_EQ(agent.stub().Get("once").forked_from(), LiveTemplate(agent).id());
  }
};

class ForkFailpoint : public TemplateFailpoint,
                      public ::testing::WithParamInterface<const char*> {};

TEST_P(ForkFailpoint, KilledThereARetriedForkIsOneProcess) {
  AgentProcess& agent = StartAgent("ant");
  agent.stub().Spawn(Forkserver({"exit", "0"}, "first"));
  agent.stub().Wait("first", v1::WaitRequest::UNTIL_EMPTY);
  const v1::Process before = LiveTemplate(agent);
  agent.Kill();
  agent.options().env["SHOAL_FAILPOINT"] = absl::StrCat(GetParam(), "=kill");
  ASSERT_TRUE(agent.Start());
  ExpectExactlyOne(agent);
  EXPECT_EQ(LiveTemplate(agent).pid(), before.pid());
}

TEST_F(TemplateFailpoint, KilledBetweenTheTemplatesIntentAndItsStartThereIsOneOfEach) {
  AgentProcess& agent = AddAgent("ant");
  agent.options().env["SHOAL_FAILPOINT"] = "template:after-intent=kill";
  ASSERT_TRUE(agent.Start());
  ExpectExactlyOne(agent);
}

INSTANTIATE_TEST_SUITE_P(EveryStep, ForkFailpoint, ::testing::ValuesIn(kSteps), NameOfStep);

}  // namespace
}  // namespace shoal::testing
#endif  // SHOAL_FAILPOINTS
