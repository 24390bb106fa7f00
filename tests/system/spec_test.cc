// What a spec asks of the kernel, from the call to the process and back.
#include <string>

#include "tests/support/system/system_test.h"

namespace shoal::testing {
namespace {

class Spec : public SystemTest {};

TEST_F(Spec, AResultIsReadApartFromWhatIsPrinted) {
  AgentProcess& agent = StartAgent("ant");
  v1::ProcessSpec spec = SpecOf({ChildPath(), "result", "answer", "printed"}, "asked");
  spec.mutable_output()->set_result(true);
  spec.mutable_output()->set_merge_stderr(true);
  agent.stub().Spawn(spec);
  agent.stub().Wait("asked", v1::WaitRequest::UNTIL_EMPTY);
  EXPECT_EQ(agent.stub().Output("asked", v1::STREAM_KIND_RESULT), "answer");
  EXPECT_EQ(agent.stub().Output("asked", v1::STREAM_KIND_STDOUT), "printed");
  EXPECT_EQ(Shoal({"logs", "asked"}).out, "printed");
}

TEST_F(Spec, AResultOutlivesTheAgent) {
  AgentProcess& agent = StartAgent("ant");
  v1::ProcessSpec spec = SpecOf({ChildPath(), "result", "answer", ""}, "asked");
  spec.mutable_output()->set_result(true);
  agent.stub().Spawn(spec);
  agent.stub().Wait("asked", v1::WaitRequest::UNTIL_EMPTY);
  agent.Kill();
  ASSERT_TRUE(agent.Start());
  EXPECT_EQ(agent.stub().Output("asked", v1::STREAM_KIND_RESULT), "answer");
  EXPECT_EQ(agent.stub().Get("asked").output_size(), 3);
}

TEST_F(Spec, ForbiddenChildrenAreForbiddenByTheKernel) {
  AgentProcess& agent = StartAgent("ant");
  v1::ProcessSpec spec = SpecOf({ChildPath(), "fork"}, "lonely");
  spec.set_forbid_children(true);
  agent.stub().Spawn(spec);
  agent.stub().Spawn(SpecOf({ChildPath(), "fork"}, "free"));
  agent.stub().Wait("lonely", v1::WaitRequest::UNTIL_EMPTY);
  agent.stub().Wait("free", v1::WaitRequest::UNTIL_EMPTY);
  EXPECT_EQ(agent.stub().Output("lonely", v1::STREAM_KIND_STDOUT), "Operation not permitted");
  EXPECT_EQ(agent.stub().Output("free", v1::STREAM_KIND_STDOUT), "forked");
}

}  // namespace
}  // namespace shoal::testing
