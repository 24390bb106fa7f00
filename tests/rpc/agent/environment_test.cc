// The environment of a process, as callers see it.
#include <unistd.h>

#include "tests/rpc/agent/rpc_test.h"

namespace shoal::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

ServerOptions WithLoopback() {
  ServerOptions options;
  options.tcp.listen = {"127.0.0.1:0"};
  options.tcp.insecure_loopback = true;
  return options;
}

TEST(EnvironmentTest, AnotherIdentityGetsItsNamesAndNoValues) {
  RpcAgent agent(WithLoopback());
  auto owner = v1::ProcessService::NewStub(agent.Connect());
  auto other = v1::ProcessService::NewStub(
      grpc::CreateChannel(agent.addresses().at(1), grpc::InsecureChannelCredentials()));
  v1::SpawnRequest request = SpawnRequestOf({"/bin/true"});
  request.mutable_spec()->set_name("web");
  request.mutable_spec()->add_env("SECRET=hunter2");
  v1::SpawnResponse spawned;
  grpc::Status status;
  std::thread call([&] { status = owner->Spawn(NewContext().get(), request, &spawned); });
  for (bool started = false; !started; std::this_thread::yield()) {
    agent.OnLoop([&] {
      started = !agent.shims().starts().empty();
      agent.shims().StartAll();
    });
  }
  call.join();
  ASSERT_TRUE(status.ok()) << status.error_message();
  v1::GetRequest get;
  get.set_selector("web");
  v1::GetResponse got;
  ASSERT_TRUE(other->Get(NewContext().get(), get, &got).ok());
  EXPECT_THAT(got.process().spec().env(), ElementsAre("SECRET"));
  get.set_env_values(true);
  status = other->Get(NewContext().get(), get, &got);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_THAT(status.error_message(), HasSubstr("web belongs to another identity"));
  ASSERT_TRUE(owner->Get(NewContext().get(), get, &got).ok());
  EXPECT_THAT(got.process().spec().env(), ElementsAre("SECRET=hunter2"));
}

}  // namespace
}  // namespace shoal::agent
