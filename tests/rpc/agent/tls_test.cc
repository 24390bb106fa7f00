// Which callers are served over TCP: faults 31, 105, 140, 141, 146 and 173 of tests/README.md.
#include <grpcpp/security/credentials.h>
#include <sys/stat.h>

#include <filesystem>
#include <memory>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/certificate.h"
#include "tests/rpc/agent/authority.h"
#include "tests/rpc/agent/rpc_test.h"

namespace shoal::agent {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;

class TlsTest : public ::testing::Test {
 protected:
  static Authority& authority() {
    static auto* one = new std::unique_ptr<Authority>(MakeAuthority());
    return **one;
  }
  static Authority* MakeAuthority() {
    auto* made = new Authority;
    made->Issue("ops", "URI:spiffe://test/ops");
    made->Issue("west", "URI:spiffe://test/ops/west,DNS:spiffe");
    made->Issue("evil", "URI:spiffe://test/ops-evil");
    made->Issue("dev", "URI:spiffe://test/dev");
    made->Issue("dns", "DNS:ops.test");
    made->Issue("plain", "");
    made->Issue("spiffe://test/ops", "");  // a common name that looks like an identity
    made->Issue("uid:0", "");
    made->Issue("dns-uri", "DNS:spiffe://test/ops");
    made->Issue("two", "URI:spiffe://test/ops,URI:spiffe://test/dev");
    made->Issue("two-dns", "DNS:ops.test,DNS:dev.test");
    made->Issue("url", "URI:https://test/ops");
    made->Issue("stranger", "URI:spiffe://test/ops", 2, "other");
    made->Issue("expired", "URI:spiffe://test/ops", -1);
    made->Issue("server-only", "URI:spiffe://test/ops", 2, "ca", "extendedKeyUsage=serverAuth");
    return made;
  }
  static void TearDownTestSuite() {
    std::filesystem::remove_all(std::filesystem::path(authority().Path("ca", "pem")).parent_path());
  }

  static ServerOptions TlsOptions() { return authority().Options(); }
  static grpc::Status SpawnAt(const std::string& address,
                              std::shared_ptr<grpc::ChannelCredentials> credentials) {
    auto stub = v1::ProcessService::NewStub(grpc::CreateChannel(address, credentials));
    auto context = NewContext();
    // Not a valid request: a client that is served is told so, any other never gets that far.
    v1::SpawnResponse response;
    return stub->Spawn(context.get(), v1::SpawnRequest(), &response);
  }
};

TEST_F(TlsTest, OnlyAllowedIdentitiesAreServed) {
  RpcAgent agent(TlsOptions(), {"spiffe://test/ops", "spiffe://test/ops/*", "ops.test"});
  ASSERT_TRUE(agent.status().ok()) << agent.status();
  constexpr grpc::StatusCode kServed = grpc::StatusCode::INVALID_ARGUMENT;
  constexpr grpc::StatusCode kDenied = grpc::StatusCode::PERMISSION_DENIED;
  constexpr grpc::StatusCode kNoConnection = grpc::StatusCode::UNAVAILABLE;
  struct Row {
    const char* certificate;
    grpc::StatusCode code;
    const char* words;
  } rows[] = {
      {"ops", kServed, ""},   // exact
      {"west", kServed, ""},  // below ops/*
      {"dns", kServed, ""},   // no URI: the DNS name
      {"dev", kDenied, "identity spiffe://test/dev may not start processes: no --allow-id"},
      {"evil", kDenied, "no --allow-identity names it"},
      {"plain", kDenied, "its common name (CN) is no identity"},
      {"spiffe://test/ops", kDenied, "its common name (CN) is no identity"},
      {"dns-uri", kDenied, "has the DNS name 'spiffe://test/ops', which is none"},
      {"two", kDenied, "has 2 URIs; an identity is exactly one"},
      {"two-dns", kDenied, "has 2 DNS names"},
      {"url", kDenied, "has the URI 'https://test/ops', which is no SPIFFE id"},
      {"stranger", kNoConnection, ""},     // of another CA
      {"expired", kNoConnection, ""},      //
      {"server-only", kNoConnection, ""},  // its use is another one
      {"", kNoConnection, ""},             // none at all
  };
  for (const Row& row : rows) {
    const grpc::Status status =
        SpawnAt(agent.addresses()[1], authority().CredentialsOf(row.certificate));
    EXPECT_EQ(status.error_code(), row.code)
        << "'" << row.certificate << "': " << status.error_message();
    EXPECT_THAT(status.error_message(), HasSubstr(row.words)) << row.certificate;
  }
}

TEST_F(TlsTest, WhatIsRefusedStandsInTheAuditWithSerialAndAddress) {
  RpcAgent agent(TlsOptions(), {"spiffe://test/ops"});
  ASSERT_TRUE(agent.status().ok()) << agent.status();
  for (const char* certificate : {"dev", "plain"}) {
    EXPECT_EQ(SpawnAt(agent.addresses()[1], authority().CredentialsOf(certificate)).error_code(),
              grpc::StatusCode::PERMISSION_DENIED);
  }
  const auto serial = [](const std::string& name) {
    return absl::StrCat("serial=\"",
                        SerialOf(*ParseCertificates(FileText(authority().Path(name, "pem"))).at(0)),
                        "\"");
  };
  EXPECT_THAT(
      agent.AuditLines(),
      AllOf(Contains(AllOf(HasSubstr("caller=\"spiffe://test/dev\" kind=\"spiffe\""),
                           HasSubstr(serial("dev")), HasSubstr("address=\"127.0.0.1\""))),
            Contains(AllOf(HasSubstr("caller=\"(none)\" kind=\"unknown\""),
                           HasSubstr(serial("plain")), HasSubstr("address=\"127.0.0.1\"")))));
}

TEST_F(TlsTest, NoNameOfACertificateIsAUser) {
  RpcAgent agent(TlsOptions(), {"*"});
  const grpc::Status status = SpawnAt(agent.addresses()[1], authority().CredentialsOf("uid:0"));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED) << status.error_message();
}

