// Which callers are served over TCP: faults 31, 105, 140, 141 and 146 of tests/README.md.
// Certificates are made here, by openssl.
#include <grpcpp/security/credentials.h>
#include <spawn.h>
#include <sys/wait.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "tests/rpc/agent/rpc_test.h"

extern char** environ;

namespace shoal::agent {
namespace {

using ::testing::HasSubstr;

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// A directory of CAs and certificates, once for all tests.
class Authority {
 public:
  Authority() {
    char name[] = "/tmp/shoal-tls-XXXXXX";
    directory_ = mkdtemp(name);
    for (const char* ca : {"ca", "other"}) {
      Run(absl::StrCat(
          "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
          "-keyout ",
          Path(ca, "key"), " -out ", Path(ca, "pem"), " -subj /CN=", ca));
    }
    Issue("ca", "server", "DNS:localhost,IP:127.0.0.1");
    Issue("ca", "ops", "URI:spiffe://test/ops");
    Issue("ca", "ops-west", "URI:spiffe://test/ops-west,DNS:spiffe");
    Issue("ca", "dev", "URI:spiffe://test/dev");
    Issue("ca", "dns", "DNS:ops.test");
    Issue("ca", "plain", "");
    Issue("other", "stranger", "URI:spiffe://test/ops");
  }
  ~Authority() { std::filesystem::remove_all(directory_); }

  std::string Path(const std::string& name, const std::string& suffix) const {
    return absl::StrCat(directory_, "/", name, ".", suffix);
  }
  std::shared_ptr<grpc::ChannelCredentials> CredentialsOf(const std::string& name) const {
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = ReadFile(Path("ca", "pem"));
    if (!name.empty()) {
      options.pem_cert_chain = ReadFile(Path(name, "pem"));
      options.pem_private_key = ReadFile(Path(name, "key"));
    }
    return grpc::SslCredentials(options);
  }

 private:
  void Run(const std::string& command) const {
    ASSERT_EQ(system(absl::StrCat(command, " 2>/dev/null").c_str()), 0) << command;
  }
  void Issue(const std::string& ca, const std::string& name, const std::string& san) {
    Run(absl::StrCat("openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ",
                     Path(name, "key"), " -out ", Path(name, "csr"), " -subj /CN=", name));
    std::ofstream(Path(name, "ext"))
        << (san.empty() ? "basicConstraints=CA:FALSE" : absl::StrCat("subjectAltName=", san))
        << "\n";
    Run(absl::StrCat("openssl x509 -req -days 2 -in ", Path(name, "csr"), " -CA ", Path(ca, "pem"),
                     " -CAkey ", Path(ca, "key"), " -CAcreateserial -extfile ", Path(name, "ext"),
                     " -out ", Path(name, "pem")));
  }

  std::string directory_;
};

class TlsTest : public ::testing::Test {
 protected:
  static Authority& authority() {
    static auto* one = new std::unique_ptr<Authority>(new Authority);
    return **one;
  }
  static void TearDownTestSuite() {
    std::filesystem::remove_all(std::filesystem::path(authority().Path("ca", "pem")).parent_path());
  }

  static ServerOptions TlsOptions() {
    ServerOptions options;
    options.listen = {"127.0.0.1:0"};
    options.tls = {authority().Path("server", "pem"), authority().Path("server", "key"),
                   authority().Path("ca", "pem")};
    return options;
  }
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
  RpcAgent agent(TlsOptions(), {"spiffe://test/ops", "spiffe://test/ops-w*", "ops.test"});
  ASSERT_TRUE(agent.status().ok()) << agent.status();
  struct Row {
    const char* certificate;
    grpc::StatusCode code;
  } rows[] = {
      {"ops", grpc::StatusCode::INVALID_ARGUMENT},       // exact
      {"ops-west", grpc::StatusCode::INVALID_ARGUMENT},  // by prefix
      {"dns", grpc::StatusCode::INVALID_ARGUMENT},       // no URI: the DNS name
      {"dev", grpc::StatusCode::PERMISSION_DENIED},
      {"plain", grpc::StatusCode::PERMISSION_DENIED},
      {"stranger", grpc::StatusCode::UNAVAILABLE},  // of another CA
      {"", grpc::StatusCode::UNAVAILABLE},          // none at all
  };
  for (const Row& row : rows) {
    grpc::Status status = SpawnAt(agent.addresses()[1], authority().CredentialsOf(row.certificate));
    EXPECT_EQ(status.error_code(), row.code)
        << "'" << row.certificate << "': " << status.error_message();
  }
  grpc::Status denied = SpawnAt(agent.addresses()[1], authority().CredentialsOf("dev"));
  EXPECT_THAT(denied.error_message(),
              HasSubstr("identity spiffe://test/dev may not Spawn on host testhost"));
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
  options.listen = {"127.0.0.1:0"};
  EXPECT_THAT(std::string(RpcAgent(options).status().message()), HasSubstr("--insecure-loopback"));
  options.insecure_loopback = true;
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
  options.listen = {"127.0.0.1:0"};
  options.insecure_loopback = true;
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
    options.listen = {address};
    options.insecure_loopback = true;
    absl::Status status = RpcAgent(options).status();
    EXPECT_FALSE(status.ok());
    EXPECT_THAT(std::string(status.message()),
                HasSubstr(absl::StrCat("plaintext on ", address, " is refused")));
  }
}

TEST_F(TlsTest, ACertificateAndKeyThatDoNotMatchAreNamed) {
  ServerOptions options = TlsOptions();
  options.tls.key = authority().Path("ops", "key");
  std::string message(RpcAgent(options).status().message());
  EXPECT_THAT(message, HasSubstr(options.tls.certificate));
  EXPECT_THAT(message, HasSubstr(options.tls.key));
  EXPECT_THAT(message, HasSubstr("do not belong together"));
  options.tls.key = options.tls.certificate;
  EXPECT_THAT(std::string(RpcAgent(options).status().message()), HasSubstr("no PEM private key"));
  options.tls.key = "/nonexistent";
  EXPECT_THAT(std::string(RpcAgent(options).status().message()), HasSubstr("/nonexistent"));
}

TEST_F(TlsTest, ATakenPortIsRefusedWithItsReason) {
  ServerOptions options;
  options.listen = {"127.0.0.1:0"};
  options.insecure_loopback = true;
  RpcAgent first(options);
  options.listen = {first.addresses()[1]};
  RpcAgent second(options);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("Address already in use"));
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(options.listen[0]));
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
