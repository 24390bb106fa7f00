// Rows about what arrives on the wire.
#include <array>
#include <atomic>
#include <set>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/ids.h"
#include "tests/system/fault_table.h"

namespace shoal::testing {
namespace {

using grpc::StatusCode;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr char kSpawn[] = "/shoal.v1.ProcessService/Spawn";

v1::SpawnRequest RequestFor(const v1::ProcessSpec& spec) {
  v1::SpawnRequest request;
  request.set_request_id(NewRequestId());
  *request.mutable_spec() = spec;
  return request;
}

// gRPC 1.51's callback API answers what it cannot parse with UNIMPLEMENTED, other versions with
// INTERNAL; either way before our code runs.
void ExpectUnparsed(const grpc::Status& status) {
  EXPECT_TRUE(status.error_code() == StatusCode::INTERNAL ||
              status.error_code() == StatusCode::UNIMPLEMENTED)
      << Describe(status);
}

void Garbage(FaultTest& test) {
  for (const std::string& bytes :
       {std::string("\xff\xff\xff\xff"), std::string("\x0a\x7f shorter")}) {
    ExpectUnparsed(CallRaw(test.stub(), kSpawn, bytes));
  }
  test.ExpectServing();
}

void BytesThatAreNotText(FaultTest& test) {
  v1::Process process;
  const std::string word = "a\xff\xfe\x01z";
  ASSERT_TRUE(test.Spawn(SpecOf({"printf", "%s", word}), &process).ok());
  test.stub().Wait(process.id(), v1::WaitRequest::UNTIL_EMPTY);
  EXPECT_EQ(test.stub().Output(process.id(), v1::STREAM_KIND_STDOUT), word);
  EXPECT_EQ(test.stub().Get(process.id()).spec().argv(2), word);
  // In a `string` field they cannot be; gRPC says so before our code runs.
  const std::string bad_id = "\x0a\x02\xff\xfe";
  ExpectUnparsed(CallRaw(test.stub(), kSpawn, bad_id));
}

void Nul(FaultTest& test) {
  const std::string nul("a\0b", 3);
  test.ExpectSpawnRefused(SpecOf({"true", "x", "y", nul}), StatusCode::INVALID_ARGUMENT,
                          {"argv[3] contains NUL at 1"});
  v1::ProcessSpec spec = SpecOf({"true"});
  spec.set_cwd("/" + nul);
  test.ExpectSpawnRefused(spec, StatusCode::INVALID_ARGUMENT, {"cwd contains NUL at 2"});
  spec = SpecOf({"true"});
  spec.add_env("K=" + nul);
  test.ExpectSpawnRefused(spec, StatusCode::INVALID_ARGUMENT, {"env[0] contains NUL at 3"});
  test.ExpectSpawnRefused(SpecOf({"true"}, nul), StatusCode::INVALID_ARGUMENT, {"name"});
}

void UnknownEnum(FaultTest& test) {
  v1::ProcessSpec spec = SpecOf({"true"});
  spec.set_lifetime(static_cast<v1::Lifetime>(99));
  test.ExpectSpawnRefused(spec, StatusCode::INVALID_ARGUMENT, {"unknown Lifetime 99"});
  v1::ReadOutputRequest request;
  request.mutable_selector()->set_all(true);
  request.add_streams(static_cast<v1::StreamKind>(99));
  CallContext context;
  v1::ReadOutputResponse frame;
  const auto reader = test.stub().processes().ReadOutput(&context, request);
  EXPECT_FALSE(reader->Read(&frame));
  ExpectStatus(reader->Finish(), StatusCode::INVALID_ARGUMENT, {"unknown StreamKind 99"});
}

void UnknownField(FaultTest& test) {
  // Field 2047, of wire type varint, with the value 1.
  const std::string bytes = RequestFor(SpecOf({"true"}, "x")).SerializeAsString() + "\xf8\x7f\x01";
  EXPECT_TRUE(CallRaw(test.stub(), kSpawn, bytes).ok());
  EXPECT_THAT(test.stub().List(), SizeIs(1));
}

void DeepNesting(FaultTest& test) {
  // Groups of an unknown field, one in another.
  std::string bytes;
  for (int i = 0; i < 150; ++i) bytes += "\xa3\x06";
  for (int i = 0; i < 150; ++i) bytes += "\xa4\x06";
  ExpectUnparsed(CallRaw(test.stub(), kSpawn, bytes));
  test.ExpectServing();
}

void MessageOverTheLimit(FaultTest& test) {
  v1::ProcessSpec spec = SpecOf({"true"});
  for (int i = 0; i < 11; ++i) spec.add_argv(std::string(100'000, 'x'));
  test.ExpectSpawnRefused(spec, StatusCode::RESOURCE_EXHAUSTED, {"larger than max"});
  test.ExpectServing();
}

v1::ProcessSpec ManyEmptyArguments() {
  v1::ProcessSpec spec = SpecOf({"true"});
  for (int i = 1; i < 500'000; ++i) spec.add_argv("");
  return spec;
}

void ManyArguments(FaultTest& test) {
  const int64_t before = test.AgentRssBytes();
  test.ExpectSpawnRefused(ManyEmptyArguments(), StatusCode::INVALID_ARGUMENT, {"500000 > 65536"});
  EXPECT_LT(test.AgentRssBytes() - before, 48 << 20);
}

void ManyArgumentsFromManyClients(FaultTest& test) {
  const v1::SpawnRequest request = RequestFor(ManyEmptyArguments());
  std::vector<std::thread> clients;
  std::atomic<int> odd = 0;
  clients.reserve(32);
  for (int i = 0; i < 32; ++i) {
    clients.emplace_back([&] {
      AgentStub stub(test.agent().socket());
      v1::SpawnResponse response;
      const StatusCode code = stub.TrySpawn(request, &response).error_code();
      odd += code == StatusCode::INVALID_ARGUMENT || code == StatusCode::RESOURCE_EXHAUSTED ? 0 : 1;
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(odd, 0);
  EXPECT_LT(test.AgentRssBytes(), int64_t{1} << 30);
  test.ExpectServing();
}

void LargeMetadata(FaultTest& test) {
  AgentStub stub(test.agent().socket());  // gRPC may close the connection a moment later
  CallContext context;
  context.AddMetadata("x-large", std::string(20'000, 'x'));
  v1::HostServiceGetResponse response;
  ExpectStatus(stub.host().Get(&context, {}, &response), StatusCode::RESOURCE_EXHAUSTED, {});
  test.ExpectServing();
}

void LongErrorText(FaultTest& test) {
  v1::GetRequest request;
  request.set_selector(std::string(100'000, 'x'));
  v1::GetResponse response;
  CallContext context;
  const grpc::Status status = test.stub().processes().Get(&context, request, &response);
  EXPECT_FALSE(status.ok());
  EXPECT_LE(status.error_message().size(), 1024u);
}

void ErrorTextThatIsNotText(FaultTest& test) {
  const grpc::Status status = test.Spawn(SpecOf({"/no/such/\xff\x1b[31m"}));
  ExpectStatus(status, StatusCode::FAILED_PRECONDITION, {"\\xff\\x1b"});
}

void UnknownMethod(FaultTest& test) {
  ExpectStatus(CallRaw(test.stub(), "/shoal.v1.ProcessService/Fly", ""), StatusCode::UNIMPLEMENTED,
               {});
  ExpectStatus(CallRaw(test.stub(), "/no.Service/Get", ""), StatusCode::UNIMPLEMENTED, {});
}

void DeadlineAlreadyPast(FaultTest& test) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() - absl::Seconds(1)));
  v1::SpawnResponse response;
  ExpectStatus(test.stub().processes().Spawn(&context, RequestFor(SpecOf({"true"})), &response),
               StatusCode::DEADLINE_EXCEEDED, {});
  EXPECT_THAT(test.stub().List(), IsEmpty());
}

// Gives up after each of many spans, from before the request left to after its reply; the retry
// finds what was begun.
void DeadlineDuringSpawn(FaultTest& test) {
  for (int microseconds = 100; microseconds < 40'000; microseconds = microseconds * 3 / 2) {
    const v1::SpawnRequest request = RequestFor(SpecOf({ChildPath(), "sleep"}));
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Microseconds(microseconds)));
    v1::SpawnResponse first;
    v1::SpawnResponse second;
    test.stub().processes().Spawn(&context, request, &first).ok();
    EXPECT_TRUE(test.stub().TrySpawn(request, &second).ok());
    if (first.has_process()) {
      EXPECT_EQ(first.process().id(), second.process().id());
    }
    EXPECT_THAT(test.stub().List(), SizeIs(1));
    test.stub().TerminateAll();
    v1::DeleteRequest forget;
    forget.set_request_id(NewRequestId());
    forget.mutable_selector()->set_all(true);
    v1::DeleteResponse response;
    CallContext delete_context;
    EXPECT_TRUE(test.stub().processes().Delete(&delete_context, forget, &response).ok());
  }
}

void CancelDuringSpawn(FaultTest& test) {
  const v1::SpawnRequest request = RequestFor(SpecOf({ChildPath(), "sleep"}, "once"));
  for (int i = 0; i < 20; ++i) {
    CallContext context;
    std::thread canceller([&context] { context.TryCancel(); });
    v1::SpawnResponse response;
    test.stub().processes().Spawn(&context, request, &response).ok();
    canceller.join();
  }
  v1::SpawnResponse response;
  EXPECT_TRUE(test.stub().TrySpawn(request, &response).ok());
  EXPECT_THAT(test.stub().List(), SizeIs(1));
}

void MalformedRequestId(FaultTest& test) {
  for (const char* id :
       {"", "x", "00000000-0000-0000-0000-000000000000", "9f1c2d3e-4b5a-4c6d-8e7f-012345678901"}) {
    v1::SpawnRequest request = RequestFor(SpecOf({"true"}));
    request.set_request_id(id);
    v1::SpawnResponse response;
    ExpectStatus(test.stub().TrySpawn(request, &response), StatusCode::INVALID_ARGUMENT,
                 {"request_id must be a UUIDv7"});
  }
}

void SameRequest(FaultTest& test) {
  const v1::SpawnRequest request = RequestFor(SpecOf({ChildPath(), "sleep"}));
  v1::SpawnResponse first;
  v1::SpawnResponse second;
  ASSERT_TRUE(test.stub().TrySpawn(request, &first).ok());
  ASSERT_TRUE(test.stub().TrySpawn(request, &second).ok());
  EXPECT_FALSE(first.replayed());
  EXPECT_TRUE(second.replayed());
  EXPECT_EQ(first.process().id(), second.process().id());
  EXPECT_THAT(test.stub().List(), SizeIs(1));
}

void SameRequestIdForAnotherSpec(FaultTest& test) {
  v1::SpawnRequest request = RequestFor(SpecOf({ChildPath(), "sleep"}));
  v1::SpawnResponse response;
  ASSERT_TRUE(test.stub().TrySpawn(request, &response).ok());
  request.mutable_spec()->add_argv("another");
  ExpectStatus(test.stub().TrySpawn(request, &response), StatusCode::ALREADY_EXISTS,
               {"request_id", "different spec"});
  EXPECT_THAT(test.stub().List(), SizeIs(1));
}

void SameRequestFromManyAtOnce(FaultTest& test) {
  const v1::SpawnRequest request = RequestFor(SpecOf({ChildPath(), "sleep"}, "once"));
  std::array<v1::SpawnResponse, 16> responses;
  std::vector<std::thread> callers;
  AgentStub& stub = test.stub();  // made at the first call: not in the threads
  callers.reserve(responses.size());
  for (v1::SpawnResponse& response : responses) {
    callers.emplace_back([&] { EXPECT_TRUE(stub.TrySpawn(request, &response).ok()); });
  }
  for (std::thread& caller : callers) caller.join();
  for (const v1::SpawnResponse& response : responses) {
    EXPECT_EQ(response.process().id(), responses[0].process().id());
  }
  EXPECT_THAT(test.stub().List(), SizeIs(1));
}

void TakenName(FaultTest& test) {
  v1::Process holder;
  ASSERT_TRUE(test.Spawn(SpecOf({ChildPath(), "sleep"}, "x"), &holder).ok());
  ExpectStatus(test.Spawn(SpecOf({"true"}, "x")), StatusCode::ALREADY_EXISTS,
               {"x", "is held by", holder.id().substr(0, 6), absl::StrCat("PID ", holder.pid())});
}

void BadName(FaultTest& test) {
  for (const std::string& name : {std::string("../../etc"), std::string("a/b"), std::string(".x"),
                                  std::string(129, 'n'), std::string("a\nb"), std::string("ä")}) {
    test.ExpectSpawnRefused(SpecOf({"true"}, name), StatusCode::INVALID_ARGUMENT,
                            {"must match [A-Za-z0-9._-]{1,128}"});
  }
}

void Pages(FaultTest& test) {
  v1::SpawnBatchRequest batch;
  batch.set_request_id(NewRequestId());
  *batch.add_specs() = SpecOf({"true"});
  batch.mutable_ranks()->set_count(25);
  batch.mutable_ranks()->set_world_size(25);
  v1::SpawnBatchResponse ignored;
  CallContext batch_context;
  ASSERT_TRUE(test.stub().processes().SpawnBatch(&batch_context, batch, &ignored).ok());
  v1::ListRequest request;
  request.set_page_size(10);
  std::set<std::string> ids;
  int pages = 0;
  do {
    v1::ListResponse response;
    CallContext context;
    ASSERT_TRUE(test.stub().processes().List(&context, request, &response).ok());
    for (const v1::Process& process : response.processes()) ids.insert(process.id());
    request.set_page_token(response.next_page_token());
    ++pages;
  } while (!request.page_token().empty() && pages < 10);
  EXPECT_THAT(ids, SizeIs(25));
  EXPECT_EQ(pages, 3);
}

void TamperedPageToken(FaultTest& test) {
  v1::ListRequest request;
  request.set_page_token("not a token");
  v1::ListResponse response;
  CallContext context;
  ExpectStatus(test.stub().processes().List(&context, request, &response),
               StatusCode::INVALID_ARGUMENT, {"page_token"});
}

void TlsOnTheUnixSocket(FaultTest& test) {
  const auto channel = grpc::CreateChannel("unix:" + test.agent().socket(),
                                           grpc::SslCredentials(grpc::SslCredentialsOptions()));
  v1::HostServiceGetResponse response;
  CallContext context(false);
  ExpectStatus(v1::HostService::NewStub(channel)->Get(&context, {}, &response),
               StatusCode::UNAVAILABLE, {});
  test.ExpectServing();
}

}  // namespace

std::vector<FaultRow> WireRows() {
  return {
      {1, "GarbageIsRefusedAndTheConnectionIsKept", Garbage},
      {2, "BytesThatAreNotTextPassInArguments", BytesThatAreNotText},
      {3, "NulIsNamedByFieldAndPlace", Nul},
      {4, "AnUnknownEnumIsNamed", UnknownEnum},
      {5, "AnUnknownFieldIsPassedOver", UnknownField},
      {6, "DeepNestingIsRefused", DeepNesting},
      {7, "AMessageOverTheLimitIsRefused", MessageOverTheLimit},
      {8, "ManyArgumentsAreCountedNotKept", ManyArguments},
      {9, "ManyArgumentsFromManyClientsAreSurvived", ManyArgumentsFromManyClients},
      {10, "LargeMetadataIsRefused", LargeMetadata},
      {11, "AnErrorTextIsCutAtOneKibibyte", LongErrorText},
      {12, "AnErrorTextIsEscaped", ErrorTextThatIsNotText},
      {13, "AnUnknownMethodIsUnimplemented", UnknownMethod},
      {15, "ADeadlineAlreadyPastHasNoEffect", DeadlineAlreadyPast},
      {16, "ADeadlineDuringSpawnLeavesOneProcess", DeadlineDuringSpawn},
      {17, "ACancelDuringSpawnLeavesOneProcess", CancelDuringSpawn},
      {18, "AMalformedRequestIdIsRefused", MalformedRequestId},
      {19, "TheSameRequestIsAnsweredAgain", SameRequest},
      {20, "ARequestIdForAnotherSpecIsRefused", SameRequestIdForAnotherSpec},
      {22, "ATakenNameSaysWhoHoldsIt", TakenName},
      {23, "ABadNameIsRefused", BadName},
      {24, "AListIsPaged", Pages},
      {25, "ATamperedPageTokenIsRefused", TamperedPageToken},
      {31, "TlsOnTheUnixSocketIsUnavailable", TlsOnTheUnixSocket},
      {129, "TheSameRequestFromManyAtOnceIsOneProcess", SameRequestFromManyAtOnce},
  };
}

}  // namespace shoal::testing
