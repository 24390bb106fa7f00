// Rows about streams, slow readers and safety.
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <random>

#include "absl/strings/str_cat.h"
#include "tests/system/fault_table.h"

namespace shoal::testing {
namespace {

using grpc::StatusCode;
using ::testing::HasSubstr;
using ::testing::Not;

v1::ReadOutputRequest ReadOf(const std::string& name, int64_t offset) {
  v1::ReadOutputRequest request;
  request.mutable_selector()->add_terms(name);
  request.add_streams(v1::STREAM_KIND_STDOUT);
  request.set_offset(offset);
  return request;
}

grpc::Status ReadAt(FaultTest& test, const std::string& name, int64_t offset) {
  CallContext context;
  const auto reader = test.stub().processes().ReadOutput(&context, ReadOf(name, offset));
  v1::ReadOutputResponse frame;
  while (reader->Read(&frame)) {
  }
  return reader->Finish();
}

void OffsetOutOfRange(FaultTest& test) {
  ASSERT_TRUE(test.Spawn(SpecOf({"echo", "12345"}, "x")).ok());
  test.stub().Wait("x", v1::WaitRequest::UNTIL_EMPTY);
  EXPECT_TRUE(ReadAt(test, "x", 6).ok());
  ExpectStatus(ReadAt(test, "x", 7), StatusCode::OUT_OF_RANGE, {"6"});
  ExpectStatus(ReadAt(test, "x", -1), StatusCode::INVALID_ARGUMENT, {"offset"});
}

void DroppedSegments(FaultTest& test) {
  constexpr int64_t kBytes = 1 << 20;
  v1::ProcessSpec spec = SpecOf({ChildPath(), "bytes", "1", absl::StrCat(kBytes)}, "x");
  spec.mutable_output()->set_cap_bytes(64 << 10);
  spec.mutable_output()->set_overflow(v1::OVERFLOW_POLICY_DROP_OLDEST);
  ASSERT_TRUE(test.Spawn(spec).ok());
  test.stub().Wait("x", v1::WaitRequest::UNTIL_EMPTY);
  CallContext context;
  const auto reader = test.stub().processes().ReadOutput(&context, ReadOf("x", 0));
  v1::ReadOutputResponse frame;
  ASSERT_TRUE(reader->Read(&frame));
  ASSERT_TRUE(frame.has_gap()) << frame.ShortDebugString().substr(0, 200);
  EXPECT_EQ(frame.gap().from(), 0);
  EXPECT_EQ(frame.gap().reason(), v1::Gap::REASON_CAP);
  int64_t at = frame.gap().to();
  while (reader->Read(&frame)) {
    EXPECT_EQ(frame.offset(), at);
    at += static_cast<int64_t>(frame.data().size());
  }
  EXPECT_EQ(at, kBytes);
  EXPECT_TRUE(reader->Finish().ok());
}

void ReadersThatDoNotRead(FaultTest& test) {
  constexpr int kReaders = 40;
  ASSERT_TRUE(test.Spawn(SpecOf({ChildPath(), "bytes", "1", absl::StrCat(48 << 20)}, "x")).ok());
  test.ExpectServing();
  const int64_t before = test.AgentRssBytes();
  std::vector<std::unique_ptr<CallContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReader<v1::ReadOutputResponse>>> readers;
  v1::ReadOutputRequest request = ReadOf("x", 0);
  request.set_follow(true);
  for (int i = 0; i < kReaders; ++i) {
    contexts.push_back(std::make_unique<CallContext>());
    readers.push_back(test.stub().processes().ReadOutput(contexts.back().get(), request));
  }
  EXPECT_EQ(test.stub().Wait("x", v1::WaitRequest::UNTIL_EMPTY).exit().code(), 0);
  test.ExpectServing();
  // What a reader that stands still may cost, and what the process itself needs, generously.
  EXPECT_LT(test.AgentRssBytes() - before, kReaders * (512 << 10) + (32 << 20));
  for (int i = 0; i < kReaders; ++i) {
    contexts[static_cast<size_t>(i)]->TryCancel();
    v1::ReadOutputResponse frame;
    while (readers[static_cast<size_t>(i)]->Read(&frame)) {
    }
    readers[static_cast<size_t>(i)]->Finish().ok();
  }
}

// As many as one identity may have; a connection carries a thousand.
void AThousandFollowers(FaultTest& test) {
  constexpr size_t kFollowers = 1'024;
  constexpr size_t kBytes = 128 << 10;
  constexpr int64_t kMostEach = 170 << 10;
  v1::ProcessSpec spec = SpecOf({"/bin/cat"}, "x");
  spec.mutable_input()->mutable_stream();
  ASSERT_TRUE(test.Spawn(spec).ok());
  test.ExpectServing();
  const int64_t before = test.AgentRssBytes();
  AgentStub second(test.agent().socket());
  v1::ReadOutputRequest request = ReadOf("x", 0);
  request.set_follow(true);
  std::vector<std::unique_ptr<CallContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReader<v1::ReadOutputResponse>>> readers;
  const auto follow = [&] {
    AgentStub& stub = readers.size() < kFollowers / 2 ? test.stub() : second;
    contexts.push_back(std::make_unique<CallContext>());
    readers.push_back(stub.processes().ReadOutput(contexts.back().get(), request));
    readers.back()->WaitForInitialMetadata();
  };
  while (readers.size() < kFollowers) follow();
  follow();
  ExpectStatus(readers.back()->Finish(), StatusCode::RESOURCE_EXHAUSTED,
               {"1024 open streams, limit 1024"});
  readers.pop_back();
  v1::WriteInputRequest input;
  input.set_selector("x");
  input.set_data(std::string(kBytes, 'y'));
  input.set_end(true);
  CallContext context;
  v1::WriteInputResponse kept;
  ASSERT_TRUE(test.stub().processes().WriteInput(&context, input, &kept).ok());
  test.stub().Wait("x", v1::WaitRequest::UNTIL_OUTPUT_COMPLETE);
  EXPECT_LT(test.AgentRssBytes() - before, int64_t{kFollowers} * kMostEach + (32 << 20));
  for (const auto& reader : readers) {
    std::string bytes;
    v1::ReadOutputResponse frame;
    while (reader->Read(&frame)) bytes += frame.data();
    EXPECT_TRUE(reader->Finish().ok());
    ASSERT_TRUE(bytes == input.data()) << bytes.size();
  }
}

void Reconnects(FaultTest& test) {
  constexpr size_t kBytes = 3 << 20;
  ASSERT_TRUE(test.Spawn(SpecOf({ChildPath(), "bytes", "9", absl::StrCat(kBytes)}, "x")).ok());
  std::mt19937 random(7);
  std::string bytes;
  int connections = 0;
  while (bytes.size() < kBytes) {
    v1::ReadOutputRequest request = ReadOf("x", static_cast<int64_t>(bytes.size()));
    request.set_follow(true);
    CallContext context;
    const auto reader = test.stub().processes().ReadOutput(&context, request);
    v1::ReadOutputResponse frame;
    for (auto frames = 1 + random() % 3; frames > 0 && reader->Read(&frame); --frames) {
      ASSERT_EQ(frame.offset(), static_cast<int64_t>(bytes.size()));
      bytes += frame.data();
    }
    context.TryCancel();
    while (reader->Read(&frame)) {
    }
    reader->Finish().ok();
    ++connections;
  }
  EXPECT_GT(connections, 5);
  EXPECT_TRUE(bytes == test.stub().Output("x", v1::STREAM_KIND_STDOUT));
}

void FollowToTheEnd(FaultTest& test) {
  for (int i = 0; i < 20; ++i) {
    const std::string name = absl::StrCat("x", i);
    ASSERT_TRUE(test.Spawn(SpecOf({"sh", "-c", "echo first; echo last"}, name)).ok());
    v1::ReadOutputRequest request = ReadOf(name, 0);
    request.set_follow(true);
    CallContext context;
    const auto reader = test.stub().processes().ReadOutput(&context, request);
    std::string bytes;
    bool ended = false;
    v1::ReadOutputResponse frame;
    while (reader->Read(&frame)) {
      EXPECT_FALSE(ended) << "a frame behind the end";
      bytes += frame.data();
      ended = frame.has_end();
    }
    EXPECT_TRUE(reader->Finish().ok());
    EXPECT_EQ(bytes, "first\nlast\n");
    EXPECT_TRUE(ended);
  }
}

void CompactedRevision(FaultTest& test) {
  test.ExpectServing();
  test.agent().Kill();
  ASSERT_TRUE(test.agent().Start());
  v1::WatchRequest request;
  request.set_from_revision(1);
  CallContext context;
  const auto reader = test.stub().processes().Watch(&context, request);
  v1::WatchResponse response;
  EXPECT_FALSE(reader->Read(&response)) << response.ShortDebugString();
  ExpectStatus(reader->Finish(), StatusCode::OUT_OF_RANGE, {"oldest"});
}

void AnotherUid(FaultTest& test) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root to become somebody else";
  // All doors open, so that only the agent's own check is left.
  for (const std::string& path : {test.Scratch(""), test.Scratch("ant"), test.agent().run_dir()}) {
    ASSERT_EQ(chmod(path.c_str(), 0755), 0);
  }
  ASSERT_EQ(chmod(test.agent().socket().c_str(), 0777), 0);
  CommandOptions options = test.UserOptions();
  options.cwd = "/";
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"ps"}, {"run", "-n", "1", "--", "true"}}) {
    std::vector<std::string> argv = {"/usr/bin/setpriv", "--reuid",  "65534", "--regid", "65534",
                                     "--clear-groups",   ShoalPath()};
    argv.insert(argv.end(), words.begin(), words.end());
    const CommandResult result = RunProgram(argv, options);
    EXPECT_NE(result.exit_code, 0);
    EXPECT_THAT(result.err, IsOneReadableLine());
  }
  test.ExpectServing();
}

