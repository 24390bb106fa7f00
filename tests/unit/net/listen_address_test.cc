// What --listen takes.
#include "agent/net/listen_address.h"

#include <gtest/gtest.h>

namespace shoal::agent {
namespace {

TEST(ListenAddresses, AreHostAndPort) {
  EXPECT_EQ(ParseListenAddress("[::1]:7420")->host, "::1");
  EXPECT_TRUE(ParseListenAddress("[::1]:7420")->IsLoopback());
  EXPECT_TRUE(ParseListenAddress("127.0.0.9:1")->IsLoopback());
  EXPECT_TRUE(ParseListenAddress("localhost:1")->IsLoopback());
  // Names that only look like it.
  for (const char* text : {"127.evil.example:1", "0.0.0.0:1", "[::]:1", "10.0.0.3:7420"}) {
    ASSERT_TRUE(ParseListenAddress(text).ok()) << text;
    EXPECT_FALSE(ParseListenAddress(text)->IsLoopback()) << text;
  }
  for (const char* text : {"", "foo", ":1", "::1:7420", "h:99999", "h:-1", "h:x"}) {
    EXPECT_FALSE(ParseListenAddress(text).ok()) << text;
  }
}

}  // namespace
}  // namespace shoal::agent
