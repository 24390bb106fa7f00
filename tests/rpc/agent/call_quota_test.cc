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

class OpenWatchesTest : public OpenCallsTest {
 protected:
  ~OpenWatchesTest() override {
    for (const auto& one : open_) one->context->TryCancel();
  }

  // False: it was refused, as Finish() of the last one tells.
  bool Watch(const v1::WatchRequest& request) {
    open_.push_back(std::make_unique<Open>());
    open_.back()->reader = processes_->Watch(open_.back()->context.get(), request);
    v1::WatchResponse first;
    return open_.back()->reader->Read(&first);
  }
  void ExpectOneMoreRefused(const v1::WatchRequest& request, const std::string& why) {
    EXPECT_FALSE(Watch(request));
    const grpc::Status refused = open_.back()->reader->Finish();
    EXPECT_EQ(refused.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
    EXPECT_THAT(refused.error_message(), HasSubstr(why));
    open_.front()->context->TryCancel();
    open_.front()->reader->Finish();
    while (!Watch(request)) open_.back()->reader->Finish();
  }

  struct Open {
    std::unique_ptr<grpc::ClientContext> context = NewContext();
    std::unique_ptr<grpc::ClientReader<v1::WatchResponse>> reader;
  };
  std::vector<std::unique_ptr<Open>> open_;
};

TEST_F(OpenWatchesTest, OneMoreThanAllowedIsRefusedUntilAnotherEnds) {
  v1::WatchRequest of_one;
  of_one.mutable_selector()->add_terms("7KQ2MDAAAAAAAAAA");
  for (int i = 0; i < 32; ++i) ASSERT_TRUE(Watch(of_one)) << i;
  ExpectOneMoreRefused(of_one, "32 open streams, limit 32");
}

// Each change of any process costs the agent a look at each of them.
TEST_F(OpenWatchesTest, OfThoseOfAnyProcessFewerAreAllowed) {
  v1::WatchRequest by_label, by_name, of_session;
  (*by_label.mutable_selector()->mutable_labels())["a"] = "b";
  by_name.mutable_selector()->add_terms("web");
  of_session.mutable_selector()->set_session_id("SSSSSSSSSSSSSSSS");
  for (int i = 0; i < 14; ++i) ASSERT_TRUE(Watch({})) << i;
  ASSERT_TRUE(Watch(by_label));
  ASSERT_TRUE(Watch(by_name));
  ExpectOneMoreRefused({}, "16 open streams of processes by name, label or all, limit 16");
  for (int i = 0; i < 32; ++i) ASSERT_TRUE(Watch(of_session)) << i;
}

}  // namespace
}  // namespace shoal::agent
