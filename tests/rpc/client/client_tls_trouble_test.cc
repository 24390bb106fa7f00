// Certificates that do not go together, over real connections: what is told, and what to do about it.
#include <gmock/gmock.h>
#include <grpcpp/security/server_credentials.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "shoal/host.h"
#include "tests/support/self_signed.h"
#include "tests/support/tls_agent.h"

namespace shoal {
namespace {

using ::shoal::testing::FileWith;
using ::shoal::testing::MakeSelfSigned;
using ::shoal::testing::SelfSigned;
using ::shoal::testing::TlsAgent;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class TlsTroubleTest : public ::testing::Test {
 protected:
  ~TlsTroubleTest() override {
    for (const std::string& file : files_) unlink(file.c_str());
  }

  std::string File(const std::string& text) {
    files_.push_back(FileWith(text));
    return files_.back();
  }
  // What a client is told that shows `own` and takes `ca` for that of the agents; without `own` it speaks
  // plaintext.
  std::string Told(int port, const SelfSigned* own, const std::string& ca) {
    HostOptions options;
    if (own != nullptr) {
      certificate_ = File(own->certificate);
      ca_ = File(ca);
      absl::StatusOr<Credentials> credentials =
          Credentials::Load({certificate_, File(own->key), ca_});
      EXPECT_TRUE(credentials.ok()) << credentials.status();
      options.credentials = *std::move(credentials);
    }
    const std::string name = absl::StrCat("127.0.0.1:", port);
    const std::shared_ptr<Host> host = *Host::Create(ParseHostList(name)->at(0), options);
    CallOptions once;
    once.retry = false;
    const absl::Status status = host->GetFacts(once).status();
    std::string told(status.message());
    EXPECT_THAT(told, StartsWith(absl::StrCat("host \"", name, "\" cannot be reached: ")));
    return told;
  }

  const SelfSigned own_ = MakeSelfSigned();
  const SelfSigned other_ = MakeSelfSigned({.names = "IP:127.0.0.1"});
  std::string certificate_, ca_;

 private:
  std::vector<std::string> files_;
};

TEST_F(TlsTroubleTest, ThatGoTogetherAreNone) {
  TlsAgent agent(own_.certificate);
  HostOptions options;
  options.credentials =
      *Credentials::Load({File(own_.certificate), File(own_.key), File(agent.certificate())});
  const auto host =
      *Host::Create(ParseHostList(absl::StrCat("127.0.0.1:", agent.port()))->at(0), options);
  EXPECT_TRUE(host->GetFacts().ok());
}

TEST_F(TlsTroubleTest, AnAgentOfAnotherAuthorityIsToldWithTheFileThatDoesNotKnowIt) {
  TlsAgent agent(own_.certificate);
  const std::string told = Told(agent.port(), &own_, other_.certificate);
  EXPECT_THAT(told,
              HasSubstr(absl::StrCat("its certificate does not verify by ", ca_,
                                     ": another CA has signed it, or it is not valid now; give ")));
}

TEST_F(TlsTroubleTest, AnAgentThatDoesNotKnowOurAuthorityIsToldWithOurCertificate) {
  TlsAgent agent(other_.certificate);
  const std::string told = Told(agent.port(), &own_, agent.certificate());
  EXPECT_THAT(told, HasSubstr(absl::StrCat("as an agent does whose --tls-ca has not signed ",
                                           certificate_)));
}

TEST_F(TlsTroubleTest, PlaintextToATlsPortIsTold) {
  TlsAgent agent(own_.certificate);
  EXPECT_THAT(
      Told(agent.port(), nullptr, ""),
      HasSubstr("it closed the connection, which was plaintext: an agent that speaks TLS "));
}

TEST_F(TlsTroubleTest, TlsToAPlaintextPortIsTold) {
  v1::HostService::Service service;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  ASSERT_NE(server, nullptr);
  EXPECT_THAT(Told(port, &own_, other_.certificate),
              HasSubstr("it speaks no TLS on that port: an agent with --insecure-loopback is "));
  server->Shutdown(std::chrono::system_clock::now());
}

}  // namespace
}  // namespace shoal
