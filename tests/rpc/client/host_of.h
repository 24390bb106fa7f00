// A host whose agent is a FakeAgent.
#ifndef SHOAL_TESTS_RPC_CLIENT_HOST_OF_H_
#define SHOAL_TESTS_RPC_CLIENT_HOST_OF_H_

#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "shoal/host.h"
#include "tests/support/fake_agent.h"

namespace shoal {

inline std::shared_ptr<Host> HostOf(const testing::FakeAgent& agent, HostOptions options = {}) {
  auto host = Host::Create(UnixAddress(agent.socket_path()), std::move(options));
  EXPECT_TRUE(host.ok()) << host.status();
  return *host;
}

}  // namespace shoal

#endif  // SHOAL_TESTS_RPC_CLIENT_HOST_OF_H_
