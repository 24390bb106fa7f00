// What the tests of the gRPC edge share: an agent, its stubs, and a process to begin with.
#ifndef SHOAL_TESTS_RPC_AGENT_RPC_TEST_H_
#define SHOAL_TESTS_RPC_AGENT_RPC_TEST_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/ids.h"
#include "tests/rpc/agent/rpc_agent.h"

namespace shoal::agent {

class RpcTest : public ::testing::Test {
 protected:
  RpcTest() {
    EXPECT_TRUE(agent_.status().ok()) << agent_.status();
    channel_ = agent_.Connect();
    processes_ = v1::ProcessService::NewStub(channel_);
    sessions_ = v1::SessionService::NewStub(channel_);
  }

  // Spawns; the faked shim says that execve has succeeded.
  grpc::Status Spawn(const v1::SpawnRequest& request, v1::SpawnResponse* response) {
    grpc::Status status;
    std::thread call([&] { status = processes_->Spawn(NewContext().get(), request, response); });
    AwaitStart();
    call.join();
    return status;
  }
  std::string SpawnNamed(const std::string& name) {
    v1::SpawnRequest request = SpawnRequestOf({"/bin/true"});
    request.mutable_spec()->set_name(name);
    v1::SpawnResponse response;
    grpc::Status status = Spawn(request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.process().id();
  }
  // Until no shim waits for its program to start, and one was there.
  void AwaitStart() {
    for (size_t seen = starts_; seen == starts_; std::this_thread::yield()) {
      agent_.OnLoop([&] {
        seen = agent_.shims().starts().size();
        agent_.shims().StartAll();
      });
      if (seen != starts_) {
        starts_ = seen;
        return;
      }
    }
  }
  // Until `count` calls are in progress.
  void AwaitCalls(size_t count) {
    while (agent_.calls().count() != count) std::this_thread::yield();
    agent_.OnLoop([] {});
  }
  v1::Selector Named(const std::string& term) {
    v1::Selector selector;
    selector.add_terms(term);
    return selector;
  }

  RpcAgent agent_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::ProcessService::Stub> processes_;
  std::unique_ptr<v1::SessionService::Stub> sessions_;
  size_t starts_ = 0;
};

}  // namespace shoal::agent

#endif  // SHOAL_TESTS_RPC_AGENT_RPC_TEST_H_
