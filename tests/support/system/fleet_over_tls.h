// Hosts in namespaces of their own, spoken to by mutual TLS: each has its network and its file
// system, in which of the test there are the agent with its files, and shoal_test_child.
#ifndef SHOAL_TESTS_SUPPORT_SYSTEM_FLEET_OVER_TLS_H_
#define SHOAL_TESTS_SUPPORT_SYSTEM_FLEET_OVER_TLS_H_

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tests/support/system/host_files.h"
#include "tests/support/system/system_test.h"

namespace shoal::testing {

inline constexpr char kAlice[] = "spiffe://shoal.test/alice";

class FleetOverTls : public SystemTest {
 protected:
  void SetUp() override {
    SystemTest::SetUp();
    if (!HasNetwork()) return;
    network_ = std::make_unique<TestNetwork>();
    authority_ = std::make_unique<CertificateAuthority>(Scratch("config"), "ca");
    BecomeClient(*authority_, "alice", kAlice);
  }

  // Otherwise it is a SystemTest, for those that are played with one agent, too.
  virtual bool HasNetwork() const { return true; }

  void BecomeClient(const CertificateAuthority& authority, const std::string& name,
                    const std::string& identity) {
    const Credential client = authority.ForClient(name, identity);
    extra_env_["SHOAL_TLS_CERT"] = client.cert;
    extra_env_["SHOAL_TLS_KEY"] = client.key;
    extra_env_["SHOAL_TLS_CA"] = authority_->cert();
  }

  // Agents node1 … nodeN with `slots` each; SHOAL_HOSTS is their addresses.
  void StartFleet(int count, int slots = 2) {
    std::vector<std::string> addresses;
    for (int i = 1; i <= count; ++i) {
      const int host = network_->AddHost();
      const std::string name = absl::StrCat("node", i);
      const std::string address = absl::StrCat(network_->Address(host), ":7420");
      const Credential own = authority_->ForHost(name, network_->Address(host));
      AgentProcess& agent = AddAgent(
          name, {"--listen", address, "--tls-cert", own.cert, "--tls-key", own.key, "--tls-ca",
                 authority_->cert(), "--allow-identity", kAlice, "--slots", absl::StrCat(slots)});
      agent.options().namespaces = network_->Namespaces(host);
      if (network_->CanCut()) {
        files_.push_back(FilesFor(agent));
        agent.options().namespaces.push_back(files_.back().get());
      }
      ASSERT_TRUE(agent.Start());
      addresses.push_back(address);
    }
    hosts_ = absl::StrJoin(addresses, ",");
  }

  // Of hosts that do not share those of the test, which needs what a network needs.
  UniqueFd FilesFor(const AgentProcess& agent) const {
    const std::string bin = std::filesystem::path(ShoaldPath()).parent_path();
    return MakeHostFiles({bin, Scratch("")}, {ShoaldPath(), ShimPath(), ChildPath(),
                                              Scratch("config"), agent.options().directory});
  }

  std::unique_ptr<TestNetwork> network_;
  std::unique_ptr<CertificateAuthority> authority_;
  std::vector<UniqueFd> files_;
};

}  // namespace shoal::testing

#endif  // SHOAL_TESTS_SUPPORT_SYSTEM_FLEET_OVER_TLS_H_
