// What comes over the wire and is not what it should be: faults 1, 2, 5–8, 10, 13, 15 and 28 of
// tests/README.md.
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/health_check_service_interface.h>
#include <malloc.h>

#include <condition_variable>
#include <fstream>
#include <mutex>
#include <utility>

#include "absl/time/clock.h"
#include "common/notification.h"
#include "shoal/v1/host_service.grpc.pb.h"
#include "tests/rpc/agent/rpc_test.h"

namespace shoal::agent {
namespace {

using ::testing::HasSubstr;

// What gRPC 1.51's callback API answers, with an empty message, to what it cannot parse (its
// synchronous one says INTERNAL).
constexpr grpc::StatusCode kUnparsable = grpc::StatusCode::UNIMPLEMENTED;
constexpr char kSpawn[] = "/shoal.v1.ProcessService/Spawn";

// Less than one such request is when parsed (16 MiB); the client of the test is in this process,
// too.
constexpr int64_t kMaxGrowthKib = 12 << 10;
// As shoald does, before the first thread: every arena more keeps what it once had.
const int kArenasAreFew = mallopt(M_ARENA_MAX, 2);

class WireFaultTest : public RpcTest {
 protected:
  // Sends bytes as they are.
  grpc::Status Send(const std::string& method, const std::string& bytes,
                    std::unique_ptr<grpc::ClientContext> context = NewContext()) {
    grpc::GenericStub stub(channel_);
    grpc::Slice slice(bytes);
    grpc::ByteBuffer request(&slice, 1), response;
    Notification done;
    grpc::Status status;
    stub.UnaryCall(context.get(), method, {}, &request, &response, [&](grpc::Status result) {
      status = std::move(result);
      done.Notify();
    });
    done.WaitForNotification();
    return status;
  }
  void ExpectServing() {
    v1::ListResponse list;
    grpc::Status status = processes_->List(NewContext().get(), {}, &list);
    EXPECT_TRUE(status.ok()) << status.error_code() << " " << status.error_message();
  }
  static int64_t ResidentKib() {
    malloc_trim(0);
    std::ifstream status("/proc/self/status");
    std::string word;
    while (status >> word) {
      if (word == "VmRSS:") break;
    }
    int64_t kib = 0;
    status >> kib;
    return kib;
  }
};

TEST_F(WireFaultTest, GarbageIsRefusedAndTheConnectionGoesOn) {
  EXPECT_EQ(Send(kSpawn, "\xff\xff\xff garbage").error_code(), kUnparsable);
  ExpectServing();
}

TEST_F(WireFaultTest, InvalidUtf8InAStringIsRefused) {
  // Field 1, request_id, a string.
  EXPECT_EQ(Send(kSpawn, "\x0a\x02\xff\xfe").error_code(), kUnparsable);
  ExpectServing();
}

TEST_F(WireFaultTest, UnknownFieldsArePassedOver) {
  v1::ListRequest request;
  // Field 1000, varint 1.
  std::string bytes = request.SerializeAsString() + std::string("\xc0\x3e\x01");
  EXPECT_TRUE(Send("/shoal.v1.ProcessService/List", bytes).ok());
}

TEST_F(WireFaultTest, DeepNestingIsRefused) {
  std::string bytes;
  for (int i = 0; i < 150; ++i) {
    std::string outer = "\x13";  // a group within a group
    outer += bytes;
    bytes = std::move(outer);
  }
  EXPECT_EQ(Send(kSpawn, bytes).error_code(), kUnparsable);
  ExpectServing();
}

TEST_F(WireFaultTest, AMessageOverAMebibyteIsResourceExhausted) {
  v1::SpawnRequest request = SpawnRequestOf({std::string(1 << 20, 'x')});
  v1::SpawnResponse response;
  grpc::Status status = processes_->Spawn(NewContext().get(), request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  ExpectServing();
}

TEST_F(WireFaultTest, AMebibyteOfEmptyArgumentsLeavesNoMemoryBehind) {
  if (kArenasAreFew != 1) GTEST_SKIP() << "a sanitizer's malloc keeps what is freed";
  v1::SpawnRequest request;
  request.set_request_id(NewRequestId());
  for (int i = 0; i < 520'000; ++i) request.mutable_spec()->add_argv();
  std::string bytes = request.SerializeAsString();
  request.Clear();
  request = v1::SpawnRequest();
  auto send_twenty = [&] {
    for (int i = 0; i < 20; ++i) {
      grpc::Status status = Send(kSpawn, bytes);
      EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
      EXPECT_THAT(status.error_message(), HasSubstr("argc 520000 > 65536"));
    }
    AwaitCalls(0);
  };
  send_twenty();  // brings the arenas of both ends, which share this process, to their size
  int64_t before = ResidentKib();
  send_twenty();
  // gRPC frees a request some time after its answer.
  absl::Time deadline = absl::Now() + absl::Seconds(60);
  while (ResidentKib() - before >= kMaxGrowthKib && absl::Now() < deadline)
    std::this_thread::yield();
  EXPECT_LT(ResidentKib() - before, kMaxGrowthKib);
}

TEST_F(WireFaultTest, LargeMetadataIsResourceExhausted) {
  auto context = NewContext();
  context->AddMetadata("x-large", std::string(20'000, 'x'));
  grpc::Status status = Send(kSpawn, "", std::move(context));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  // gRPC may end this connection with it (GOAWAY); other connections do not notice.
  v1::ListResponse list;
  EXPECT_TRUE(
      v1::ProcessService::NewStub(agent_.Connect())->List(NewContext().get(), {}, &list).ok());
}

TEST_F(WireFaultTest, UnknownMethodsAreUnimplemented) {
  EXPECT_EQ(Send("/shoal.v1.ProcessService/Fly", "").error_code(), grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_EQ(Send("/shoal.v9.Service/Spawn", "").error_code(), grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(WireFaultTest, CompressedMessagesAreNotTaken) {
  auto context = NewContext();
  context->set_compression_algorithm(GRPC_COMPRESS_GZIP);
  v1::SpawnResponse response;
  v1::SpawnRequest request = SpawnRequestOf({std::string(500'000, '0')});
  EXPECT_EQ(processes_->Spawn(context.get(), request, &response).error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
  ExpectServing();
}

TEST_F(WireFaultTest, ADeadlineThatIsPastDoesNothing) {
  auto context = std::make_unique<grpc::ClientContext>();
  context->set_deadline(absl::ToChronoTime(absl::Now() - absl::Seconds(1)));
  v1::SpawnResponse response;
  EXPECT_EQ(processes_->Spawn(context.get(), SpawnRequestOf({"/bin/true"}), &response).error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);
  agent_.OnLoop([&] { EXPECT_TRUE(agent_.shims().starts().empty()); });
}

TEST_F(WireFaultTest, AMissingRequestIdIsInvalid) {
  v1::SpawnRequest request = SpawnRequestOf({"/bin/true"});
  request.clear_request_id();
  v1::SpawnResponse response;
  grpc::Status status = processes_->Spawn(NewContext().get(), request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("request_id must be a UUIDv7"));
}

TEST_F(WireFaultTest, HealthAndReflectionAnswer) {
  EXPECT_TRUE(Send("/grpc.health.v1.Health/Check", "").ok());
  EXPECT_TRUE(v1::HostService::NewStub(channel_) != nullptr);
  v1::HostServiceGetResponse host;
  grpc::Status status = v1::HostService::NewStub(channel_)->Get(NewContext().get(), {}, &host);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(host.host().name(), "testhost");
  EXPECT_GE(host.host().slots(), 1);
}

}  // namespace
}  // namespace shoal::agent
