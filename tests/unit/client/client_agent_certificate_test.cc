// Which certificates of an agent the client takes: fault 131 and 173 of tests/README.md.
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "shoal/wire/agent_certificate.h"
#include "tests/support/self_signed.h"

namespace shoal {
namespace {

using ::shoal::testing::MakeSelfSigned;

absl::Status Check(const std::string& names, const std::string& target) {
  return CheckAgentCertificate(MakeSelfSigned({.names = names}).certificate, target);
}

std::string HostPart(const std::string& target) { return target.substr(0, target.find(':')); }

TEST(AgentCertificate, IsForTheHostsOfItsAlternativeNames) {
  const std::string names = "DNS:node1,DNS:*.example.org,IP:10.0.0.1,IP:fd00::1";
  for (const char* target : {"node1", "node1:7420", "NODE1", "a.example.org:7420", "10.0.0.1:7420",
                             "10.0.0.1", "[fd00::1]:7420", "fd00::1"}) {
    EXPECT_TRUE(Check(names, target).ok()) << target;
  }
}

TEST(AgentCertificate, IsForNoOther) {
  const std::string names = "DNS:node1,DNS:*.example.org,IP:10.0.0.1";
  for (const char* target :
       {"node2", "example.org", "a.b.example.org", "10.0.0.2:7420", "node1.", ""}) {
    const absl::Status refused = Check(names, target);
    EXPECT_EQ(refused.code(), absl::StatusCode::kUnauthenticated) << target;
    EXPECT_EQ(refused.message(),
              absl::StrCat("the agent's certificate is not for ", HostPart(target), " but for ",
                           "node1, *.example.org, 10.0.0.1"));
  }
}

TEST(AgentCertificate, ACommonNameDoesNotCount) {
  for (const char* names : {"", "URI:spiffe://test/node1"}) {
    EXPECT_EQ(Check(names, "node1").message(),
              "the agent's certificate is not for node1: it names no host as its subject "
              "alternative name (a common name does not count)");
  }
  EXPECT_EQ(CheckAgentCertificate("", "node1").message(), "the agent's certificate cannot be read");
}

}  // namespace
}  // namespace shoal
