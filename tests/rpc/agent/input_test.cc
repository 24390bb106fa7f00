// WriteInput and StreamInput: checks, back-pressure, what is told, and what a broken stream leaves.
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/ids.h"
#include "tests/rpc/agent/rpc_test.h"

namespace shoal::agent {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kWindow = 64 << 10;

class InputTest : public RpcTest {
 protected:
  // Runs, with an input stream.
  std::string Start(const std::string& name = "web") {
    v1::SpawnRequest request = SpawnRequestOf({"/bin/cat"});
    request.mutable_spec()->set_name(name);
    request.mutable_spec()->mutable_input()->mutable_stream()->set_window_bytes(kWindow);
    v1::SpawnResponse response;
    EXPECT_TRUE(Spawn(request, &response).ok());
    return response.process().id();
  }
  static v1::WriteInputRequest Bytes(int64_t offset, std::string data, bool end = false) {
    v1::WriteInputRequest request;
    request.set_selector("web");
    request.set_offset(offset);
    request.set_data(std::move(data));
    request.set_end(end);
    return request;
  }
  grpc::Status Write(const v1::WriteInputRequest& request,
                     v1::WriteInputResponse* response = nullptr) {
    v1::WriteInputResponse unused;
    auto context = NewContext();
    return processes_->WriteInput(context.get(), request, response == nullptr ? &unused : response);
  }
  v1::Process GetProcess(const std::string& term) {
    v1::GetRequest request;
    request.set_selector(term);
    v1::GetResponse response;
    EXPECT_TRUE(processes_->Get(NewContext().get(), request, &response).ok());
    return response.process();
  }
  void Feed(const std::string& id, int64_t most = INT64_MAX) {
    agent_.OnLoop([&] { agent_.shims().Feed(id, most); });
  }
};

TEST_F(InputTest, BytesAreKeptAndTold) {
  const std::string id = Start();
  v1::WriteInputResponse response;
  ASSERT_TRUE(Write(Bytes(0, "hello"), &response).ok());
  EXPECT_EQ(response.position().kept_offset(), 5);
  EXPECT_EQ(response.position().window_bytes(), kWindow);
  Feed(id);
  ASSERT_TRUE(Write(Bytes(5, "", /*end=*/true), &response).ok());
  EXPECT_TRUE(response.position().ended());
  EXPECT_EQ(response.position().fed_offset(), 5);
  EXPECT_EQ(GetProcess("web").input().kept_offset(), 5);
}

TEST_F(InputTest, ACallThatWaitsForRoomEndsWithItsTimeout) {
  Start();
  ASSERT_TRUE(Write(Bytes(0, std::string(kWindow, 'x'))).ok());
  v1::WriteInputRequest request = Bytes(kWindow, "more");
  request.mutable_timeout()->set_nanos(1'000'000);
  v1::WriteInputResponse response;
  ASSERT_TRUE(Write(request, &response).ok());
  EXPECT_TRUE(response.timed_out());
  EXPECT_EQ(response.position().kept_offset(), kWindow);
}

TEST_F(InputTest, WhatIsWrongIsNamed) {
  Start();
  v1::WriteInputRequest request = Bytes(-1, "x");
  EXPECT_EQ(Write(request).error_message(), "offset is -1: must not be negative");
  request = Bytes(0, std::string((512 << 10) + 1, 'x'));
  EXPECT_EQ(Write(request).error_message(), "data is 524289 bytes, limit 524288");
  request = Bytes(INT64_MAX, "xx");
  EXPECT_THAT(Write(request).error_message(), HasSubstr("is too large"));
  request = Bytes(0, "x");
  request.set_writer(std::string(65, 'w'));
  EXPECT_EQ(Write(request).error_message(), "writer is 65 bytes, limit 64");
  request = Bytes(0, "x");
  request.set_selector("we*");
  EXPECT_THAT(Write(request).error_message(), HasSubstr("is a glob"));
  request.set_selector("");
  EXPECT_EQ(Write(request).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  request.set_selector("none");
  EXPECT_EQ(Write(request).error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(Write(Bytes(7, "x")).error_code(), grpc::StatusCode::OUT_OF_RANGE);
}

TEST_F(InputTest, PlacesOutsideOfWhatIsKeptAreRefusedAndTheEndMayBeSentAgain) {
  Start();
  EXPECT_EQ(Write(Bytes(kWindow + 1, "x")).error_code(), grpc::StatusCode::OUT_OF_RANGE);
  ASSERT_TRUE(Write(Bytes(0, "hello")).ok());
  EXPECT_EQ(Write(Bytes(3, "", /*end=*/true)).error_code(), grpc::StatusCode::OUT_OF_RANGE);
  v1::WriteInputResponse response;
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(Write(Bytes(5, "", /*end=*/true), &response).ok());
    EXPECT_TRUE(response.position().ended());
  }
  const grpc::Status behind = Write(Bytes(5, "x"));
  EXPECT_EQ(behind.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(behind.error_message(), HasSubstr("it has ended, at 5"));
  EXPECT_TRUE(Write(Bytes(0, "hello")).ok()) << "what is there already does no harm";
}

TEST_F(InputTest, ATerminalHasASizeThatATerminalCanHave) {
  v1::SpawnRequest request = SpawnRequestOf({"/bin/cat"});
  request.mutable_spec()->set_name("web");
  v1::ResizeTerminalRequest resize;
  resize.set_selector("web");
  resize.mutable_size()->set_serial(1);
  v1::SpawnResponse started;
  v1::ResizeTerminalResponse resized;
  for (const int side : {0, 65'536, -1}) {
    request.set_request_id(NewRequestId());
    request.mutable_spec()->mutable_terminal()->set_rows(side);
    request.mutable_spec()->mutable_terminal()->set_columns(side);
    const grpc::Status refused = processes_->Spawn(NewContext().get(), request, &started);
    EXPECT_EQ(refused.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_EQ(refused.error_message(),
              absl::StrCat("terminal.rows is ", side, ", must be 1 to 65535"));
    resize.mutable_size()->set_rows(24);
    resize.mutable_size()->set_columns(side);
    EXPECT_EQ(processes_->ResizeTerminal(NewContext().get(), resize, &resized).error_message(),
              absl::StrCat("size.columns is ", side, ", must be 1 to 65535"));
  }
  request.set_request_id(NewRequestId());
  request.mutable_spec()->mutable_terminal()->set_rows(65'535);
  request.mutable_spec()->mutable_terminal()->set_columns(65'535);
  ASSERT_TRUE(Spawn(request, &started).ok());
  resize.mutable_size()->set_columns(80);
  ASSERT_TRUE(processes_->ResizeTerminal(NewContext().get(), resize, &resized).ok());
  EXPECT_EQ(resized.size().columns(), 80);
  resize.mutable_size()->set_columns(90);
  ASSERT_TRUE(processes_->ResizeTerminal(NewContext().get(), resize, &resized).ok());
  EXPECT_EQ(resized.size().columns(), 80) << "its serial is not newer";
}

TEST_F(InputTest, AnInputThatWasClosedHasItsReason) {
  const std::string id = Start();
  ASSERT_TRUE(Write(Bytes(0, "hello")).ok());
  Feed(id);
  agent_.OnLoop([&] { agent_.shims().CloseInput(id); });
  const grpc::Status refused = Write(Bytes(5, "x"));
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(refused.error_message(), HasSubstr("has closed its input: of 5 bytes"));
  EXPECT_THAT(refused.error_details(), HasSubstr("INPUT_CLOSED"));
  EXPECT_TRUE(GetProcess("web").input().closed());
}

TEST_F(InputTest, ACallThatIsGivenUpLeavesNothingBehind) {
  const std::string id = Start();
  ASSERT_TRUE(Write(Bytes(0, std::string(kWindow, 'x'))).ok());
  auto context = NewContext();
  v1::WriteInputResponse response;
  std::thread blocked(
      [&] { processes_->WriteInput(context.get(), Bytes(kWindow, "yy"), &response); });
  AwaitCalls(1);
  context->TryCancel();
  blocked.join();
  AwaitCalls(0);
  Feed(id);
  ASSERT_TRUE(Write(Bytes(kWindow, "zz"), &response).ok()) << "it is not behind what was given up";
  EXPECT_EQ(response.position().kept_offset(), kWindow + 2);
}

TEST_F(InputTest, AStreamKeepsItsPiecesInTheirOrder) {
  const std::string id = Start();
  auto context = NewContext();
  auto stream = processes_->StreamInput(context.get());
  v1::StreamInputRequest piece;
  piece.set_selector("web");
  piece.set_writer("one");
  int64_t offset = 0;
  for (int i = 0; i < 100; ++i) {
    piece.set_offset(offset);
    piece.set_data(absl::StrCat("piece ", i, ";"));
    offset += static_cast<int64_t>(piece.data().size());
    ASSERT_TRUE(stream->Write(piece));
    piece.clear_selector();
    piece.clear_writer();
  }
  piece.Clear();
  piece.set_offset(offset);
  piece.set_end(true);
  ASSERT_TRUE(stream->Write(piece));
  stream->WritesDone();
  v1::StreamInputResponse told;
  int64_t kept = -1;
  while (stream->Read(&told)) {
    EXPECT_GE(told.position().kept_offset(), kept);
    kept = told.position().kept_offset();
  }
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(kept, offset);
  EXPECT_TRUE(told.position().ended());
}

TEST_F(InputTest, AStreamWaitsForRoomAndIsToldOfIt) {
  const std::string id = Start();
  auto context = NewContext();
  auto stream = processes_->StreamInput(context.get());
  v1::StreamInputRequest piece;
  piece.set_selector("web");
  piece.set_data(std::string(kWindow, 'x'));
  ASSERT_TRUE(stream->Write(piece));
  v1::StreamInputResponse told;
  ASSERT_TRUE(stream->Read(&told));
  EXPECT_EQ(told.position().kept_offset(), kWindow);
  piece.set_offset(kWindow);
  ASSERT_TRUE(stream->Write(piece));
  Feed(id);
  ASSERT_TRUE(stream->Read(&told));
  EXPECT_EQ(told.position().kept_offset(), 2 * kWindow);
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(InputTest, AStreamOnWhichNothingIsSentEndsByItsDeadlineAndWhatItHadStays) {
  Start();
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(200));
  auto stream = processes_->StreamInput(&context);
  v1::StreamInputRequest piece;
  piece.set_selector("web");
  piece.set_data("hello");
  ASSERT_TRUE(stream->Write(piece));
  v1::StreamInputResponse told;
  while (stream->Read(&told)) {
  }
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  v1::WriteInputResponse response;
  ASSERT_TRUE(Write(Bytes(5, " all"), &response).ok());
  EXPECT_EQ(response.position().kept_offset(), 9);
}

TEST_F(InputTest, AStreamOnWhichNothingIsSentForTheLimitEndsAndWhatItHadStays) {
  agent_.SetIdleCallLimit(absl::Milliseconds(100));
  const std::string id = Start();
  auto context = NewContext();
  auto stream = processes_->StreamInput(context.get());
  v1::StreamInputRequest piece;
  piece.set_selector("web");
  piece.set_data(std::string(kWindow, 'x'));
  ASSERT_TRUE(stream->Write(piece));
  // Longer than the limit it waits for room, which is not its fault.
  piece.set_offset(kWindow);
  piece.set_data("hello");
  ASSERT_TRUE(stream->Write(piece));
  v1::StreamInputResponse told;
  ASSERT_TRUE(stream->Read(&told));
  absl::SleepFor(absl::Milliseconds(300));
  Feed(id);
  ASSERT_TRUE(stream->Read(&told));
  EXPECT_EQ(told.position().kept_offset(), kWindow + 5);
  EXPECT_FALSE(stream->Read(&told));
  const grpc::Status ended = stream->Finish();
  EXPECT_EQ(ended.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(ended.error_message(), "nothing was sent for 100ms; what was received stays");
  v1::WriteInputResponse response;
  ASSERT_TRUE(Write(Bytes(kWindow + 5, " all"), &response).ok());
  EXPECT_EQ(response.position().kept_offset(), kWindow + 9);
}

TEST_F(InputTest, AStreamIsOfOneProcessAndOneWriter) {
  Start();
  auto context = NewContext();
  auto stream = processes_->StreamInput(context.get());
  v1::StreamInputRequest piece;
  piece.set_selector("web");
  piece.set_data("x");
  ASSERT_TRUE(stream->Write(piece));
  piece.set_selector("other");
  stream->Write(piece);
  v1::StreamInputResponse told;
  while (stream->Read(&told)) {
  }
  EXPECT_EQ(stream->Finish().error_message(),
            "one StreamInput is one process: selector has changed");
}

TEST_F(InputTest, AStreamThatEndsWithTheProcessSaysSo) {
  const std::string id = Start();
  auto context = NewContext();
  auto stream = processes_->StreamInput(context.get());
  v1::StreamInputRequest piece;
  piece.set_selector("web");
  piece.set_data(std::string(kWindow, 'x'));
  ASSERT_TRUE(stream->Write(piece));
  v1::StreamInputResponse told;
  ASSERT_TRUE(stream->Read(&told));
  piece.set_offset(kWindow);
  ASSERT_TRUE(stream->Write(piece));
  agent_.OnLoop([&] { agent_.shims().End(id, 0); });
  while (stream->Read(&told)) {
  }
  EXPECT_THAT(stream->Finish().error_message(), HasSubstr("has ended: of 65536 bytes"));
}

}  // namespace
}  // namespace shoal::agent
