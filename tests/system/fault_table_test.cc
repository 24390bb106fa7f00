#include "tests/system/fault_table.h"

#include <grpcpp/generic/generic_stub.h>

#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/ids.h"
#include "shoal/v1/error_detail.pb.h"

namespace shoal::testing {

using ::testing::HasSubstr;

grpc::Status CallRaw(AgentStub& stub, const std::string& method, const std::string& bytes,
                     std::string* response) {
  grpc::GenericStub generic(stub.channel());
  CallContext context;
  grpc::CompletionQueue queue;
  grpc::Slice slice(bytes);
  const grpc::ByteBuffer request(&slice, 1);
  auto call = generic.PrepareUnaryCall(&context, method, request, &queue);
  call->StartCall();
  grpc::ByteBuffer reply;
  grpc::Status status;
  call->Finish(&reply, &status, &queue);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  if (response) {
    std::vector<grpc::Slice> slices;
    reply.Dump(&slices);
    for (const grpc::Slice& one : slices) {
      response->append(reinterpret_cast<const char*>(one.begin()), one.size());
    }
  }
  return status;
}

void ExpectStatus(const grpc::Status& status, grpc::StatusCode code,
                  const std::vector<std::string>& words) {
  EXPECT_EQ(status.error_code(), code) << Describe(status);
  for (const std::string& word : words) EXPECT_THAT(status.error_message(), HasSubstr(word));
  EXPECT_LE(status.error_message().size(), 1024u);
}

grpc::Status FaultTest::Spawn(const v1::ProcessSpec& spec, v1::Process* process) {
  v1::SpawnRequest request;
  request.set_request_id(NewRequestId());
  *request.mutable_spec() = spec;
  v1::SpawnResponse response;
  grpc::Status status = stub().TrySpawn(request, &response);
  if (process) *process = response.process();
  return status;
}

void FaultTest::ExpectSpawnRefused(const v1::ProcessSpec& spec, grpc::StatusCode code,
                                   const std::vector<std::string>& words) {
  ExpectStatus(Spawn(spec), code, words);
  EXPECT_THAT(stub().List(), ::testing::IsEmpty());
}

void FaultTest::ExpectStartFailed(const v1::ProcessSpec& spec, const std::string& stage,
                                  int error_number) {
  const grpc::Status status = Spawn(spec);
  ExpectStatus(status, grpc::StatusCode::FAILED_PRECONDITION, {});
  v1::ErrorDetails details;
  v1::ErrorInfo info;
  ASSERT_TRUE(details.ParseFromString(status.error_details()));
  ASSERT_EQ(details.details_size(), 1);
  ASSERT_TRUE(info.ParseFromString(details.details(0).value()));
  EXPECT_EQ(info.metadata().at("stage"), stage);
  EXPECT_EQ(info.metadata().at("errno"), absl::StrCat(error_number));
  for (const v1::Process& process : stub().List()) {
    EXPECT_EQ(process.state(), v1::STATE_FAILED_TO_START);
    EXPECT_EQ(process.start_failure().stage(), stage);
    EXPECT_EQ(process.start_failure().error_number(), error_number);
  }
}

void FaultTest::ExpectServing() {
  v1::Process process;
  const grpc::Status status = Spawn(SpecOf({"true"}), &process);
  EXPECT_TRUE(status.ok()) << Describe(status);
  EXPECT_EQ(stub().Wait(process.id(), v1::WaitRequest::UNTIL_EMPTY).exit().code(), 0);
}

int64_t FaultTest::AgentRssBytes() {
  std::ifstream file(absl::StrCat("/proc/", agent().pid(), "/statm"));
  int64_t pages = 0;
  file >> pages >> pages;
  return pages * 4096;
}

v1::OpenResponse FaultTest::OpenSession(int ttl_ms) {
  v1::OpenRequest request;
  request.set_request_id(NewRequestId());
  request.set_name("fault table");
  request.mutable_ttl()->set_seconds(ttl_ms / 1000);
  request.mutable_ttl()->set_nanos(ttl_ms % 1000 * 1'000'000);
  v1::OpenResponse response;
  CallContext context;
  const grpc::Status status = stub().sessions().Open(&context, request, &response);
  EXPECT_TRUE(status.ok()) << Describe(status);
  return response;
}

namespace {

std::vector<FaultRow> AllRows() {
  std::vector<FaultRow> all;
  for (auto rows : {WireRows, SpawnRows, ResourceRows, LifeRows, CrashRows, LeaseRows, StreamRows,
                    FileRows, DiskRows, DescendantRows}) {
    for (const FaultRow& row : rows()) all.push_back(row);
  }
  return all;
}

class FaultTable : public FaultTest, public ::testing::WithParamInterface<FaultRow> {};

TEST_P(FaultTable, Answers) {
  if (GetParam().start_agent) {
    ASSERT_TRUE(StartAgent("ant").IsRunning());
  }
  GetParam().run(*this);
}

INSTANTIATE_TEST_SUITE_P(Row, FaultTable, ::testing::ValuesIn(AllRows()),
                         [](const ::testing::TestParamInfo<FaultRow>& row) {
                           return absl::StrCat(row.param.number, "_", row.param.name);
                         });

}  // namespace
}  // namespace shoal::testing
