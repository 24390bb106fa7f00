// Calls that stay open are bounded for each identity.
#include "agent/rpc/call_quota.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "tests/rpc/agent/rpc_test.h"
#include "tests/support/permits.h"

namespace shoal::agent {
namespace {

using ::testing::HasSubstr;

TEST(CallQuota, EachIdentityAndKindHasItsOwn) {
  CallQuota quota(Quotas{.streams = 2, .waits = 1, .uploads = 1});
  const Permit permit = PermitOf("uid:7");
  auto first = quota.Take(CallQuota::Kind::kStream, permit);
  auto second = quota.Take(CallQuota::Kind::kStream, permit);
  const auto third = quota.Take(CallQuota::Kind::kStream, permit);
  EXPECT_EQ(third.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(third.status().message(), "identity uid:7 has 2 open streams, limit 2");
  EXPECT_TRUE(quota.Take(CallQuota::Kind::kWait, permit).ok());
  EXPECT_TRUE(quota.Take(CallQuota::Kind::kStream, PermitOf("uid:8")).ok());
  first = absl::UnknownError("given back");
  EXPECT_TRUE(quota.Take(CallQuota::Kind::kStream, permit).ok());
}

class OpenCallsTest : public RpcTest {};

TEST_F(OpenCallsTest, OneStreamOfInputMoreThanAllowedIsRefusedUntilAnotherEnds) {
  v1::SpawnRequest request = SpawnRequestOf({"/bin/cat"});
  request.mutable_spec()->set_name("web");
  request.mutable_spec()->mutable_input()->mutable_stream();
  v1::SpawnResponse started;
  ASSERT_TRUE(Spawn(request, &started).ok());
  struct Open {
    std::unique_ptr<grpc::ClientContext> context = NewContext();
    std::unique_ptr<grpc::ClientReaderWriter<v1::StreamInputRequest, v1::StreamInputResponse>>
        stream;
  };
  std::vector<std::unique_ptr<Open>> open;
  const auto begin = [&] {
    open.push_back(std::make_unique<Open>());
    open.back()->stream = processes_->StreamInput(open.back()->context.get());
    v1::StreamInputRequest question;
    question.set_selector("web");
    open.back()->stream->Write(question);
    v1::StreamInputResponse answer;
    return open.back()->stream->Read(&answer);
  };
  for (int i = 0; i < 32; ++i) ASSERT_TRUE(begin()) << i;
  EXPECT_FALSE(begin());
  const grpc::Status refused = open.back()->stream->Finish();
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(refused.error_message(), HasSubstr("has 32 open writes of input, limit 32"));
  open.front()->stream->WritesDone();
  EXPECT_TRUE(open.front()->stream->Finish().ok());
  while (!begin()) open.back()->stream->Finish();
  for (const auto& one : open) one->context->TryCancel();
}

TEST_F(OpenCallsTest, OneWatchMoreThanAllowedIsRefusedUntilAnotherEnds) {
  struct Open {
    std::unique_ptr<grpc::ClientContext> context = NewContext();
    std::unique_ptr<grpc::ClientReader<v1::WatchResponse>> reader;
  };
  std::vector<std::unique_ptr<Open>> open;
  const auto watch = [&] {
    open.push_back(std::make_unique<Open>());
    open.back()->reader = processes_->Watch(open.back()->context.get(), v1::WatchRequest());
    v1::WatchResponse first;
    return open.back()->reader->Read(&first);
  };
  for (int i = 0; i < 32; ++i) ASSERT_TRUE(watch()) << i;
  EXPECT_FALSE(watch());
  const grpc::Status refused = open.back()->reader->Finish();
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(refused.error_message(), HasSubstr("32 open streams, limit 32"));
  open.front()->context->TryCancel();
  open.front()->reader->Finish();
  while (!watch()) open.back()->reader->Finish();
  for (const auto& one : open) one->context->TryCancel();
}

}  // namespace
}  // namespace shoal::agent
