// A client that has lost everything but its request_id finds its process, and takes its session over: on the wire.
#include "common/ids.h"
#include "shoal/v1/error_detail.pb.h"
#include "tests/rpc/agent/rpc_test.h"

namespace shoal::agent {
namespace {

using ::testing::HasSubstr;

std::string ReasonOf(const grpc::Status& status) {
  v1::ErrorDetails details;
  v1::ErrorInfo info;
  details.ParseFromString(status.error_details());
  for (const google::protobuf::Any& any : details.details()) info.ParseFromString(any.value());
  return info.reason();
}

class TakeoverTest : public RpcTest {
 protected:
  v1::OpenResponse Open() {
    v1::OpenRequest request;
    request.set_request_id(NewRequestId());
    v1::OpenResponse response;
    EXPECT_TRUE(sessions_->Open(NewContext().get(), request, &response).ok());
    return response;
  }
  grpc::Status TakeOver(const v1::TakeoverRequest& request, v1::TakeoverResponse* response) {
    return sessions_->Takeover(NewContext().get(), request, response);
  }
  grpc::Status KeepAlive(const std::string& id, const std::string& token) {
    v1::KeepAliveRequest request;
    request.set_session_id(id);
    request.set_token(token);
    v1::KeepAliveResponse response;
    return sessions_->KeepAlive(NewContext().get(), request, &response);
  }
  grpc::Status Get(const v1::GetRequest& request, v1::GetResponse* response) {
    return processes_->Get(NewContext().get(), request, response);
  }
};

TEST_F(TakeoverTest, AProcessIsFoundByTheRequestIdOfItsStart) {
  v1::SpawnRequest spawn = SpawnRequestOf({"/bin/true"});
  v1::SpawnResponse spawned;
  ASSERT_TRUE(Spawn(spawn, &spawned).ok());
  v1::GetRequest get;
  get.set_request_id(spawn.request_id());
  v1::GetResponse got;
  const grpc::Status status = Get(get, &got);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(got.process().id(), spawned.process().id());

  get.set_selector("web");
  EXPECT_EQ(Get(get, &got).error_message(), "selector and request_id are given: one of both");
  get.clear_selector();
  get.set_request_id("web");
  EXPECT_THAT(Get(get, &got).error_message(), HasSubstr("request_id must be a UUIDv7, not 'web'"));
  get.set_request_id(NewRequestId());
  const grpc::Status unknown = Get(get, &got);
  EXPECT_EQ(unknown.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(unknown.error_message(), HasSubstr("was started by request_id"));
}

TEST_F(TakeoverTest, ARequestIdOfSeveralIsOfNone) {
  v1::SpawnBatchRequest batch;
  batch.set_request_id(NewRequestId());
  *batch.add_specs() = SpawnRequestOf({"/bin/true"}).spec();
  *batch.add_specs() = SpawnRequestOf({"/bin/true"}).spec();
  v1::SpawnBatchResponse started;
  std::thread call([&] { processes_->SpawnBatch(NewContext().get(), batch, &started); });
  AwaitStart();
  agent_.OnLoop([&] { agent_.shims().StartAll(); });
  call.join();
  v1::GetRequest get;
  get.set_request_id(batch.request_id());
  v1::GetResponse got;
  const grpc::Status status = Get(get, &got);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("has started 2 processes, not one"));
}

TEST_F(TakeoverTest, TheNewTokenRenewsAndTheOldIsFencedWithAReason) {
  const v1::OpenResponse opened = Open();
  const std::string& id = opened.session().id();
  EXPECT_TRUE(opened.session().has_expires_in())
      << "by another clock than the faked one of the core";
  v1::TakeoverRequest request;
  request.set_session_id(id);
  v1::TakeoverResponse taken;
  EXPECT_THAT(TakeOver(request, &taken).error_message(), HasSubstr("request_id must be a UUIDv7"));
  request.set_request_id(NewRequestId());
  request.mutable_unrenewed_for()->set_seconds(10);
  const grpc::Status in_use = TakeOver(request, &taken);
  EXPECT_EQ(in_use.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(ReasonOf(in_use), "SESSION_IN_USE");
  request.clear_unrenewed_for();
  ASSERT_TRUE(TakeOver(request, &taken).ok());
  EXPECT_EQ(taken.session().id(), id);
  EXPECT_NE(taken.token(), opened.token());
  EXPECT_EQ(taken.agent_id(), opened.agent_id());
  EXPECT_EQ(taken.boot_id(), opened.boot_id());
  const grpc::Status fenced = KeepAlive(id, opened.token());
  EXPECT_EQ(fenced.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(ReasonOf(fenced), "FENCED");
  EXPECT_TRUE(KeepAlive(id, taken.token()).ok());

  v1::SpawnRequest spawn = SpawnRequestOf({"/bin/true"});
  spawn.set_session_id(id);
  v1::SpawnResponse spawned;
  for (const std::string& token : {std::string(), opened.token()}) {
    spawn.set_session_token(token);
    EXPECT_EQ(ReasonOf(processes_->Spawn(NewContext().get(), spawn, &spawned)), "FENCED");
  }
  spawn.set_session_token(taken.token());
  ASSERT_TRUE(Spawn(spawn, &spawned).ok());
  spawn.clear_session_token();
  ASSERT_TRUE(processes_->Spawn(NewContext().get(), spawn, &spawned).ok());
  EXPECT_TRUE(spawned.replayed()) << "what was started is told whichever token comes along";
}

TEST_F(TakeoverTest, ASessionIsListedByItsId) {
  const std::string first = Open().session().id();
  Open();
  v1::SessionServiceListRequest request;
  v1::SessionServiceListResponse response;
  ASSERT_TRUE(sessions_->List(NewContext().get(), request, &response).ok());
  EXPECT_EQ(response.sessions_size(), 2);
  request.set_session_id(first);
  ASSERT_TRUE(sessions_->List(NewContext().get(), request, &response).ok());
  ASSERT_EQ(response.sessions_size(), 1);
  EXPECT_EQ(response.sessions(0).id(), first);
  EXPECT_TRUE(response.sessions(0).has_expires_in());
  request.set_session_id("NOSUCHSESSIONAAA");
  ASSERT_TRUE(sessions_->List(NewContext().get(), request, &response).ok());
  EXPECT_EQ(response.sessions_size(), 0);
  request.set_page_token(first);
  EXPECT_EQ(sessions_->List(NewContext().get(), request, &response).error_message(),
            "page_token and session_id are given");
}

TEST_F(TakeoverTest, TheAuditHasItsDecisionAndItsResult) {
  const std::string id = Open().session().id();
  v1::TakeoverRequest request;
  request.set_session_id(id);
  request.set_request_id(NewRequestId());
  v1::TakeoverResponse taken;
  ASSERT_TRUE(TakeOver(request, &taken).ok());
  int decisions = 0;
  int results = 0;
  for (const std::string& line : agent_.AuditLines()) {
    if (line.find("method=\"Takeover\"") == std::string::npos) continue;
    EXPECT_THAT(line, HasSubstr("subject=\"session " + id + "\""));
    EXPECT_EQ(line.find(taken.token()), std::string::npos) << "no token stands there";
    decisions += line.find("event=\"decision\"") != std::string::npos;
    results += line.find("event=\"result\"") != std::string::npos;
  }
  EXPECT_EQ(decisions, 1);
  EXPECT_EQ(results, 1);
}

}  // namespace
}  // namespace shoal::agent
