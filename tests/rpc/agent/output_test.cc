// ReadOutput: offsets, tails, gaps, ends, following, many readers.
#include <map>

#include "absl/strings/str_cat.h"
#include "agent/record/cut_rows.h"
#include "tests/rpc/agent/rpc_test.h"

namespace shoal::agent {
namespace {

using ::testing::HasSubstr;

class OutputTest : public RpcTest {
 protected:
  struct Result {
    std::map<int, std::string> text;  // by stream
    std::vector<v1::ReadOutputResponse> gaps;
    int ends = 0;
    grpc::Status status;
  };
  Result Read(const v1::ReadOutputRequest& request) {
    Result result;
    auto context = NewContext();
    auto reader = processes_->ReadOutput(context.get(), request);
    v1::ReadOutputResponse frame;
    while (reader->Read(&frame)) {
      EXPECT_LE(frame.data().size(), 64u << 10);
      if (frame.has_gap()) result.gaps.push_back(frame);
      if (frame.has_end()) ++result.ends;
      result.text[frame.stream()] += frame.data();
    }
    result.status = reader->Finish();
    return result;
  }
  v1::ReadOutputRequest Of(const std::string& term) {
    v1::ReadOutputRequest request;
    *request.mutable_selector() = Named(term);
    return request;
  }
  std::string Lines(int count) {
    std::string text;
    for (int i = 0; i < count; ++i) absl::StrAppend(&text, "line ", i, "\n");
    return text;
  }
};

TEST_F(OutputTest, WhatIsThereIsReadByteForByte) {
  std::string id = SpawnNamed("web");
  std::string out = Lines(100'000);
  agent_.Write(id, 0, out);
  agent_.Write(id, 1, "oops");
  Result result = Read(Of("web"));
  ASSERT_TRUE(result.status.ok()) << result.status.error_message();
  EXPECT_EQ(result.text[v1::STREAM_KIND_STDOUT], out);
  EXPECT_EQ(result.text[v1::STREAM_KIND_STDERR], "oops");
  EXPECT_EQ(result.ends, 0) << "it may still write";
}

TEST_F(OutputTest, EveryStreamOfWhatHasEndedEnds) {
  std::string id = SpawnNamed("web");
  agent_.Write(id, 0, "hello");
  agent_.OnLoop([&] { agent_.shims().End(id, 0); });
  Result result = Read(Of(id));
  EXPECT_EQ(result.text[v1::STREAM_KIND_STDOUT], "hello");
  EXPECT_EQ(result.ends, 2);
}

TEST_F(OutputTest, TheResultIsReadOnlyWhereItIsNamed) {
  v1::SpawnRequest request = SpawnRequestOf({"/bin/true"});
  request.mutable_spec()->mutable_output()->set_result(true);
  v1::SpawnResponse spawned;
  ASSERT_TRUE(Spawn(request, &spawned).ok());
  std::string id = spawned.process().id();
  ASSERT_EQ(spawned.process().output_size(), 3);
  EXPECT_EQ(spawned.process().output(2).stream(), v1::STREAM_KIND_RESULT);
  agent_.OnLoop(
      [&] { EXPECT_TRUE(agent_.shims().starts().back().desired.flags & record::kResultStream); });
  agent_.Write(id, 0, "out");
  agent_.Write(id, 2, "answer");
  agent_.OnLoop([&] { agent_.shims().End(id, 0); });

  Result unnamed = Read(Of(id));
  EXPECT_EQ(unnamed.text.count(v1::STREAM_KIND_RESULT), 0u);
  EXPECT_EQ(unnamed.ends, 2);
  v1::ReadOutputRequest named = Of(id);
  named.add_streams(v1::STREAM_KIND_RESULT);
  named.set_offset(2);
  named.set_follow(true);
  Result result = Read(named);
  EXPECT_EQ(result.text[v1::STREAM_KIND_RESULT], "swer");
  EXPECT_EQ(result.text.size(), 1u);
  EXPECT_EQ(result.ends, 1);
  named.set_offset(7);
  EXPECT_THAT(Read(named).status.error_message(), HasSubstr("beyond the end 6 of result"));
}

TEST_F(OutputTest, AProcessWithoutAResultHasNoSuchStream) {
  std::string id = SpawnNamed("web");
  agent_.OnLoop([&] { agent_.shims().End(id, 0); });
  v1::ReadOutputRequest request = Of(id);
  request.add_streams(v1::STREAM_KIND_RESULT);
  request.set_follow(true);
  Result result = Read(request);
  EXPECT_TRUE(result.status.ok()) << result.status.error_message();
  EXPECT_EQ(result.ends, 0);
  v1::GetRequest get;
  get.set_selector(id);
  v1::GetResponse got;
  ASSERT_TRUE(processes_->Get(NewContext().get(), get, &got).ok());
  EXPECT_EQ(got.process().output_size(), 2);
}

TEST_F(OutputTest, AnAcknowledgementOfTheResultReachesTheShim) {
  v1::SpawnRequest request = SpawnRequestOf({"/bin/true"});
  request.mutable_spec()->mutable_output()->set_result(true);
  v1::SpawnResponse spawned;
  ASSERT_TRUE(Spawn(request, &spawned).ok());
  agent_.Write(spawned.process().id(), 2, "answer");
  v1::AcknowledgeOutputRequest read;
  v1::OutputPosition* position = read.add_positions();
  position->set_id(spawned.process().id());
  position->set_stream(v1::STREAM_KIND_RESULT);
  position->set_offset(4);
  v1::AcknowledgeOutputResponse nothing;
  ASSERT_TRUE(processes_->AcknowledgeOutput(NewContext().get(), read, &nothing).ok());
  agent_.OnLoop(
      [&] { EXPECT_EQ(agent_.shims().SlotOf(spawned.process().id()).agent.acknowledged[2], 4); });
}

TEST_F(OutputTest, OffsetsAreCheckedAgainstTheEnd) {
  std::string id = SpawnNamed("web");
  agent_.Write(id, 0, "hello");
  v1::ReadOutputRequest request = Of(id);
  request.add_streams(v1::STREAM_KIND_STDOUT);
  request.set_offset(2);
  EXPECT_EQ(Read(request).text[v1::STREAM_KIND_STDOUT], "llo");
  request.set_offset(5);
  EXPECT_TRUE(Read(request).status.ok());
  request.set_offset(6);
  Result beyond = Read(request);
  EXPECT_EQ(beyond.status.error_code(), grpc::StatusCode::OUT_OF_RANGE);
  EXPECT_THAT(beyond.status.error_message(), HasSubstr("beyond the end 5"));
  request.set_offset(-1);
  EXPECT_EQ(Read(request).status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  request.set_offset(0);
  request.set_streams(0, static_cast<v1::StreamKind>(99));
  EXPECT_THAT(Read(request).status.error_message(), HasSubstr("unknown StreamKind 99"));
}

TEST_F(OutputTest, Tails) {
  std::string id = SpawnNamed("web");
  agent_.Write(id, 0, Lines(10));
  v1::ReadOutputRequest request = Of(id);
  request.set_tail_lines(2);
  EXPECT_EQ(Read(request).text[v1::STREAM_KIND_STDOUT], "line 8\nline 9\n");
  request.set_tail_bytes(3);
  EXPECT_EQ(Read(request).text[v1::STREAM_KIND_STDOUT], " 9\n");
  request.set_tail_bytes(1 << 30);
  EXPECT_EQ(Read(request).text[v1::STREAM_KIND_STDOUT], Lines(10));
}

TEST_F(OutputTest, WhatWasDroppedIsAGapThenComesTheRest) {
  std::string id = SpawnNamed("web");
  agent_.Write(id, 0, "0123456789");
  agent_.OnLoop([&] {
    agent_.shims().SlotOf(id).shim.streams[0].begin = 4;
    agent_.shims().Set(id, record::kOutputDropped);
  });
  Result result = Read(Of(id));
  ASSERT_EQ(result.gaps.size(), 1u);
  EXPECT_EQ(result.gaps[0].gap().from(), 0);
  EXPECT_EQ(result.gaps[0].gap().to(), 4);
  EXPECT_EQ(result.gaps[0].gap().reason(), v1::Gap::REASON_CAP);
  EXPECT_EQ(result.text[v1::STREAM_KIND_STDOUT], "456789");
}

TEST_F(OutputTest, AFileThatSomebodyRemovedIsAGapToo) {
  std::string id = SpawnNamed("web");
  agent_.Write(id, 0, "0123456789");
  ASSERT_EQ(system(absl::StrCat("rm ", agent_.directory(), "/", id, ".0.*").c_str()), 0);
  agent_.OnLoop([&] { agent_.shims().End(id, 0); });
  Result result = Read(Of(id));
  ASSERT_TRUE(result.status.ok()) << result.status.error_message();
  ASSERT_EQ(result.gaps.size(), 1u);
  EXPECT_EQ(result.gaps[0].gap().to(), 10);
  EXPECT_EQ(result.gaps[0].gap().reason(), v1::Gap::REASON_MISSING);
  EXPECT_EQ(result.ends, 2);
}

TEST_F(OutputTest, FollowEndsWithTheLastByteAndNotBefore) {
  std::string id = SpawnNamed("web");
  v1::ReadOutputRequest request = Of("web");
  request.set_follow(true);
  Result result;
  AwaitCalls(0);
  std::thread call([&] { result = Read(request); });
  AwaitCalls(1);
  for (int i = 0; i < 50; ++i) agent_.Write(id, i % 2, absl::StrCat(i, "\n"));
  agent_.OnLoop([&] { agent_.shims().Exited(id, 0); });
  agent_.Write(id, 0, "a grandchild's last word");
  agent_.OnLoop([&] {
    agent_.shims().OutputComplete(id);
    agent_.shims().Empty(id);
    agent_.shims().Final(id);
  });
  call.join();
  ASSERT_TRUE(result.status.ok()) << result.status.error_message();
  EXPECT_THAT(result.text[v1::STREAM_KIND_STDOUT],
              ::testing::EndsWith("48\na grandchild's last word"));
  EXPECT_THAT(result.text[v1::STREAM_KIND_STDERR], ::testing::EndsWith("49\n"));
  EXPECT_EQ(result.ends, 2);
}

TEST_F(OutputTest, FollowingASessionSeesItsProcessesToComeAndEndsWithIt) {
  v1::OpenRequest open;
  open.set_request_id(NewRequestId());
  v1::OpenResponse opened;
  ASSERT_TRUE(sessions_->Open(NewContext().get(), open, &opened).ok());
  v1::ReadOutputRequest request;
  request.mutable_selector()->set_session_id(opened.session().id());
  request.set_follow(true);
  Result result;
  AwaitCalls(0);
  std::thread call([&] { result = Read(request); });
  AwaitCalls(1);
  v1::SpawnRequest spawn = SpawnRequestOf({"/bin/true"});
  spawn.set_session_id(opened.session().id());
  v1::SpawnResponse spawned;
  ASSERT_TRUE(Spawn(spawn, &spawned).ok());
  agent_.Write(spawned.process().id(), 0, "born later");
  agent_.OnLoop([&] { agent_.shims().End(spawned.process().id(), 0); });
  v1::CloseRequest close;
  close.set_session_id(opened.session().id());
  close.set_token(opened.token());
  v1::CloseResponse closed;
  ASSERT_TRUE(sessions_->Close(NewContext().get(), close, &closed).ok());
  call.join();
  EXPECT_TRUE(result.status.ok()) << result.status.error_message();
  EXPECT_EQ(result.text[v1::STREAM_KIND_STDOUT], "born later");
}

TEST_F(OutputTest, AReaderThatBreaksOffResumesWhereItWas) {
  std::string id = SpawnNamed("web");
  std::string out = Lines(50'000);
  agent_.Write(id, 0, out);
  std::string got;
  while (got.size() < out.size()) {
    v1::ReadOutputRequest request = Of(id);
    v1::OutputPosition* position = request.add_resume();
    position->set_id(id);
    position->set_stream(v1::STREAM_KIND_STDOUT);
    position->set_offset(static_cast<int64_t>(got.size()));
    auto context = NewContext();
    auto reader = processes_->ReadOutput(context.get(), request);
    v1::ReadOutputResponse frame;
    ASSERT_TRUE(reader->Read(&frame));
    ASSERT_EQ(frame.offset(), static_cast<int64_t>(got.size()));
    got += frame.data();
    context->TryCancel();
    reader->Finish();
  }
  EXPECT_EQ(got, out);
}

TEST_F(OutputTest, ReadersThatStopReadingHoldNobodyUp) {
  std::string id = SpawnNamed("web");
  std::string out = Lines(400'000);
  agent_.Write(id, 0, out);
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReader<v1::ReadOutputResponse>>> stalled;
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  for (int i = 0; i < 20; ++i) {
    channels.push_back(agent_.Connect());
    contexts.push_back(NewContext());
    stalled.push_back(
        v1::ProcessService::NewStub(channels.back())->ReadOutput(contexts.back().get(), Of(id)));
  }
  Result read = Read(Of(id));
  ASSERT_TRUE(read.status.ok()) << read.status.error_message();
  EXPECT_TRUE(read.text[v1::STREAM_KIND_STDOUT] == out);
  for (auto& context : contexts) context->TryCancel();
  for (auto& reader : stalled) reader->Finish();
  AwaitCalls(0);
}

TEST_F(OutputTest, ByTimeProcessesAndStreamsAreMergedAndTellTheirTimes) {
  const std::string web = SpawnNamed("web-1");
  const std::string other = SpawnNamed("web-2");
  agent_.Write(web, 0, "ad");
  agent_.Write(web, 1, "c");
  agent_.Write(other, 0, "b");
  agent_.WriteIndex(web, {{0, 0, 1'000'000'001}, {1, 0, 3'000'000'000}, {0, 1, 4'000'000'000}});
  agent_.WriteIndex(other, {{0, 0, 2'000'000'000}});
  v1::ReadOutputRequest request = Of("web-*");
  request.set_by_time(true);
  request.set_times(true);
  auto context = NewContext();
  auto reader = processes_->ReadOutput(context.get(), request);
  std::string text;
  std::vector<int64_t> times;
  v1::ReadOutputResponse frame;
  while (reader->Read(&frame)) {
    text += frame.data();
    times.push_back(frame.time().seconds() * 1'000'000'000 + frame.time().nanos());
  }
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(text, "abcd");
  EXPECT_THAT(times,
              ::testing::ElementsAre(1'000'000'001, 2'000'000'000, 3'000'000'000, 4'000'000'000));
}

TEST_F(OutputTest, GapsAloneAreToldWithoutBytes) {
  const std::string id = SpawnNamed("web");
  agent_.Write(id, 0, std::string("ab\0\0ef", 6));
  agent_.WriteIndex(id, {{record::kCutFrom, 2, 10}, {record::kCutTo, 4, 10}});
  agent_.OnLoop([&] { agent_.shims().End(id, 0); });
  v1::ReadOutputRequest request = Of(id);
  request.set_gaps_only(true);
  const Result result = Read(request);
  ASSERT_TRUE(result.status.ok()) << result.status.error_message();
  ASSERT_EQ(result.gaps.size(), 1u);
  EXPECT_EQ(result.gaps[0].gap().from(), 2);
  EXPECT_EQ(result.gaps[0].gap().to(), 4);
  EXPECT_EQ(result.gaps[0].gap().reason(), v1::Gap::REASON_MISSING);
  EXPECT_EQ(result.text.at(v1::STREAM_KIND_STDOUT), "");
  EXPECT_EQ(result.ends, 2);
}

TEST_F(OutputTest, GapsAloneAreNotFollowed) {
  const std::string id = SpawnNamed("web");
  v1::ReadOutputRequest request = Of(id);
  request.set_gaps_only(true);
  request.set_follow(true);
  const Result result = Read(request);
  EXPECT_EQ(result.status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(result.status.error_message(), HasSubstr("gaps_only: must not be set with follow"));
}

}  // namespace
}  // namespace shoal::agent
