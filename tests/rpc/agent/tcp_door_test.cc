// Floods of TCP connections and calls, seen by a neighbour: faults 29, 174 and 175 of tests/README.md.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/boot_time.h"
#include "common/grpc_deadline.h"
#include "tests/rpc/agent/authority.h"
#include "tests/rpc/agent/rpc_test.h"

namespace shoal::agent {
namespace {

using ::testing::HasSubstr;

constexpr int kWaitMs = 20'000;

// Connected from `source` to the port of `address`, without a byte.
UniqueFd ConnectFrom(const char* source, const std::string& address) {
  UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in own{}, peer{};
  own.sin_family = peer.sin_family = AF_INET;
  inet_pton(AF_INET, source, &own.sin_addr);
  inet_pton(AF_INET, "127.0.0.1", &peer.sin_addr);
  peer.sin_port =
      htons(static_cast<uint16_t>(std::atoi(address.substr(address.rfind(':') + 1).c_str())));
  EXPECT_EQ(bind(fd.get(), reinterpret_cast<sockaddr*>(&own), sizeof(own)), 0);
  EXPECT_EQ(connect(fd.get(), reinterpret_cast<sockaddr*>(&peer), sizeof(peer)), 0);
  return fd;
}

bool IsEnded(const UniqueFd& fd, int wait_ms) {
  pollfd ready = {.fd = fd.get(), .events = POLLIN, .revents = 0};
  if (poll(&ready, 1, wait_ms) != 1) return false;
  char byte = 0;
  return recv(fd.get(), &byte, 1, MSG_DONTWAIT) <= 0;
}

class TcpDoorTest : public ::testing::Test {
 protected:
  static Authority& authority() {
    static auto* one = new std::unique_ptr<Authority>(MakeAuthority());
    return **one;
  }
  static Authority* MakeAuthority() {
    auto* made = new Authority;
    made->Issue("ops", "URI:spiffe://test/ops");
    made->Issue("dev", "URI:spiffe://test/dev");
    made->Issue("refused", "URI:spiffe://other/x");
    return made;
  }
  static void TearDownTestSuite() {
    std::filesystem::remove_all(std::filesystem::path(authority().Path("ca", "pem")).parent_path());
  }

  void Start(TcpLimits limits) {
    agent_ = std::make_unique<RpcAgent>(authority().Options(),
                                        std::vector<std::string>{"spiffe://test/*"},
                                        BlobStoreOptions(), limits);
    ASSERT_TRUE(agent_->status().ok()) << agent_->status();
  }
  const std::string& address() const { return agent_->addresses()[1]; }
  TcpConnections& book() { return agent_->edge().callers->connections(); }

  // A connection of its own each time.
  std::shared_ptr<grpc::Channel> Channel(const std::string& name) const {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 20);
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 20);
    return grpc::CreateCustomChannel(address(), authority().CredentialsOf(name), arguments);
  }
  static grpc::Status List(const std::shared_ptr<grpc::Channel>& channel) {
    v1::ListResponse response;
    return v1::ProcessService::NewStub(channel)->List(NewContext().get(), {}, &response);
  }

  // Within some time.
  bool IsSeenServed(const std::string& name) const {
    const BootTime end = BootTime::Now() + absl::Seconds(20);
    while (BootTime::Now() < end) {
      if (List(Channel(name)).ok()) return true;
    }
    return false;
  }

  std::unique_ptr<RpcAgent> agent_;
};

TEST_F(TcpDoorTest, ANeighbourIsServedWhileSilentConnectionsPileUp) {
  TcpLimits limits;
  limits.doors = 4;
  Start(limits);
  const auto before = Channel("ops");
  ASSERT_TRUE(List(before).ok());
  std::vector<UniqueFd> flood;
  flood.reserve(200);
  for (int i = 0; i < 200; ++i) flood.push_back(ConnectFrom("127.0.0.2", address()));
  EXPECT_TRUE(IsEnded(flood.front(), kWaitMs)) << "newer ones need its room";
  EXPECT_TRUE(List(Channel("dev")).ok());
  EXPECT_TRUE(List(before).ok());
  EXPECT_LE(book().half_open(), 4u);
  flood.clear();
  EXPECT_TRUE(List(Channel("dev")).ok());
}

