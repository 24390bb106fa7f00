// Certificates that change under a running agent: faults 143, 144 and 145 of tests/README.md.
#include <grpc/grpc_security_constants.h>
#include <sys/stat.h>

#include <filesystem>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/boot_time.h"
#include "common/certificate.h"
#include "common/notification.h"
#include "tests/rpc/agent/authority.h"
#include "tests/rpc/agent/rpc_test.h"

namespace shoal::agent {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;

class TlsReloadTest : public ::testing::Test {
 protected:
  TlsReloadTest() { authority_.Issue("ops", "URI:spiffe://test/ops"); }

  void Start(ServerOptions options) {
    agent_ = std::make_unique<RpcAgent>(options, std::vector<std::string>{"spiffe://test/*"});
    ASSERT_TRUE(agent_->status().ok()) << agent_->status();
  }
  absl::Status Reload() {
    absl::Status status;
    Notification done;
    agent_->server().Reload([&](absl::Status result) {
      status = result;
      done.Notify();
    });
    done.WaitForNotification();
    return status;
  }
  std::shared_ptr<grpc::Channel> Channel(const std::string& name = "ops") const {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel(agent_->addresses()[1], authority_.CredentialsOf(name),
                                     arguments);
  }
  // Of the agent, as a new connection sees it; empty: it is not served.
  std::string SerialSeen() const {
    auto context = NewContext();
    v1::ListResponse response;
    const auto stub = v1::ProcessService::NewStub(Channel());
    const grpc::Status status = stub->List(context.get(), {}, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    if (!status.ok()) return "";
    const auto pem = context->auth_context()->FindPropertyValues(GRPC_X509_PEM_CERT_PROPERTY_NAME);
    return SerialOf(*ParseCertificates({pem.at(0).data(), pem.at(0).size()}).at(0));
  }
  std::string SerialIn(const std::string& name) const {
    return SerialOf(*ParseCertificates(FileText(authority_.Path(name, "pem"))).at(0));
  }
  static grpc::Status List(const std::shared_ptr<grpc::Channel>& channel) {
    v1::ListResponse response;
    return v1::ProcessService::NewStub(channel)->List(NewContext().get(), {}, &response);
  }

  Authority authority_;
  std::unique_ptr<RpcAgent> agent_;
};

TEST_F(TlsReloadTest, NewCertificatesAreShownToNewConnectionsAndOldOnesGoOn) {
  Start(authority_.Options());
  const auto open = Channel();
  ASSERT_TRUE(List(open).ok());
  EXPECT_EQ(SerialSeen(), SerialIn("server"));
  authority_.Issue("server", "DNS:localhost,IP:127.0.0.1");
  ASSERT_TRUE(Reload().ok());
  const BootTime end = BootTime::Now() + absl::Seconds(20);
  while (SerialSeen() != SerialIn("server") && BootTime::Now() < end) continue;
  EXPECT_EQ(SerialSeen(), SerialIn("server"));
  EXPECT_TRUE(List(open).ok());
}

TEST_F(TlsReloadTest, AKeyThatDoesNotFitIsNotTakenAndTheOldOneServesOn) {
  Start(authority_.Options());
  const std::string before = SerialIn("server");
  std::filesystem::copy_file(authority_.Path("ops", "key"), authority_.Path("server", "key"),
                             std::filesystem::copy_options::overwrite_existing);
  const absl::Status refused = Reload();
  EXPECT_THAT(std::string(refused.message()), HasSubstr("do not belong together"));
  // gRPC looks at the copies every second: it must find nothing else there.
  const BootTime end = BootTime::Now() + absl::Milliseconds(1500);
  while (BootTime::Now() < end) ASSERT_EQ(SerialSeen(), before);
}

TEST_F(TlsReloadTest, CertificatesThatAreOfNoUseAreRefusedAtTheStart) {
  authority_.Issue("late", "DNS:localhost", -1);
  authority_.Issue("client", "DNS:localhost", 2, "ca", "extendedKeyUsage=clientAuth");
  for (const auto& [name, words] :
       {std::pair("late", "has expired"), std::pair("client", "use does not include serverAuth")}) {
    ServerOptions options = authority_.Options();
    options.tcp.tls.certificate = authority_.Path(name, "pem");
    options.tcp.tls.key = authority_.Path(name, "key");
    const std::string message(RpcAgent(options).status().message());
    EXPECT_THAT(message, HasSubstr(options.tcp.tls.certificate));
    EXPECT_THAT(message, HasSubstr(words));
  }
}

TEST_F(TlsReloadTest, ARevokedCertificateEndsItsConnectionAndMakesNoOther) {
  const std::string lists = authority_.Path("lists", "d");
  std::filesystem::create_directory(lists);
  authority_.Issue("dev", "URI:spiffe://test/dev");
  ServerOptions options = authority_.Options();
  options.tcp.crl_directory = lists;
  Start(options);
  const auto neighbour = Channel("dev");
  ASSERT_TRUE(List(neighbour).ok());
  const auto channel = Channel();
  ASSERT_TRUE(List(channel).ok());
  auto context = NewContext();
  const auto watch = v1::ProcessService::NewStub(channel)->Watch(context.get(), {});
  watch->WaitForInitialMetadata();

  authority_.Revoke("ops", lists);
  ASSERT_TRUE(Reload().ok());
  v1::WatchResponse news;
  while (watch->Read(&news)) continue;
  EXPECT_EQ(watch->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  const grpc::Status refused = List(Channel());
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_THAT(refused.error_message(), HasSubstr("the client's certificate was revoked"));
  EXPECT_THAT(agent_->AuditLines(),
              Contains(AllOf(HasSubstr("event=\"refused\""),
                             HasSubstr("caller=\"spiffe://test/ops\" kind=\"spiffe\""),
                             HasSubstr(SerialIn("ops")), HasSubstr("address=\"127.0.0.1\""))));
  EXPECT_TRUE(List(neighbour).ok());
}

TEST_F(TlsReloadTest, ListsThatAreOfNoUseAreNamedAndTheOldOnesCountOn) {
  const std::string lists = authority_.Path("lists", "d");
  std::filesystem::create_directory(lists);
  authority_.Revoke("ops", lists);
  ServerOptions options = authority_.Options();
  options.tcp.crl_directory = lists;
  Start(options);
  EXPECT_EQ(List(Channel()).error_code(), grpc::StatusCode::PERMISSION_DENIED);
  std::ofstream(lists + "/list.pem") << "nonsense";
  const absl::Status refused = Reload();
  EXPECT_THAT(std::string(refused.message()),
              HasSubstr(absl::StrCat(lists, "/list.pem holds no PEM revocation list")));
  EXPECT_EQ(List(Channel()).error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_THAT(std::string(RpcAgent(options).status().message()), HasSubstr("list.pem"));
}

TEST_F(TlsReloadTest, EveryListOfAFileCountsAndABadFileKeepsNoOtherFromCounting) {
  const std::string lists = authority_.Path("lists", "d");
  std::filesystem::create_directory(lists);
  authority_.Issue("dev", "URI:spiffe://test/dev");
  authority_.Revoke("", lists);
  ServerOptions options = authority_.Options();
  options.tcp.crl_directory = lists;
  Start(options);
  ASSERT_TRUE(List(Channel()).ok());
  // The second of two lists in one file, beside files that are none.
  const std::string first = FileText(lists + "/list.pem");
  authority_.Revoke("ops", lists);
  std::ofstream(lists + "/both.pem") << first << FileText(lists + "/list.pem");
  std::filesystem::remove(lists + "/list.pem");
  std::ofstream(lists + "/README") << "hello";
  ASSERT_EQ(mkfifo((lists + "/pipe").c_str(), 0600), 0);
  EXPECT_THAT(std::string(Reload().message()), HasSubstr("README holds no PEM revocation list"));
  EXPECT_EQ(List(Channel()).error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_TRUE(List(Channel("dev")).ok());
}

TEST_F(TlsReloadTest, APipeInPlaceOfACertificateIsRefusedAndNotWaitedFor) {
  Start(authority_.Options());
  const std::string certificate = authority_.Path("server", "pem");
  std::filesystem::remove(certificate);
  ASSERT_EQ(mkfifo(certificate.c_str(), 0600), 0);
  EXPECT_THAT(std::string(Reload().message()), HasSubstr("is no regular file"));
  EXPECT_TRUE(List(Channel()).ok());
}

}  // namespace
}  // namespace shoal::agent