TEST_F(TlsTest, LongIdentitiesThatDifferAtTheEndAreTwo) {
  const std::string common = "spiffe://test/" + std::string(300, 'a');
  RpcAgent agent(TlsOptions(), {"spiffe://test/*"});
  v1::OpenRequest open;
  open.set_request_id(NewRequestId());
  std::set<std::string> owners;
  for (const char* end : {"/one", "/two"}) {
    authority().Issue("long", absl::StrCat("URI:", common, end));
    auto stub = v1::SessionService::NewStub(
        grpc::CreateChannel(agent.addresses()[1], authority().CredentialsOf("long")));
    v1::OpenResponse opened;
    ASSERT_TRUE(stub->Open(NewContext().get(), open, &opened).ok());
    owners.insert(opened.session().owner());
  }
  EXPECT_THAT(owners, ::testing::ElementsAre(common + "/one", common + "/two"));
}

TEST_F(TlsTest, APlaintextClientOnTheTlsPortGetsNothing) {
  RpcAgent agent(TlsOptions(), {"*"});
  grpc::Status status = SpawnAt(agent.addresses()[1], grpc::InsecureChannelCredentials());
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(TlsTest, ProcessesBelongToTheMatchedIdentity) {
  RpcAgent agent(TlsOptions(), {"spiffe://test/*"});
  auto stub = v1::SessionService::NewStub(
      grpc::CreateChannel(agent.addresses()[1], authority().CredentialsOf("ops")));
  v1::OpenRequest open;
  open.set_request_id(NewRequestId());
  v1::OpenResponse opened;
  grpc::Status status = stub->Open(NewContext().get(), open, &opened);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(opened.session().owner(), "spiffe://test/ops");
}

TEST_F(TlsTest, PlaintextOnLoopbackNeedsItsFlagAndHasItsIdentity) {
  ServerOptions options;
  options.tcp.listen = {"127.0.0.1:0"};
  EXPECT_THAT(std::string(RpcAgent(options).status().message()), HasSubstr("--insecure-loopback"));
  options.tcp.insecure_loopback = true;
  RpcAgent agent(options);
  ASSERT_TRUE(agent.status().ok()) << agent.status();
  auto stub = v1::SessionService::NewStub(
      grpc::CreateChannel(agent.addresses()[1], grpc::InsecureChannelCredentials()));
  v1::OpenRequest open;
  open.set_request_id(NewRequestId());
  v1::OpenResponse opened;
  ASSERT_TRUE(stub->Open(NewContext().get(), open, &opened).ok());
  EXPECT_EQ(opened.session().owner(), "loopback");
}

TEST_F(TlsTest, ASessionIsServedByItsTokenAndStartsProcessesOfItsOwnerAlone) {
  ServerOptions options;
  options.tcp.listen = {"127.0.0.1:0"};
  options.tcp.insecure_loopback = true;
  RpcAgent agent(options);
  const auto local = v1::SessionService::NewStub(agent.Connect());
  const auto channel =
      grpc::CreateChannel(agent.addresses()[1], grpc::InsecureChannelCredentials());
  const auto other = v1::SessionService::NewStub(channel);
  v1::OpenRequest open;
  open.set_request_id(NewRequestId());
  v1::OpenResponse opened;
  ASSERT_TRUE(local->Open(NewContext().get(), open, &opened).ok());

  v1::SpawnRequest spawn = SpawnRequestOf({"/bin/true"});
  spawn.set_session_id(opened.session().id());
  v1::SpawnResponse spawned;
  grpc::Status status =
      v1::ProcessService::NewStub(channel)->Spawn(NewContext().get(), spawn, &spawned);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_THAT(status.error_message(), HasSubstr("belongs to another identity"));

  v1::KeepAliveRequest renew;
  renew.set_session_id(opened.session().id());
  renew.set_token("wrong");
  v1::KeepAliveResponse renewed;
  status = other->KeepAlive(NewContext().get(), renew, &renewed);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  renew.set_token(opened.token());
  EXPECT_TRUE(other->KeepAlive(NewContext().get(), renew, &renewed).ok());

  v1::SessionServiceListResponse listed;
  EXPECT_TRUE(other->List(NewContext().get(), {}, &listed).ok());
  EXPECT_EQ(listed.sessions_size(), 1);
  v1::CloseRequest close;
  close.set_session_id(opened.session().id());
  close.set_token(opened.token());
  v1::CloseResponse closed;
  EXPECT_TRUE(other->Close(NewContext().get(), close, &closed).ok());
}

TEST_F(TlsTest, PlaintextAnywhereElseIsRefused) {
  for (const char* address : {"0.0.0.0:0", "[::]:0", "10.0.0.3:7420"}) {
    ServerOptions options;
    options.tcp.listen = {address};
    options.tcp.insecure_loopback = true;
    absl::Status status = RpcAgent(options).status();
    EXPECT_FALSE(status.ok());
    EXPECT_THAT(std::string(status.message()),
                HasSubstr(absl::StrCat("plaintext on ", address, " is refused")));
  }
}

TEST_F(TlsTest, ACertificateAndKeyThatDoNotMatchAreNamed) {
  ServerOptions options = TlsOptions();
  options.tcp.tls.key = authority().Path("ops", "key");
  std::string message(RpcAgent(options).status().message());
  EXPECT_THAT(message, HasSubstr(options.tcp.tls.certificate));
  EXPECT_THAT(message, HasSubstr(options.tcp.tls.key));
  EXPECT_THAT(message, HasSubstr("do not belong together"));
  options.tcp.tls.key = authority().Path("server", "csr");
  ASSERT_EQ(chmod(options.tcp.tls.key.c_str(), 0600), 0);
  EXPECT_THAT(std::string(RpcAgent(options).status().message()), HasSubstr("no PEM private key"));
  options.tcp.tls.key = "/nonexistent";
  EXPECT_THAT(std::string(RpcAgent(options).status().message()), HasSubstr("/nonexistent"));
}

TEST_F(TlsTest, ATakenPortIsRefusedWithItsReason) {
  ServerOptions options;
  options.tcp.listen = {"127.0.0.1:0"};
  options.tcp.insecure_loopback = true;
  RpcAgent first(options);
  options.tcp.listen = {first.addresses()[1]};
  RpcAgent second(options);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("Address already in use"));
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(options.tcp.listen[0]));
}

TEST_F(TlsTest, ASecondAgentOnOneSocketIsRefused) {
  RpcAgent first;
  ServerOptions options;
  options.socket_path = first.addresses()[0].substr(5);
  RpcAgent second(options);
  EXPECT_FALSE(second.status().ok());
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(options.socket_path));
  v1::ListResponse list;
  EXPECT_TRUE(
      v1::ProcessService::NewStub(first.Connect())->List(NewContext().get(), {}, &list).ok());
}

TEST_F(TlsTest, ASocketPathThatIsTooLongIsSaidSo) {
  ServerOptions options;
  options.socket_path = "/tmp/" + std::string(205, 's');
  EXPECT_THAT(std::string(RpcAgent(options).status().message()),
              HasSubstr("socket path too long (210 > 107)"));
}

}  // namespace
}  // namespace shoal::agent