TEST_F(TcpDoorTest, ConnectionsWithoutACallAreEnded) {
  TcpLimits limits;
  limits.first_call = absl::Seconds(1);
  Start(limits);
  const UniqueFd silent = ConnectFrom("127.0.0.1", address());
  // With a handshake, but no call.
  const auto connected = Channel("ops");
  connected->GetState(/*try_to_connect=*/true);
  EXPECT_TRUE(connected->WaitForConnected(GrpcDeadlineAfter(absl::Seconds(20))));
  EXPECT_TRUE(IsEnded(silent, kWaitMs));
  EXPECT_TRUE(
      connected->WaitForStateChange(GRPC_CHANNEL_READY, GrpcDeadlineAfter(absl::Seconds(20))));
  EXPECT_TRUE(List(connected).ok()) << "by a new connection";
}

TEST_F(TcpDoorTest, AnIdentityHasSoManyConnections) {
  TcpLimits limits;
  limits.per_identity = 2;
  Start(limits);
  const auto first = Channel("ops"), second = Channel("ops"), third = Channel("ops");
  EXPECT_TRUE(List(first).ok());
  EXPECT_TRUE(List(second).ok());
  const grpc::Status refused = List(third);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(refused.error_message(),
              HasSubstr("identity spiffe://test/ops may not list processes: it has 2 conn"));
  EXPECT_TRUE(List(Channel("dev")).ok());
  EXPECT_TRUE(List(first).ok());
}

TEST_F(TcpDoorTest, AnIdentityThatIsRefusedAndAsksOnIsEndedAndHeldBack) {
  TcpLimits limits;
  limits.misses = 20;
  limits.misses_per_second = 1;
  Start(limits);
  const auto neighbour = Channel("ops");
  ASSERT_TRUE(List(neighbour).ok());
  const auto stranger = Channel("refused");
  const auto stub = v1::ProcessService::NewStub(stranger);
  grpc::Status status;
  int refused = 0;
  do {
    auto context = NewContext();
    v1::ListResponse response;
    status = stub->List(context.get(), {}, &response);
    ++refused;
  } while (status.error_code() == grpc::StatusCode::PERMISSION_DENIED && refused < 1000);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE) << status.error_message();
  EXPECT_LE(refused, 30);
  EXPECT_TRUE(List(neighbour).ok());
  // Its address is not accepted for a while, and then again.
  const UniqueFd held = ConnectFrom("127.0.0.1", address());
  EXPECT_TRUE(IsEnded(held, kWaitMs));
  EXPECT_TRUE(IsSeenServed("dev"));
}

TEST_F(TcpDoorTest, CallsThatAreResetAtOnceEndTheirConnection) {
  TcpLimits limits;
  limits.misses = 50;
  limits.misses_per_second = 1;
  Start(limits);
  const auto neighbour = Channel("ops");
  ASSERT_TRUE(List(neighbour).ok());
  const auto channel = Channel("dev");
  ASSERT_TRUE(List(channel).ok());
  const auto stub = v1::ProcessService::NewStub(channel);
  const BootTime end = BootTime::Now() + absl::Seconds(20);
  // Its calls wait, and are cancelled once they are seen to: a Watch has headers at once.
  while (book().count() == 2 && BootTime::Now() < end) {
    auto context = NewContext();
    auto watch = stub->Watch(context.get(), v1::WatchRequest());
    watch->WaitForInitialMetadata();
    context->TryCancel();
    watch->Finish();
  }
  EXPECT_EQ(book().count(), 1u);
  EXPECT_TRUE(List(neighbour).ok());
}

TEST_F(TcpDoorTest, ADrainEndsConnections) {
  Start({});
  const auto channel = Channel("ops");
  ASSERT_TRUE(List(channel).ok());
  const UniqueFd silent = ConnectFrom("127.0.0.1", address());
  agent_->Drain();
  EXPECT_TRUE(IsEnded(silent, kWaitMs));
  EXPECT_EQ(List(channel).error_code(), grpc::StatusCode::UNAVAILABLE);
}

}  // namespace
}  // namespace shoal::agent
