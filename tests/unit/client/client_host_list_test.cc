#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "shoal/host_list.h"

namespace shoal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> NamesOf(absl::string_view hosts) {
  auto addresses = ParseHostList(hosts);
  EXPECT_TRUE(addresses.ok()) << addresses.status();
  std::vector<std::string> names;
  if (addresses.ok()) {
    for (const HostAddress& address : *addresses) names.push_back(address.name);
  }
  return names;
}

std::string TargetOf(absl::string_view host) {
  auto addresses = ParseHostList(host);
  EXPECT_TRUE(addresses.ok()) << addresses.status();
  return addresses.ok() ? addresses->at(0).target() : "";
}

TEST(HostList, RangesComeInNaturalOrderPaddedAsWritten) {
  EXPECT_THAT(NamesOf("node[08-11,20]"),
              ElementsAre("node08", "node09", "node10", "node11", "node20"));
  EXPECT_THAT(NamesOf("n[9-11]"), ElementsAre("n9", "n10", "n11"));
}

TEST(HostList, TheRightMostRangeIsTheFastest) {
  EXPECT_THAT(NamesOf("r[1-2]n[1-2].lan"),
              ElementsAre("r1n1.lan", "r1n2.lan", "r2n1.lan", "r2n2.lan"));
}

TEST(HostList, TheOrderIsTheOneWritten) {
  EXPECT_THAT(NamesOf("z, a ,m:9"), ElementsAre("z", "a", "m:9"));
}

TEST(HostList, EveryKindOfAddressHasItsTarget) {
  EXPECT_EQ(TargetOf("gpu1"), "dns:///gpu1:7420");
  EXPECT_EQ(TargetOf("gpu1:7421"), "dns:///gpu1:7421");
  EXPECT_EQ(TargetOf("10.0.0.1"), "ipv4:10.0.0.1:7420");
  EXPECT_EQ(TargetOf("[::1]"), "ipv6:[::1]:7420");
  EXPECT_EQ(TargetOf("[fe80::1%eth0]:99"), "ipv6:[fe80::1%25eth0]:99");
  EXPECT_EQ(TargetOf("unix:/run/a.sock"), "unix:/run/a.sock");
  EXPECT_EQ(TargetOf("unix:///run/a.sock"), "unix:/run/a.sock");
}

TEST(HostList, RangesWorkInAddressesAndWithPorts) {
  EXPECT_THAT(NamesOf("10.0.0.[1-2]:81"), ElementsAre("10.0.0.1:81", "10.0.0.2:81"));
}

TEST(HostList, OneUnixSocketIsCalledAsThisMachineSeveralByTheirPaths) {
  EXPECT_EQ(NamesOf("unix:/a")[0], UnixAddress("/a").name);
  EXPECT_THAT(NamesOf("unix:/a,unix:/b"), ElementsAre("unix:/a", "unix:/b"));
}

TEST(HostList, OnlyAddressesOfThisMachineAreLoopback) {
  EXPECT_TRUE(ParseHostList("127.0.0.3")->at(0).is_loopback());
  EXPECT_TRUE(ParseHostList("[::1]")->at(0).is_loopback());
  EXPECT_TRUE(ParseHostList("localhost:1")->at(0).is_loopback());
  EXPECT_TRUE(ParseHostList("unix:/a")->at(0).is_loopback());
  EXPECT_FALSE(ParseHostList("128.0.0.1")->at(0).is_loopback());
  EXPECT_FALSE(ParseHostList("127.evil.example")->at(0).is_loopback());
}

struct Refusal {
  const char* hosts;
  const char* reason;
};

class HostListRefuses : public testing::TestWithParam<Refusal> {};

TEST_P(HostListRefuses, NamingThePartAndTheReason) {
  auto addresses = ParseHostList(GetParam().hosts);
  ASSERT_EQ(addresses.status().code(), absl::StatusCode::kInvalidArgument) << GetParam().hosts;
  EXPECT_THAT(std::string(addresses.status().message()), HasSubstr(GetParam().reason));
}

INSTANTIATE_TEST_SUITE_P(
    Lists, HostListRefuses,
    testing::Values(Refusal{"", "empty"}, Refusal{"  ", "empty"}, Refusal{"a,,b", "missing"},
                    Refusal{"a,", "missing"}, Refusal{"a,a", "twice"}, Refusal{"a,a:7420", "twice"},
                    Refusal{"n[1-3],n2", "\"n2\" is named twice"}, Refusal{"-", "\"-\""},
                    Refusal{"n[3-1]", "goes down"}, Refusal{"n[1-3", "without"},
                    Refusal{"n1-3]", "without"}, Refusal{"n[[1]]", "inside"},
                    Refusal{"n[a-b]", "neither a range"}, Refusal{"n[]", "neither a range"},
                    Refusal{"n[1-2-3]", "neither a number"}, Refusal{"n[1-010]", "pads"},
                    Refusal{"n[1-99999999]", "more than"}, Refusal{"n[1-999]x[1-999]", "more than"},
                    Refusal{"n:0", "1-65535"}, Refusal{"n:65536", "1-65535"}, Refusal{"n:", "port"},
                    Refusal{":80", "host is missing"}, Refusal{"::1", "in brackets"},
                    Refusal{"[::1", "without"}, Refusal{"[::zz]:1", "no IPv6 address"},
                    Refusal{"n/x", "cannot be in the name"}, Refusal{"n\x1b[1]", "\\x1b"},
                    Refusal{"n[\x1b]", "\"[\\x1b]\" is neither"},
                    Refusal{"unix:relative", "absolute"}, Refusal{"@g", "no groups"}));

TEST(HostList, GroupsAreReadThroughTheLookup) {
  GroupLookup groups = [](absl::string_view name) -> absl::StatusOr<std::string> {
    if (name == "all") return "@left,@right";
    if (name == "left") return "a[1-2]";
    if (name == "right") return "b";
    if (name == "loop") return "x,@loop";
    return absl::NotFoundError("no group");
  };
  auto addresses = ParseHostList("@all,c", groups);
  ASSERT_TRUE(addresses.ok()) << addresses.status();
  ASSERT_EQ(addresses->size(), 4u);
  EXPECT_EQ(addresses->at(2).name, "b");
  EXPECT_THAT(std::string(ParseHostList("@loop", groups).status().message()),
              HasSubstr("contains itself"));
  EXPECT_EQ(ParseHostList("@none", groups).status().code(), absl::StatusCode::kNotFound);
}

TEST(HostList, TheDefaultIsTheEnvironmentThenThisMachine) {
  setenv("SHOAL_HOSTS", "n[1-2]", 1);
  EXPECT_EQ(DefaultHosts(), "n[1-2]");
  unsetenv("SHOAL_HOSTS");
  EXPECT_TRUE(absl::StartsWith(DefaultHosts(), "unix:/"));
}

TEST(HostList, AProcessOfAnAgentSpeaksToThatAgent) {
  setenv("SHOAL_AGENT", "unix:/run/own.sock", 1);
  setenv("SHOAL_HOST", "node2", 1);
  EXPECT_EQ(DefaultHosts(), "unix:/run/own.sock");
  EXPECT_EQ(LocalAddress().unix_path, "/run/own.sock");
  EXPECT_EQ(LocalAddress().name, "node2");
  unsetenv("SHOAL_AGENT");
  unsetenv("SHOAL_HOST");
  EXPECT_EQ(LocalAddress().unix_path, DefaultSocketPath());
}

}  // namespace
}  // namespace shoal
