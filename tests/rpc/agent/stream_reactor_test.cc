// The one server stream under random cancels, closes, slow readers and a shutdown in mid-traffic:
// every object is gone at the end, and nothing aborts (gRPC does, on a second write or Finish).
#include "agent/rpc/stream_reactor.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "common/mutex.h"
#include "shoal/v1/process_service.grpc.pb.h"

namespace shoal::agent {
namespace {

using Stream = StreamReactor<v1::ReadOutputResponse>;
constexpr size_t kQueueBytes = 64 << 10;

v1::ReadOutputResponse FrameOf(size_t bytes) {
  v1::ReadOutputResponse frame;
  frame.mutable_data()->assign(bytes, 'x');
  return frame;
}

// Serves ReadOutput by threads that push, close and end at random; `offset` is the seed.
class RandomService final : public v1::ProcessService::CallbackService {
 public:
  explicit RandomService(OpenCalls* calls) : calls_(calls) {}
  ~RandomService() override {
    for (std::thread& producer : producers_) producer.join();
  }

  grpc::ServerWriteReactor<v1::ReadOutputResponse>* ReadOutput(
      grpc::CallbackServerContext*, const v1::ReadOutputRequest* request) override {
    std::shared_ptr<Stream> stream = Stream::Begin(calls_, kQueueBytes);
    auto room = std::make_shared<Room>();
    stream->SetHooks([room] { room->Tell(false); }, [room] { room->Tell(true); });
    MutexLock lock(&mu_);
    streams_.push_back(stream);
    producers_.emplace_back([stream, room, seed = request->offset()] {
      Produce(stream.get(), room.get(), static_cast<unsigned>(seed));
    });
    return stream.get();
  }

  bool AreAllGone() {
    MutexLock lock(&mu_);
    for (const std::weak_ptr<Stream>& stream : streams_) {
      if (!stream.expired()) return false;
    }
    return true;
  }
  void JoinProducers() {
    MutexLock lock(&mu_);
    for (std::thread& producer : producers_) producer.join();
    producers_.clear();
  }

 private:
  // Where a producer waits for room or the end.
  struct Room {
    void Tell(bool over) {
      MutexLock lock(&mu);
      told = true;
      ended |= over;
    }
    // False: the stream is over.
    bool Await() {
      MutexLock lock(&mu);
      mu.Await([this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) { return told; });
      told = ended;
      return !ended;
    }
    Mutex mu;
    bool told ABSL_GUARDED_BY(mu) = false;
    bool ended ABSL_GUARDED_BY(mu) = false;
  };

  static void Produce(Stream* stream, Room* room, unsigned seed) {
    std::minstd_rand random(seed);
    int frames = static_cast<int>(random() % 40);
    for (int i = 0; i < frames;) {
      const size_t bytes = random() % (random() % 2 == 0 ? 64 << 10 : 512);
      if (random() % 3 == 0) stream->Hold();
      const bool is_pushed = stream->Push(FrameOf(bytes), bytes);
      if (!is_pushed || random() % 3 == 0) stream->Release();
      if (is_pushed) {
        ++i;
      } else if (!room->Await()) {
        return;
      }
      if (random() % 97 == 0) stream->End(grpc::Status(grpc::StatusCode::ABORTED, "ended"));
    }
    stream->Close(grpc::Status::OK);
    stream->Release();
    stream->Close(grpc::Status(grpc::StatusCode::UNKNOWN, "a second ending is none"));
    if (random() % 2 == 0) stream->End(grpc::Status(grpc::StatusCode::ABORTED, "ended"));
    EXPECT_FALSE(stream->Push(FrameOf(1), 1));
  }

  OpenCalls* const calls_;
  Mutex mu_;
  std::vector<std::thread> producers_ ABSL_GUARDED_BY(mu_);
  std::vector<std::weak_ptr<Stream>> streams_ ABSL_GUARDED_BY(mu_);
};

class StreamReactorTest : public ::testing::Test {
 protected:
  StreamReactorTest() : service_(&calls_) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    channel_ = grpc::CreateChannel("127.0.0.1:" + std::to_string(port_),
                                   grpc::InsecureChannelCredentials());
    stub_ = v1::ProcessService::NewStub(channel_);
  }
  ~StreamReactorTest() override { ShutDown(); }

  void ShutDown() {
    if (server_ == nullptr) return;
    calls_.EndAll(grpc::Status(grpc::StatusCode::UNAVAILABLE, "stopping"));
    server_->Shutdown(absl::ToChronoTime(absl::Now() + absl::Seconds(5)));
    service_.JoinProducers();
    server_.reset();
  }

  // Reads a stream, gives up at random; returns its status.
  grpc::Status ReadSome(unsigned seed, bool may_cancel) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(60)));
    v1::ReadOutputRequest request;
    request.set_offset(seed);
    auto reader = stub_->ReadOutput(&context, request);
    std::minstd_rand random(seed + 1);
    v1::ReadOutputResponse frame;
    while (reader->Read(&frame)) {
      if (may_cancel && random() % 10 == 0) context.TryCancel();
    }
    return reader->Finish();
  }

  OpenCalls calls_;
  RandomService service_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::ProcessService::Stub> stub_;
};

TEST_F(StreamReactorTest, EveryStreamEndsOnceAndIsGone) {
  std::vector<std::thread> clients;
  for (unsigned client = 0; client < 8; ++client) {
    clients.emplace_back([this, client] {
      for (unsigned i = 0; i < 25; ++i) ReadSome(client * 1000 + i, /*may_cancel=*/true);
    });
  }
  for (std::thread& client : clients) client.join();
  ShutDown();
  EXPECT_EQ(calls_.count(), 0u);
  EXPECT_TRUE(service_.AreAllGone());
}

TEST_F(StreamReactorTest, AShutdownInMidTrafficEndsAllOfThem) {
  std::atomic<int> begun = 0;
  std::vector<std::thread> clients;
  for (unsigned client = 0; client < 8; ++client) {
    clients.emplace_back([this, client, &begun] {
      for (unsigned i = 0; i < 1000; ++i) {
        ++begun;
        if (ReadSome(client * 1000 + i, false).error_code() == grpc::StatusCode::UNAVAILABLE) break;
      }
    });
  }
  while (begun < 40) std::this_thread::yield();
  ShutDown();
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(calls_.count(), 0u);
  EXPECT_TRUE(service_.AreAllGone());
}

TEST_F(StreamReactorTest, AReaderThatStopsReadingHoldsNobodyUp) {
  grpc::ClientContext context;
  v1::ReadOutputRequest request;
  request.set_offset(12345);
  auto stalled = stub_->ReadOutput(&context, request);
  for (unsigned i = 0; i < 20; ++i) ReadSome(i, false);
  context.TryCancel();
  stalled->Finish();
}

}  // namespace
}  // namespace shoal::agent
