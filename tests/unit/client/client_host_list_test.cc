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
  // gRPC decodes a target.
  EXPECT_EQ(TargetOf("unix:/run/%2e/ä?#.sock"), "unix:/run/%252e/%c3%a4%3f%23.sock");
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

TEST(HostList, AHostThatIsNamedTwiceStandsOnceWhereItWasNamedFirst) {
  std::vector<std::string> repeated;
  auto addresses = ParseHostList("n[1-3],m:7420,n2,unix:/a,m,unix:/a,n[2-3]", nullptr, &repeated);
  ASSERT_TRUE(addresses.ok()) << addresses.status();
  std::vector<std::string> names;
  for (const HostAddress& address : *addresses) names.push_back(address.name);
  EXPECT_THAT(names, ElementsAre("n1", "n2", "n3", "m", UnixAddress("/a").name));
  EXPECT_THAT(repeated, ElementsAre("n2", "m", "unix:/a", "n2", "n3"));
  EXPECT_EQ(ParseHostList("a,a")->size(), 1u);
}

struct RefusedList {
  const char* hosts;
  const char* message;
};

class HostListRefuses : public ::testing::TestWithParam<RefusedList> {};

TEST_P(HostListRefuses, NamingThePartAndTheReason) {
  auto addresses = ParseHostList(GetParam().hosts);
  ASSERT_EQ(addresses.status().code(), absl::StatusCode::kInvalidArgument) << GetParam().hosts;
  EXPECT_EQ(addresses.status().message(), GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    Lists, HostListRefuses,
    ::testing::Values(
        RefusedList{"", "hosts: the list is empty"}, RefusedList{"  ", "hosts: the list is empty"},
        RefusedList{"a,,b", "hosts \"\": a host is missing between the commas"},
        RefusedList{"a,", "hosts \"\": a host is missing between the commas"},
        RefusedList{"-", "hosts \"-\": a host does not begin with \"-\""},
        RefusedList{"n[3-1]", "hosts \"n[3-1]\": the range 3-1 goes down"},
        RefusedList{"n[1-3", "hosts \"n[1-3\": \"[\" without \"]\""},
        RefusedList{"n1-3]", "hosts \"n1-3]\": \"]\" without \"[\""},
        RefusedList{"n[[1]]", "hosts \"n[[1]]\": a bracket inside a bracket"},
        RefusedList{"n[a-b]", "hosts \"n[a-b]\": \"[a-b]\" is neither a range nor an IPv6 address"},
        RefusedList{"n[]", "hosts \"n[]\": \"[]\" is neither a range nor an IPv6 address"},
        RefusedList{"n[1-2-3]", "hosts \"n[1-2-3]\": \"1-2-3\" is neither a number nor a range"},
        RefusedList{
            "n[1-010]",
            "hosts \"n[1-010]\": the range 1-010 pads its end with zeros, but not its beginning"},
        RefusedList{"n[1-99999999]",
                    "hosts \"n[1-99999999]\": the range 1-99999999 has more than 65536 members"},
        RefusedList{"n[1-999]x[1-999]",
                    "hosts \"n[1-999]x[1-999]\": stands for more than 65536 hosts"},
        RefusedList{"n[1-65536],m", "hosts \"m\": more than 65536 hosts"},
        RefusedList{"n:0", "hosts \"n:0\": port \"0\" is not in 1-65535"},
        RefusedList{"n:65536", "hosts \"n:65536\": port \"65536\" is not in 1-65535"},
        RefusedList{"n:x", "hosts \"n:x\": port \"x\" is not in 1-65535"},
        RefusedList{"n:", "hosts \"n:\": the port is missing"},
        RefusedList{":80", "hosts \":80\": the host is missing"},
        RefusedList{"::1", "hosts \"::1\": an IPv6 address stands in brackets: [::1]:7420"},
        RefusedList{"[::1", "hosts \"[::1\": \"[\" without \"]\""},
        RefusedList{"[::1]x", "hosts \"[::1]x\": after \"]\" comes :PORT or nothing"},
        RefusedList{"[::zz]:1", "hosts \"[::zz]:1\": between the brackets is no IPv6 address"},
        RefusedList{"n/x", "hosts \"n/x\": \"/\" cannot be in the name of a host"},
        RefusedList{"n\x1b[1]", "hosts \"n\\x1b[1]\": \"\\x1b\" cannot be in the name of a host"},
        RefusedList{"n[\x1b]",
                    "hosts \"n[\\x1b]\": \"[\\x1b]\" is neither a range nor an IPv6 address"},
        RefusedList{"unix:relative",
                    "hosts \"unix:relative\": the path of a Unix socket is absolute: "
                    "unix:/run/shoal/shoald.sock"},
        RefusedList{"@", "hosts \"@\": \"@\" wants the name of a group"},
        RefusedList{"@g", "hosts \"@g\": no groups are configured"}));

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
  EXPECT_EQ(ParseHostList("@loop", groups).status().message(),
            "hosts \"@loop\": the group contains itself");
  EXPECT_EQ(ParseHostList("@none", groups).status().code(), absl::StatusCode::kNotFound);
}

TEST(HostList, TheDefaultIsTheEnvironmentThenThisMachine) {
  setenv("SHOAL_HOSTS", "n[1-2]", 1);
  EXPECT_EQ(*DefaultHosts(), "n[1-2]");
  setenv("SHOAL_HOSTS", "", 1);
  EXPECT_EQ(DefaultHosts().status().message(),
            "SHOAL_HOSTS is set and empty; unset it to mean this machine");
  unsetenv("SHOAL_HOSTS");
  EXPECT_TRUE(absl::StartsWith(*DefaultHosts(), "unix:/"));
}

TEST(HostList, AProcessOfAnAgentSpeaksToThatAgent) {
  setenv("SHOAL_AGENT", "unix:/run/own.sock", 1);
  setenv("SHOAL_HOST", "node2", 1);
  EXPECT_EQ(*DefaultHosts(), "unix:/run/own.sock");
  EXPECT_EQ(LocalAddress()->unix_path, "/run/own.sock");
  EXPECT_EQ(LocalAddress()->name, "node2");
  unsetenv("SHOAL_AGENT");
  unsetenv("SHOAL_HOST");
  EXPECT_EQ(LocalAddress()->unix_path, DefaultSocketPath());
}

TEST(HostList, AnAgentThatIsNamedOtherwiseIsNotTakenForTheUsersOwn) {
  for (const char* named : {"foo", "node1:7420", "unix:", "unix:run/own.sock"}) {
    setenv("SHOAL_AGENT", named, 1);
    EXPECT_EQ(LocalAddress().status(),
              absl::InvalidArgumentError(absl::StrCat(
                  "SHOAL_AGENT \"", named,
                  "\" is not of the form unix:/PATH; hosts behind a network are named by -H or "
                  "SHOAL_HOSTS")));
    EXPECT_EQ(DefaultHosts().status(), LocalAddress().status());
  }
  unsetenv("SHOAL_AGENT");
}

}  // namespace
}  // namespace shoal
