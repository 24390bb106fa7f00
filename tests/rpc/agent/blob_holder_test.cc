// For whom a blob is there: two identities and one agent.
#include <algorithm>
#include <string>

#include "common/sha256.h"
#include "shoal/v1/blob_service.grpc.pb.h"
#include "tests/rpc/agent/rpc_test.h"

namespace shoal::agent {
namespace {

using grpc::StatusCode;
using ::testing::HasSubstr;

ServerOptions WithPlaintextLoopback() {
  ServerOptions options;
  options.tcp.listen = {"127.0.0.1:0"};
  options.tcp.insecure_loopback = true;
  return options;
}

// Two callers: the agent's own user, which may act for every identity, and one that may not.
class BlobHolderTest : public ::testing::Test {
 protected:
  BlobHolderTest()
      : own_(v1::BlobService::NewStub(agent_.Connect())),
        channel_(grpc::CreateChannel(agent_.addresses().at(1), grpc::InsecureChannelCredentials())),
        other_(v1::BlobService::NewStub(channel_)) {}

  using Stub = v1::BlobService::Stub;

  // `bytes` from `offset` on, as the blob `named`.
  static grpc::Status Write(Stub& stub, const std::string& named, const std::string& bytes,
                            size_t offset = 0, size_t end = std::string::npos) {
    v1::WriteResponse response;
    auto context = NewContext();
    auto writer = stub.Write(context.get(), &response);
    v1::WriteRequest request;
    request.set_sha256(Sha256Of(named));
    request.set_size_bytes(static_cast<int64_t>(named.size()));
    request.set_offset(static_cast<int64_t>(offset));
    end = std::min(end, bytes.size());
    request.set_data(bytes.substr(offset, end - offset));
    writer->Write(request);
    writer->WritesDone();
    return writer->Finish();
  }
  // How much of it the agent has for that caller; -1: all.
  static int64_t Received(Stub& stub, const std::string& bytes) {
    v1::FindMissingRequest request;
    request.add_sha256(Sha256Of(bytes));
    v1::FindMissingResponse response;
    EXPECT_TRUE(stub.FindMissing(NewContext().get(), request, &response).ok());
    return response.missing().empty() ? -1 : response.missing(0).received_bytes();
  }
  static StatusCode Read(Stub& stub, const std::string& bytes) {
    v1::ReadRequest request;
    request.set_sha256(Sha256Of(bytes));
    auto context = NewContext();
    auto reader = stub.Read(context.get(), request);
    v1::ReadResponse response;
    while (reader->Read(&response)) {
    }
    return reader->Finish().error_code();
  }

  const std::string program_ = "a program that is worth something";
  RpcAgent agent_{WithPlaintextLoopback()};
  std::unique_ptr<Stub> own_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<Stub> other_;
};

TEST_F(BlobHolderTest, WhoKnowsTheDigestAloneGetsNothing) {
  ASSERT_TRUE(Write(*own_, program_, program_).ok());
  EXPECT_EQ(Received(*other_, program_), 0);
  EXPECT_EQ(Read(*other_, program_), StatusCode::NOT_FOUND);
  v1::SpawnRequest request = SpawnRequestOf({"./sim"});
  v1::ShippedFile* file = request.mutable_spec()->add_files();
  file->set_path("sim");
  file->set_sha256(Sha256Of(program_));
  v1::SpawnResponse spawned;
  const grpc::Status start =
      v1::ProcessService::NewStub(channel_)->Spawn(NewContext().get(), request, &spawned);
  EXPECT_EQ(start.error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(start.error_message(), HasSubstr("'sim'"));
  const grpc::Status behind = Write(*other_, program_, program_, program_.size());
  EXPECT_EQ(behind.error_code(), StatusCode::OUT_OF_RANGE);
  EXPECT_EQ(Read(*other_, program_), StatusCode::NOT_FOUND);
}

TEST_F(BlobHolderTest, WhoSendsItHasItToo) {
  ASSERT_TRUE(Write(*own_, program_, program_).ok());
  const grpc::Status sent = Write(*other_, program_, program_);
  EXPECT_TRUE(sent.ok()) << sent.error_message();
  EXPECT_EQ(Received(*other_, program_), -1);
  EXPECT_EQ(Read(*other_, program_), StatusCode::OK);
}

TEST_F(BlobHolderTest, WrongBytesAreNoProofAndHarmNobody) {
  ASSERT_TRUE(Write(*own_, program_, program_).ok());
  const std::string wrong(program_.size(), 'x');
  EXPECT_EQ(Write(*other_, program_, wrong).error_code(), StatusCode::DATA_LOSS);
  EXPECT_EQ(Write(*other_, program_, wrong + "y").error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Read(*other_, program_), StatusCode::NOT_FOUND);
  EXPECT_EQ(Read(*own_, program_), StatusCode::OK);
}

TEST_F(BlobHolderTest, WhatOneHasBegunAloneItGoesOnWith) {
  EXPECT_EQ(Write(*other_, program_, program_, 0, 10).error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Received(*other_, program_), 10);
  EXPECT_TRUE(Write(*other_, program_, program_, 10).ok());
  EXPECT_EQ(Read(*other_, program_), StatusCode::OK);
}

TEST_F(BlobHolderTest, WhatAnotherHasBegunIsSentFromTheFirstByte) {
  EXPECT_EQ(Write(*own_, program_, program_, 0, 10).error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Received(*other_, program_), 0);
  EXPECT_EQ(Write(*other_, program_, program_, 10).error_code(), StatusCode::OUT_OF_RANGE);
  EXPECT_TRUE(Write(*other_, program_, program_).ok()) << "the first ten are passed over";
  EXPECT_EQ(Read(*other_, program_), StatusCode::OK);
}

TEST_F(BlobHolderTest, OneThatBeganAloneAndWasOvertakenBeginsAgain) {
  EXPECT_EQ(Write(*other_, program_, program_, 0, 10).error_code(), StatusCode::INVALID_ARGUMENT);
  v1::WriteResponse response;
  auto context = NewContext();
  auto slow = other_->Write(context.get(), &response);
  v1::WriteRequest request;
  request.set_sha256(Sha256Of(program_));
  request.set_size_bytes(static_cast<int64_t>(program_.size()));
  request.set_offset(10);
  request.set_data(program_.substr(10, 2));
  ASSERT_TRUE(slow->Write(request));
  while (Received(*other_, program_) != 12) std::this_thread::yield();
  EXPECT_TRUE(Write(*own_, program_, program_).ok());
  request.Clear();
  request.set_data(program_.substr(12));
  slow->Write(request);
  slow->WritesDone();
  EXPECT_EQ(slow->Finish().error_code(), StatusCode::OUT_OF_RANGE);
  EXPECT_EQ(Read(*other_, program_), StatusCode::NOT_FOUND);
  EXPECT_TRUE(Write(*other_, program_, program_).ok());
  EXPECT_EQ(Read(*other_, program_), StatusCode::OK);
}

}  // namespace
}  // namespace shoal::agent