void SecretsStayOutOfTheLog(FaultTest& test) {
  v1::ProcessSpec spec = SpecOf({"true", "--password=argument-s3cret"}, "x");
  spec.add_env("TOKEN=environment-s3cret");
  ASSERT_TRUE(test.Spawn(spec).ok());
  ExpectStatus(test.Spawn(SpecOf({"/no/such/\x1b[31mprogram", "argument-s3cret"})),
               StatusCode::FAILED_PRECONDITION, {});
  test.agent().Stop();
  EXPECT_THAT(test.agent().Log(), Not(HasSubstr("s3cret")));
  EXPECT_THAT(test.agent().Log(), Not(HasSubstr("\x1b")));
}

void HealthAndReflection(FaultTest& test) {
  std::string response;
  const grpc::Status health = CallRaw(test.stub(), "/grpc.health.v1.Health/Check", "", &response);
  EXPECT_TRUE(health.ok()) << Describe(health);
  EXPECT_EQ(response, "\x08\x01");  // SERVING
}

}  // namespace

std::vector<FaultRow> StreamRows() {
  return {
      {26, "AnOffsetOutOfRangeIsRefused", OffsetOutOfRange},
      {27, "DroppedBytesAreAGap", DroppedSegments},
      {132, "ReadersThatDoNotReadAreCheap", ReadersThatDoNotRead},
      {134, "ReconnectedReadersGetEveryByteOnce", Reconnects},
      {135, "ACompactedRevisionIsOutOfRange", CompactedRevision},
      {137, "AFollowerGetsTheLastByteBeforeTheEnd", FollowToTheEnd},
      {138, "AThousandFollowersReadTheSameAndOneMoreIsRefused", AThousandFollowers},
      {147, "AnotherUidIsNotServed", AnotherUid},
      {149, "SecretsStayOutOfTheLog", SecretsStayOutOfTheLog},
      {155, "HealthIsServed", HealthAndReflection},
  };
}

}  // namespace shoal::testing
