// The audit of calls over real sockets.
#include <unistd.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/notification.h"
#include "common/sha256.h"
#include "tests/rpc/agent/rpc_test.h"
#include "tests/support/permits.h"

namespace shoal::agent {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Not;

std::vector<std::string> LinesWith(const std::vector<std::string>& lines, const std::string& what) {
  std::vector<std::string> found;
  std::copy_if(lines.begin(), lines.end(), std::back_inserter(found),
               [&](const std::string& line) { return absl::StrContains(line, what); });
  return found;
}

class AuditTest : public RpcTest {
 protected:
  std::vector<std::string> LinesOf(const std::string& method) {
    return LinesWith(agent_.AuditLines(), absl::StrCat("method=\"", method, "\""));
  }
};

TEST_F(AuditTest, ASpawnHasItsDecisionAndItsResultWithCallerIdsAndDigest) {
  v1::SpawnRequest request = SpawnRequestOf({"/bin/echo", "geheim"});
  request.mutable_spec()->set_name("web");
  request.mutable_spec()->add_env("TOKEN=hunter2");
  v1::SpawnResponse response;
  ASSERT_TRUE(Spawn(request, &response).ok());
  const std::string uid = std::to_string(geteuid());
  const std::string common = absl::StrCat(
      "caller=\"uid:", uid, "\" kind=\"unix_user\" uid=\"", uid, "\" pid=\"", getpid(),
      "\" method=\"Spawn\" subject=\"web /bin/echo\" argv_sha256=\"",
      DigestToHex(Sha256Of(absl::string_view("/bin/echo\0geheim\0\0", 18))).substr(0, 32),
      "\" request_id=\"", request.request_id(), "\"");
  const std::vector<std::string> lines = LinesOf("Spawn");
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_THAT(lines[0], AllOf(HasSubstr(absl::StrCat("event=\"decision\" ", common)),
                              HasSubstr(" decision=\"allowed\"\n")));
  EXPECT_THAT(lines[1], AllOf(HasSubstr(absl::StrCat("event=\"result\" ", common)),
                              HasSubstr(absl::StrCat(" ids=\"", response.process().id(),
                                                     "\" decision=\"allowed\" result=\"OK\"\n"))));
  EXPECT_THAT(lines, Each(AllOf(Not(HasSubstr("geheim")), Not(HasSubstr("hunter2")))));
}

TEST_F(AuditTest, WhatIsRefusedByItsFormIsRefusedAndRepeatsAreOneLine) {
  v1::SpawnRequest request = SpawnRequestOf({});
  v1::SpawnResponse response;
  for (int i = 0; i < 20; ++i) {
    EXPECT_FALSE(processes_->Spawn(NewContext().get(), request, &response).ok());
  }
  const std::vector<std::string> lines = LinesOf("Spawn");
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_THAT(lines[0], AllOf(HasSubstr("event=\"refused\""), HasSubstr("decision=\"refused\""),
                              HasSubstr("result=\"INVALID_ARGUMENT\""), HasSubstr("argv")));
  EXPECT_THAT(lines[1], HasSubstr("count=\"19\""));
}

TEST_F(AuditTest, ReadsAreOneLineForEachCallerAndMethod) {
  v1::ListRequest request;
  v1::ListResponse response;
  for (int i = 0; i < 30; ++i) {
    EXPECT_TRUE(processes_->List(NewContext().get(), request, &response).ok());
  }
  const std::vector<std::string> lines = LinesOf("List");
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_THAT(lines[1], AllOf(HasSubstr("count=\"29\""), HasSubstr("decision=\"allowed\""),
                              HasSubstr("result=\"OK\"")));
}

TEST_F(AuditTest, AStreamHasItsResultAtItsEnd) {
  v1::WatchRequest request;
  auto context = NewContext();
  auto reader = processes_->Watch(context.get(), request);
  v1::WatchResponse event;
  ASSERT_TRUE(reader->Read(&event));
  context->TryCancel();
  reader->Finish();
  AwaitCalls(0);
  EXPECT_THAT(LinesOf("Watch"), Contains(AllOf(HasSubstr("decision=\"allowed\""),
                                               HasSubstr("result=\"CANCELLED\""))));
}

TEST_F(AuditTest, SingleFailuresOfABulkCallAreCounted) {
  SpawnNamed("web");
  v1::TerminateRequest request;
  request.set_request_id(NewRequestId());
  request.mutable_selector()->add_terms("web");
  request.mutable_timeout()->set_nanos(1);
  v1::TerminateResponse response;
  ASSERT_TRUE(processes_->Terminate(NewContext().get(), request, &response).ok());
  EXPECT_THAT(LinesOf("Terminate"),
              Contains(AllOf(HasSubstr("event=\"result\""), HasSubstr("ids=\""),
                             HasSubstr("reason=\"1 of 1 failed: "))));
}

// A request over TCP for a session that was opened over the Unix socket.
class ForeignSessionTest : public ::testing::Test {
 protected:
  static ServerOptions Options() {
    ServerOptions options;
    options.tcp.listen = {"127.0.0.1:0"};
    options.tcp.insecure_loopback = true;
    return options;
  }
  ForeignSessionTest() : agent_(Options()) {
    channel_ = grpc::CreateChannel(agent_.addresses().at(1), grpc::InsecureChannelCredentials());
    auto other = v1::SessionService::NewStub(agent_.Connect());
    v1::OpenRequest open;
    open.set_request_id(NewRequestId());
    EXPECT_TRUE(other->Open(NewContext().get(), open, &session_).ok());
  }

