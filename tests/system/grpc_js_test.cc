// A generic gRPC client (@grpc/grpc-js with server reflection) drives an agent.
#include <stdlib.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/support/system/system_test.h"

namespace shoal::testing {
namespace {

constexpr char kIdentity[] = "spiffe://shoal.test/generic";

// Where npm installs to: below the build tree, kept from run to run.
constexpr char kWorkDirectory[] = SHOAL_GRPC_JS_WORK_DIR;

class GenericClient : public SystemTest {
 protected:
  // Copies the client there and installs what it needs; the reason if that cannot be.
  static std::string Prepare() {
    CommandOptions options;
    for (char** entry = environ; *entry; ++entry) {
      const std::string word = *entry;
      const size_t equals = word.find('=');
      if (equals != std::string::npos)
        options.env[word.substr(0, equals)] = word.substr(equals + 1);
    }
    const CommandResult result =
        RunProgram({"/bin/sh", SHOAL_GRPC_JS_SOURCE_DIR "/install", kWorkDirectory}, options);
    return result.exit_code == 0 ? "" : result.out + result.err;
  }

  void ExpectDrives(const std::vector<std::string>& arguments) {
    std::vector<std::string> argv = {"/usr/bin/env", "node",
                                     absl::StrCat(kWorkDirectory, "/client_test.js")};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    CommandOptions options = UserOptions();
    options.env["PATH"] = getenv("PATH");
    const CommandResult result = RunProgram(argv, options);
    EXPECT_EQ(result.exit_code, 0) << result;
    EXPECT_THAT(result.out, ::testing::HasSubstr("STATE_RUNNING"));
  }
};

TEST_F(GenericClient, DrivesAnAgentOverTheUnixSocket) {
  if (const std::string reason = Prepare(); !reason.empty()) GTEST_SKIP() << reason;
  ExpectDrives({StartAgent("ant").target()});
}

TEST_F(GenericClient, DrivesAnAgentOverMutualTls) {
  if (const std::string reason = Prepare(); !reason.empty()) GTEST_SKIP() << reason;
  TestNetwork network;
  const int host = network.AddHost();
  const CertificateAuthority authority(Scratch("config"), "ca");
  const Credential own = authority.ForHost("ant", network.Address(host));
  const Credential client = authority.ForClient("generic", kIdentity);
  const std::string address = absl::StrCat(network.Address(host), ":7420");
  AgentProcess& agent =
      AddAgent("ant", {"--listen", address, "--tls-cert", own.cert, "--tls-key", own.key,
                       "--tls-ca", authority.cert(), "--allow-identity", kIdentity});
  agent.options().namespaces = network.Namespaces(host);
  ASSERT_TRUE(agent.Start());
  ExpectDrives({address, authority.cert(), client.cert, client.key});
}

}  // namespace
}  // namespace shoal::testing
