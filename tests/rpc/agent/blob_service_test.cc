// BlobService on real sockets with a real store; and the start of processes with blobs.
#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

#include "common/sha256.h"
#include "shoal/v1/blob_service.grpc.pb.h"
#include "shoal/v1/host_service.grpc.pb.h"
#include "tests/rpc/agent/rpc_test.h"

namespace shoal::agent {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr size_t kChunk = size_t{512} << 10;

class BlobServiceTest : public RpcTest {
 protected:
  BlobServiceTest() : blobs_(v1::BlobService::NewStub(channel_)) {}

  // Bytes that are no repetition of a chunk.
  static std::string Bytes(size_t size) {
    std::string bytes(size, '\0');
    for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>((i * 2654435761u) >> 13);
    return bytes;
  }

  // A Write under way.
  struct Upload {
    std::unique_ptr<grpc::ClientContext> context = NewContext();
    v1::WriteResponse response;
    std::unique_ptr<grpc::ClientWriter<v1::WriteRequest>> writer;

    grpc::Status Finish() {
      writer->WritesDone();
      return writer->Finish();
    }
  };
  std::unique_ptr<Upload> Start() {
    auto upload = std::make_unique<Upload>();
    upload->writer = blobs_->Write(upload->context.get(), &upload->response);
    return upload;
  }
  static v1::WriteRequest First(const std::string& sha256, size_t size, size_t offset,
                                const std::string& data) {
    v1::WriteRequest request;
    request.set_sha256(sha256);
    request.set_size_bytes(static_cast<int64_t>(size));
    request.set_offset(static_cast<int64_t>(offset));
    request.set_data(data);
    return request;
  }
  // Sends `bytes` from `offset` to `end` under `sha256`.
  grpc::Status Write(const std::string& bytes, size_t offset = 0, size_t end = std::string::npos,
                     const std::string& sha256 = "") {
    std::unique_ptr<Upload> upload = Start();
    end = std::min(end, bytes.size());
    v1::WriteRequest request =
        First(sha256.empty() ? Sha256Of(bytes) : sha256, bytes.size(), offset, "");
    while (upload->writer->Write(request) && offset < end) {
      request.Clear();
      request.set_data(bytes.substr(offset, std::min(kChunk, end - offset)));
      offset += request.data().size();
    }
    return upload->Finish();
  }
  std::vector<v1::MissingBlob> FindMissing(const std::vector<std::string>& digests) {
    v1::FindMissingRequest request;
    for (const std::string& sha256 : digests) request.add_sha256(sha256);
    v1::FindMissingResponse response;
    const grpc::Status status = blobs_->FindMissing(NewContext().get(), request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return {response.missing().begin(), response.missing().end()};
  }
  int64_t Received(const std::string& bytes) {
    const std::vector<v1::MissingBlob> missing = FindMissing({Sha256Of(bytes)});
    return missing.empty() ? -1 : missing[0].received_bytes();
  }
  grpc::Status Read(const std::string& sha256, int64_t offset, std::string* bytes) {
    v1::ReadRequest request;
    request.set_sha256(sha256);
    request.set_offset(offset);
    std::unique_ptr<grpc::ClientContext> context = NewContext();
    auto reader = blobs_->Read(context.get(), request);
    v1::ReadResponse response;
    while (reader->Read(&response)) {
      EXPECT_EQ(response.offset(), offset);
      offset += static_cast<int64_t>(response.data().size());
      bytes->append(response.data());
    }
    return reader->Finish();
  }

  std::unique_ptr<v1::BlobService::Stub> blobs_;
};

TEST_F(BlobServiceTest, WhatIsWrittenIsNoLongerMissingAndReadBackFromAnywhere) {
  const std::string bytes = Bytes(3'000'001);
  EXPECT_EQ(Received(bytes), 0);
  const grpc::Status status = Write(bytes);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_THAT(FindMissing({Sha256Of(bytes)}), IsEmpty());
  for (size_t offset : {size_t{0}, size_t{2'999'999}, bytes.size()}) {
    std::string read;
    EXPECT_TRUE(Read(Sha256Of(bytes), static_cast<int64_t>(offset), &read).ok());
    EXPECT_EQ(read, bytes.substr(offset));
  }
  std::string none;
  EXPECT_EQ(Read(Sha256Of(bytes), 3'000'002, &none).error_code(), grpc::StatusCode::OUT_OF_RANGE);
  EXPECT_EQ(Read(Sha256Of("absent"), 0, &none).error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(Read("short", 0, &none).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(BlobServiceTest, ABrokenWriteIsGoneOnWithWhereItStopped) {
  const std::string bytes = Bytes(2'000'000);
  {
    std::unique_ptr<Upload> upload = Start();
    ASSERT_TRUE(upload->writer->Write(First(Sha256Of(bytes), bytes.size(), 0, "")));
    v1::WriteRequest request;
    request.set_data(bytes.substr(0, 700'000));
    ASSERT_TRUE(upload->writer->Write(request));
    while (Received(bytes) != 700'000) std::this_thread::yield();
    upload->context->TryCancel();
    EXPECT_EQ(upload->writer->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  EXPECT_EQ(Received(bytes), 700'000);
  const grpc::Status ahead = Write(bytes, 700'001);
  EXPECT_EQ(ahead.error_code(), grpc::StatusCode::OUT_OF_RANGE);
  EXPECT_THAT(ahead.error_message(), HasSubstr("700000"));
  EXPECT_TRUE(Write(bytes, 700'000).ok());
  std::string read;
  EXPECT_TRUE(Read(Sha256Of(bytes), 0, &read).ok());
  EXPECT_EQ(read, bytes);
}

TEST_F(BlobServiceTest, AWriteOnWhichNothingIsSentForTheLimitEndsAndKeepsWhatCame) {
  agent_.SetIdleCallLimit(absl::Milliseconds(100));
  const std::string bytes = Bytes(1'000'000);
  std::unique_ptr<Upload> upload = Start();
  ASSERT_TRUE(upload->writer->Write(First(Sha256Of(bytes), bytes.size(), 0, "")));
  v1::WriteRequest request;
  request.set_data(bytes.substr(0, 700'000));
  ASSERT_TRUE(upload->writer->Write(request));
  EXPECT_EQ(upload->writer->Finish().error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(Received(bytes), 700'000);
  EXPECT_TRUE(Write(bytes, 700'000).ok());
}

TEST_F(BlobServiceTest, AStreamThatEndsTooEarlySaysWhereAndKeepsWhatCame) {
  const std::string bytes = Bytes(1'000'000);
  const grpc::Status status = Write(bytes, 0, 600'000);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("600000 of 1000000"));
  EXPECT_EQ(Received(bytes), 600'000);
}

TEST_F(BlobServiceTest, WrongBytesAreDataLossAndGone) {
  const std::string bytes = Bytes(1'000'000);
  const grpc::Status status = Write(bytes, 0, bytes.size(), Sha256Of("something else"));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DATA_LOSS);
  EXPECT_THAT(FindMissing({Sha256Of("something else")}), SizeIs(1));
  EXPECT_EQ(FindMissing({Sha256Of("something else")})[0].received_bytes(), 0);
}

TEST_F(BlobServiceTest, MoreThanDeclaredAndNonsenseAreInvalid) {
  std::unique_ptr<Upload> upload = Start();
  upload->writer->Write(First(Sha256Of("abc"), 2, 0, "abc"));
  EXPECT_EQ(upload->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  for (const v1::WriteRequest& request :
       {First("short", 2, 0, "ab"), First(Sha256Of("abc"), 3, 4, ""),
        First(Sha256Of("abc"), static_cast<size_t>(-1), 0, "")}) {
    upload = Start();
    upload->writer->Write(request);
    EXPECT_EQ(upload->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  }
  EXPECT_EQ(Start()->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(BlobServiceTest, TwoWritersOfOneBlobBothSucceed) {
  const std::string bytes = Bytes(4'000'000);
  std::vector<std::thread> writers;
  std::atomic<int> succeeded = 0;
  writers.reserve(4);
  for (int i = 0; i < 4; ++i) {
    writers.emplace_back([&] { succeeded += Write(bytes).ok(); });
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(succeeded, 4);
  std::string read;
  EXPECT_TRUE(Read(Sha256Of(bytes), 0, &read).ok());
  EXPECT_EQ(read, bytes);
}

TEST_F(BlobServiceTest, AWriterThatStopsHoldsUpNobodyElse) {
  const std::string bytes = Bytes(2'000'000);
  std::unique_ptr<Upload> stalled = Start();
  ASSERT_TRUE(stalled->writer->Write(First(Sha256Of(bytes), bytes.size(), 0, bytes.substr(0, 10))));
  while (Received(bytes) != 10) std::this_thread::yield();
  EXPECT_TRUE(Write(bytes).ok());
  // And it learns at its next message that there is nothing left to do.
  v1::WriteRequest request;
  request.set_data(bytes.substr(10, 100));
  stalled->writer->Write(request);
  EXPECT_TRUE(stalled->writer->Finish().ok());
  EXPECT_EQ(stalled->response.received_bytes(), 2'000'000);
}

TEST_F(BlobServiceTest, ABlobThatIsThereIsAnsweredAtOnce) {
  const std::string bytes = Bytes(100'000);
  ASSERT_TRUE(Write(bytes).ok());
  std::unique_ptr<Upload> upload = Start();
  upload->writer->Write(First(Sha256Of(bytes), bytes.size(), 0, ""));
  EXPECT_TRUE(upload->writer->Finish().ok()) << "without half-close";
  EXPECT_EQ(upload->response.received_bytes(), 100'000);
}

TEST_F(BlobServiceTest, AStalledReaderHoldsUpNobodyElse) {
  const std::string bytes = Bytes(16'000'000);
  ASSERT_TRUE(Write(bytes).ok());
  v1::ReadRequest request;
  request.set_sha256(Sha256Of(bytes));
  std::unique_ptr<grpc::ClientContext> context = NewContext();
  auto stalled = blobs_->Read(context.get(), request);
  v1::ReadResponse response;
  ASSERT_TRUE(stalled->Read(&response));
  std::string read;
  EXPECT_TRUE(Read(Sha256Of(bytes), 0, &read).ok());
  EXPECT_EQ(read, bytes);
  std::string slowly = response.data();
  while (stalled->Read(&response)) slowly += response.data();
  EXPECT_TRUE(stalled->Finish().ok());
  EXPECT_EQ(slowly, bytes);
}

TEST_F(BlobServiceTest, ADrainEndsWritesAndReads) {
  const std::string bytes = Bytes(16'000'000);
  ASSERT_TRUE(Write(bytes).ok());
  std::unique_ptr<Upload> upload = Start();
  ASSERT_TRUE(upload->writer->Write(First(Sha256Of("never"), 5, 0, "nev")));
  v1::ReadRequest request;
  request.set_sha256(Sha256Of(bytes));
  std::unique_ptr<grpc::ClientContext> context = NewContext();
  auto reader = blobs_->Read(context.get(), request);
  v1::ReadResponse response;
  ASSERT_TRUE(reader->Read(&response));
  AwaitCalls(2);
  agent_.Drain();
  EXPECT_EQ(upload->writer->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  while (reader->Read(&response)) {
  }
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(BlobServiceTest, AProcessIsStartedBesideItsFiles) {
  v1::SpawnRequest request = SpawnRequestOf({"./sim"});
  v1::ShippedFile* sim = request.mutable_spec()->add_files();
  sim->set_path("sim");
  sim->set_sha256(Sha256Of("program"));
  sim->set_executable(true);
  v1::ShippedFile* note = request.mutable_spec()->add_files();
  note->set_path("data/note");
  note->set_data("secret");
  v1::SpawnResponse response;
  grpc::Status status = processes_->Spawn(NewContext().get(), request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(),
              AllOf(HasSubstr(DigestToHex(Sha256Of("program")).substr(0, 12)), HasSubstr("'sim'")));
  ASSERT_TRUE(Write("program").ok());
  status = Spawn(request, &response);  // the same request: nothing was admitted before
  ASSERT_TRUE(status.ok()) << status.error_message();
  const std::string directory = agent_.directory() + "/files/" + response.process().id();
  std::ifstream file(directory + "/data/note");
  std::string content;
  file >> content;
  EXPECT_EQ(content, "secret");
  EXPECT_THAT(response.process().spec().files(), SizeIs(2));
  EXPECT_EQ(response.process().spec().files(1).data(), "") << "not told";
  agent_.OnLoop([&] {
    const ShimStart& start = agent_.shims().starts().back();
    EXPECT_EQ(start.cwd, directory);
    EXPECT_THAT(EnvOf(start), Contains("SHOAL_FILES=" + directory));
  });
}

TEST_F(BlobServiceTest, LibrariesOfThisHostAreFoundAndOthersAreNot) {
  auto hosts = v1::HostService::NewStub(channel_);
  v1::FindMissingLibrariesRequest request;
  request.add_sonames("libc.so.6");
  request.add_sonames("libnot-there.so.7");
  v1::FindMissingLibrariesResponse response;
  ASSERT_TRUE(hosts->FindMissingLibraries(NewContext().get(), request, &response).ok());
  EXPECT_THAT(response.missing_sonames(), ElementsAre("libnot-there.so.7"));
  request.add_sonames("../libc.so.6");
  const grpc::Status status = hosts->FindMissingLibraries(NewContext().get(), request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("sonames[2]"));
}

}  // namespace
}  // namespace shoal::agent
