// The agent killed between the intent and the outcome of a signal, by a client that tries again.
#ifdef SHOAL_FAILPOINTS
#include <signal.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "common/ids.h"
#include "tests/support/system/system_test.h"

namespace shoal::testing {
namespace {

using ::testing::HasSubstr;

// Each stands in agent/core as SHOAL_FAILPOINT(…), with what the process has printed by then.
struct Step {
  const char* name;
  const char* printed;
};
constexpr Step kSteps[] = {{"signal:after-intent", "ready\n"},
                           {"signal:before-outcome", "ready\ngot\n"}};

class SignalFailpoint : public SystemTest, public ::testing::WithParamInterface<Step> {};

TEST_P(SignalFailpoint, KilledThereARetriedSignalIsNeverSentAgain) {
  AgentProcess& agent = AddAgent("ant");
  agent.options().env["SHOAL_FAILPOINT"] = absl::StrCat(GetParam().name, "=kill");
  ASSERT_TRUE(agent.Start());
  agent.stub().Spawn(SpecOf({ChildPath(), "on-signal", absl::StrCat(SIGHUP)}, "web"));
  const auto printed = [&] { return agent.stub().Output("web", v1::STREAM_KIND_STDOUT); };
  WaitUntil("it is ready", [&] { return printed() == "ready\n"; });
  v1::SignalRequest request;
  request.set_request_id(NewRequestId());
  request.mutable_selector()->add_terms("web");
  request.set_signal(SIGHUP);
  const auto send = [&](v1::SignalResponse* response) {
    grpc::ClientContext context;
    return agent.stub().processes().Signal(&context, request, response);
  };
  v1::SignalResponse response;
  EXPECT_EQ(send(&response).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(agent.WaitForEnd().exit_code, 128 + SIGKILL) << "the failpoint was not reached";
  agent.options().env.erase("SHOAL_FAILPOINT");
  ASSERT_TRUE(agent.Start());
  WaitUntil("what was sent has arrived", [&] { return printed() == GetParam().printed; });
  for (int i = 0; i < 2; ++i) {
    const grpc::Status again = send(&response);
    EXPECT_EQ(again.error_code(), grpc::StatusCode::FAILED_PRECONDITION) << Describe(again);
    EXPECT_THAT(again.error_message(), HasSubstr("OUTCOME_UNKNOWN"));
  }
  const bool was_sent = GetParam().printed != std::string("ready\n");
  if (was_sent) return;
  EXPECT_EQ(agent.stub().Get("web").state(), v1::STATE_RUNNING);
  request.set_request_id(NewRequestId());
  EXPECT_TRUE(send(&response).ok());
  WaitUntil("it has the signal", [&] { return printed() == "ready\ngot\n"; });
}

INSTANTIATE_TEST_SUITE_P(EveryStep, SignalFailpoint, ::testing::ValuesIn(kSteps),
                         [](const auto& step) {
                           return step.param.printed == std::string("ready\n") ? "AfterTheIntent"
                                                                               : "AfterItWasSent";
                         });

}  // namespace
}  // namespace shoal::testing
#endif  // SHOAL_FAILPOINTS