  RpcAgent agent_;
  std::shared_ptr<grpc::Channel> channel_;
  v1::OpenResponse session_;
};

TEST_F(ForeignSessionTest, ARefusedSpawnIsNowhereSaidToBeAllowed) {
  v1::SpawnRequest request = SpawnRequestOf({"/bin/true"});
  request.set_session_id(session_.session().id());
  v1::SpawnResponse response;
  auto processes = v1::ProcessService::NewStub(channel_);
  const grpc::Status status = processes->Spawn(NewContext().get(), request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  const std::vector<std::string> lines = LinesWith(agent_.AuditLines(), "method=\"Spawn\"");
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_THAT(lines[0], AllOf(HasSubstr("decision=\"refused\" result=\"PERMISSION_DENIED\""),
                              HasSubstr("belongs to another identity"),
                              HasSubstr(absl::StrCat("in session ", session_.session().id()))));
}

TEST_F(ForeignSessionTest, ACloseWithAnotherTokenIsNowhereSaidToBeAllowed) {
  v1::CloseRequest request;
  request.set_session_id(session_.session().id());
  request.set_token("guessed-token");
  v1::CloseResponse response;
  auto sessions = v1::SessionService::NewStub(channel_);
  const grpc::Status status = sessions->Close(NewContext().get(), request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  v1::KeepAliveRequest renew;
  renew.set_session_id(session_.session().id());
  renew.set_token("guessed-token");
  v1::KeepAliveResponse renewed;
  EXPECT_FALSE(sessions->KeepAlive(NewContext().get(), renew, &renewed).ok());
  const std::vector<std::string> all = agent_.AuditLines();
  for (const char* method : {"method=\"Close\"", "method=\"KeepAlive\""}) {
    const std::vector<std::string> lines = LinesWith(all, method);
    ASSERT_EQ(lines.size(), 1u) << method;
    EXPECT_THAT(lines[0], HasSubstr("decision=\"refused\" result=\"PERMISSION_DENIED\""));
  }
  EXPECT_THAT(all, Each(AllOf(Not(HasSubstr("guessed-token")), Not(HasSubstr(session_.token())))));
}

TEST_F(ForeignSessionTest, CallersHaveTheirKind) {
  v1::OpenRequest open;
  open.set_request_id(NewRequestId());
  v1::OpenResponse opened;
  ASSERT_TRUE(v1::SessionService::NewStub(channel_)->Open(NewContext().get(), open, &opened).ok());
  const std::vector<std::string> lines = agent_.AuditLines();
  EXPECT_THAT(
      lines,
      Contains(AllOf(HasSubstr("caller=\"loopback\" kind=\"insecure_loopback\" method=\"Open\""),
                     HasSubstr(absl::StrCat("ids=\"", opened.session().id())))));
  EXPECT_THAT(lines, Contains(AllOf(HasSubstr("kind=\"unix_user\""), HasSubstr("method=\"Open\""),
                                    HasSubstr(absl::StrCat("ids=\"", session_.session().id())))));
}

// With --audit-required.
class RequiredAuditTest : public ::testing::Test {
 protected:
  RequiredAuditTest() : agent_({}, {}, {}, {}, {.required = true}) {
    channel_ = agent_.Connect();
    processes_ = v1::ProcessService::NewStub(channel_);
    sessions_ = v1::SessionService::NewStub(channel_);
  }
  void FillDisk() {
    agent_.audit_sink().Fail(absl::ResourceExhaustedError("No space left on device"));
  }

  RpcAgent agent_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::ProcessService::Stub> processes_;
  std::unique_ptr<v1::SessionService::Stub> sessions_;
};

TEST_F(RequiredAuditTest, ALoggedCallIsCarriedOutOnceItsLineIsWritten) {
  agent_.audit_sink().Hold(true);
  v1::OpenRequest open;
  open.set_request_id(NewRequestId());
  v1::OpenResponse session;
  grpc::Status status;
  std::thread call([&] { status = sessions_->Open(NewContext().get(), open, &session); });
  agent_.audit_sink().AwaitWrites(1);
  agent_.OnLoop([&] {
    EXPECT_TRUE(agent_.supervisor().Sessions(PermitOf()).empty()) << "carried out unwritten";
  });
  agent_.audit_sink().Hold(false);
  call.join();
  EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST_F(RequiredAuditTest, OnAFullDiskLoggedCallsAreUnavailableAndStartNothing) {
  FillDisk();
  for (int i = 0; i < 3; ++i) {
    v1::SpawnResponse response;
    const grpc::Status status =
        processes_->Spawn(NewContext().get(), SpawnRequestOf({"/bin/true"}), &response);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
    EXPECT_THAT(status.error_message(),
                AllOf(HasSubstr("the audit log /test/audit.log cannot be written"),
                      HasSubstr("No space left on device"), HasSubstr("(--audit-required)")));
  }
  agent_.OnLoop([&] { EXPECT_TRUE(agent_.shims().starts().empty()); });
}

TEST_F(RequiredAuditTest, OnAFullDiskEndsAndRenewalsAreCarriedOutAndWrittenLater) {
  v1::OpenRequest open;
  open.set_request_id(NewRequestId());
  v1::OpenResponse session;
  ASSERT_TRUE(sessions_->Open(NewContext().get(), open, &session).ok());
  FillDisk();
  v1::KeepAliveRequest renew;
  renew.set_session_id(session.session().id());
  renew.set_token(session.token());
  v1::KeepAliveResponse renewed;
  EXPECT_TRUE(sessions_->KeepAlive(NewContext().get(), renew, &renewed).ok());
  v1::TerminateRequest terminate;
  terminate.set_request_id(NewRequestId());
  terminate.mutable_selector()->set_all(true);
  v1::TerminateResponse ended;
  EXPECT_TRUE(processes_->Terminate(NewContext().get(), terminate, &ended).ok());
  v1::CloseRequest close;
  close.set_session_id(session.session().id());
  close.set_token(session.token());
  v1::CloseResponse closed;
  EXPECT_TRUE(sessions_->Close(NewContext().get(), close, &closed).ok());
  EXPECT_THAT(agent_.audit_sink().lines(), Not(Contains(HasSubstr("Close"))));
  agent_.audit_sink().Fail(absl::OkStatus());
  const std::vector<std::string> lines = agent_.AuditLines();
  for (const char* method : {"KeepAlive", "Terminate", "Close"}) {
    EXPECT_THAT(lines, Contains(AllOf(HasSubstr(absl::StrCat("method=\"", method, "\"")),
                                      HasSubstr("result=\"OK\""))));
  }
}

TEST_F(AuditTest, OnAFullDiskItHindersNothingUnlessItIsRequired) {
  agent_.audit_sink().Fail(absl::ResourceExhaustedError("No space left on device"));
  const std::string id = SpawnNamed("web");
  EXPECT_FALSE(id.empty());
  agent_.audit_sink().Fail(absl::OkStatus());
  EXPECT_THAT(LinesOf("Spawn"), Contains(AllOf(HasSubstr("result=\"OK\""), HasSubstr(id))));
}

TEST_F(AuditTest, DoctorSaysWhenItCannotBeWritten) {
  auto hosts = v1::HostService::NewStub(channel_);
  v1::HostServiceGetRequest request;
  request.set_checks(true);
  v1::HostServiceGetResponse response;
  const auto check = [&] {
    EXPECT_TRUE(hosts->Get(NewContext().get(), request, &response).ok());
    for (const v1::Check& one : response.host().checks()) {
      if (one.name() == "audit") return one;
    }
    ADD_FAILURE() << response.DebugString();
    return v1::Check();
  };
  EXPECT_EQ(check().result(), v1::Check::RESULT_OK);
  agent_.audit_sink().Fail(absl::ResourceExhaustedError("No space left on device"));
  SpawnNamed("web");  // has a line that is written at once
  v1::Check failed;
  do {
    failed = check();
  } while (failed.result() == v1::Check::RESULT_OK);
  EXPECT_EQ(failed.result(), v1::Check::RESULT_FAILED);
  EXPECT_THAT(failed.detail(), HasSubstr("No space left on device"));
  EXPECT_FALSE(failed.remedy().empty());
}

}  // namespace
}  // namespace shoal::agent
