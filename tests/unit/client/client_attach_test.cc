// Processes of other programs, and their sessions: over a host without a server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "common/error_info.h"
#include "common/notification.h"
#include "shoal/process.h"
#include "shoal/process/caretaker.h"
#include "shoal/session.h"
#include "shoal/v1/error_detail.pb.h"
#include "tests/support/fake_link.h"
#include "tests/unit/client/told_processes.h"

namespace shoal {
namespace {

using ::shoal::testing::FakeLease;
using ::shoal::testing::FakeLink;
using ::testing::HasSubstr;

absl::Status InUse() {
  v1::ErrorInfo info;
  info.set_reason("SESSION_IN_USE");
  absl::Status status = absl::FailedPreconditionError("it is in use");
  status.SetPayload(kErrorInfoUrl, absl::Cord(info.SerializeAsString()));
  return status;
}

class AttachTest : public ::testing::Test {
 protected:
  AttachTest() {
    link_->get.AnswerAll([](const v1::GetRequest& request) -> absl::StatusOr<v1::GetResponse> {
      if (request.selector() != "web" && request.request_id() != "r-1") {
        return absl::NotFoundError("no process");
      }
      v1::GetResponse response;
      *response.mutable_process() = Running(0);
      response.mutable_process()->set_name("web");
      response.mutable_process()->set_session_id("SESSION");
      response.mutable_process()->mutable_input()->set_window_bytes(1);
      response.mutable_process()->mutable_spec()->mutable_output()->set_cap_bytes(16);
      return response;
    });
    link_->take_over.AnswerAll([](const v1::TakeoverRequest& request) {
      v1::TakeoverResponse response;
      response.mutable_session()->set_id(request.session_id());
      response.mutable_session()->mutable_ttl()->set_seconds(6);
      response.set_token("new token");
      return response;
    });
  }

  // The session was renewed so many milliseconds ago, of 600 that its TTL is.
  void TellSession(int unrenewed) {
    link_->list_sessions.AnswerAll([unrenewed](const v1::SessionServiceListRequest& request) {
      v1::SessionServiceListResponse response;
      v1::Session* const session = response.add_sessions();
      session->set_id(request.session_id());
      session->mutable_ttl()->set_nanos(600'000'000);
      session->mutable_expires_in()->set_nanos((600 - unrenewed) * 1'000'000);
      return response;
    });
  }

  const std::shared_ptr<FakeLink> link_ = std::make_shared<FakeLink>("a");
  const std::shared_ptr<Host> host_ = Host::Over(link_);
};

TEST_F(AttachTest, AProcessOfAnotherProgramIsFoundByNameAndByRequestId) {
  for (const bool by_request : {false, true}) {
    absl::StatusOr<std::unique_ptr<Process>> process =
        by_request ? Process::AttachByRequest(host_, "r-1") : Process::Attach(host_, "web");
    ASSERT_TRUE(process.ok()) << process.status();
    EXPECT_EQ((*process)->Pid(), 100);
    EXPECT_EQ((*process)->Id(), "ID0");
    EXPECT_EQ((*process)->name(), "web");
    EXPECT_TRUE((*process)->input().ok());
    EXPECT_FALSE((*process)->Start().ok()) << "it was started";
  }
  EXPECT_EQ(link_->get.Await(2).request_id(), "r-1");
  EXPECT_EQ(link_->get.Await(2).selector(), "");
  EXPECT_TRUE(absl::IsNotFound(Process::Attach(host_, "other").status()));
  EXPECT_TRUE(link_->leases().empty()) << "its session is left to itself";
}

TEST_F(AttachTest, ItsOutputIsReadFromTheFirstByteAndAcknowledgedOnlyIfAskedFor) {
  for (const bool acknowledges : {false, true}) {
    std::string text;
    Notification is_whole;
    AttachOptions options;
    options.acknowledges = acknowledges;
    options.on_output = [&](v1::StreamKind, int64_t, absl::string_view data) {
      text.append(data.data(), data.size());
      if (text == "hello") is_whole.Notify();
    };
    absl::StatusOr<std::unique_ptr<Process>> process =
        Process::Attach(host_, "web", std::move(options));
    ASSERT_TRUE(process.ok());
    auto output = link_->AwaitOutput(acknowledges ? 2 : 1);
    EXPECT_EQ(output->AwaitAttempt(1).start_case(), v1::ReadOutputRequest::START_NOT_SET);
    output->Tell(Frame(0, 0, "hello"));
    EXPECT_TRUE(is_whole.WaitForNotificationWithTimeout(absl::Minutes(1)));
    link_->Settle();
    EXPECT_EQ(link_->acknowledge.calls(), acknowledges ? 1u : 0u);
  }
}

TEST_F(AttachTest, ItsSessionIsTakenOverAtOnceWhereThatIsWanted) {
  AttachOptions options;
  options.takeover = TakeoverRule::kAtOnce;
  absl::StatusOr<std::unique_ptr<Process>> process = Process::Attach(host_, "web", options);
  ASSERT_TRUE(process.ok());
  const v1::TakeoverRequest request = link_->take_over.Await(1);
  EXPECT_EQ(request.session_id(), "SESSION");
  EXPECT_FALSE(request.has_unrenewed_for());
  EXPECT_FALSE(request.request_id().empty());
  ASSERT_EQ(link_->leases().size(), 1u);
  EXPECT_EQ(link_->leases()[0]->terms().token, "new token");
  EXPECT_EQ(link_->leases()[0]->terms().ttl, absl::Seconds(6));

  link_->take_over.AnswerAll(
      [](const v1::TakeoverRequest&) { return absl::PermissionDeniedError("not yours"); });
  EXPECT_EQ(Process::Attach(host_, "web", options).status().message(), "not yours");
  link_->take_over.AnswerAll(
      [](const v1::TakeoverRequest&) { return absl::NotFoundError("it is over"); });
  EXPECT_TRUE(Process::Attach(host_, "web", options).ok()) << "what is left of it is there";
}

TEST_F(AttachTest, WhatIsStartedInASessionOfThisProgramShowsItsToken) {
  link_->spawn.AnswerAll([](const v1::SpawnRequest&) { return v1::SpawnResponse(); });
  link_->spawn_batch.AnswerAll(
      [](const v1::SpawnBatchRequest&) { return v1::SpawnBatchResponse(); });
  v1::SpawnRequest request;
  request.set_session_id("SESSION");
  {
    absl::StatusOr<std::unique_ptr<Session>> session = Session::TakeOver(host_, "SESSION");
    ASSERT_TRUE(session.ok());
    ASSERT_TRUE(host_->Spawn(request).ok());
    EXPECT_EQ(link_->spawn.Await(1).session_token(), "new token");
    v1::SpawnBatchRequest batch;
    batch.set_session_id("SESSION");
    ASSERT_TRUE(host_->SpawnBatch(batch).ok());
    EXPECT_EQ(link_->spawn_batch.Await(1).session_token(), "new token");
    v1::SpawnRequest other;
    other.set_session_id("OTHER");
    ASSERT_TRUE(host_->Spawn(other).ok());
    EXPECT_EQ(link_->spawn.Await(2).session_token(), "");
  }
  ASSERT_TRUE(host_->Spawn(request).ok());
  EXPECT_EQ(link_->spawn.Await(3).session_token(), "") << "it holds the session no more";
}

TEST_F(AttachTest, ASessionIsAskedForByItsId) {
  TellSession(100);
  absl::StatusOr<v1::Session> session = host_->GetSession("SESSION");
  ASSERT_TRUE(session.ok());
  EXPECT_EQ(link_->list_sessions.Await(1).session_id(), "SESSION");
  link_->list_sessions.AnswerAll(
      [](const v1::SessionServiceListRequest&) { return v1::SessionServiceListResponse(); });
  EXPECT_EQ(host_->GetSession("SESSION").status(), absl::NotFoundError("session SESSIO is over"));
}

TEST_F(AttachTest, ACaretakerLeavesASessionAloneThatIsRenewedAndTakesItOnceItIsNot) {
  TellSession(399);
  Notification is_ours;
  internal::Caretaker caretaker(host_, "SESSION", [&](const absl::Status& status) {
    EXPECT_TRUE(status.ok()) << status;
    is_ours.Notify();
  });
  link_->list_sessions.Await(3);
  EXPECT_FALSE(caretaker.is_held());
  TellSession(400);
  EXPECT_TRUE(is_ours.WaitForNotificationWithTimeout(absl::Minutes(1)));
  EXPECT_TRUE(caretaker.is_held());
  EXPECT_EQ(link_->take_over.Await(1).unrenewed_for().nanos(), 400'000'000);
}

TEST_F(AttachTest, ACaretakerGoesOnLookingWhereTheClientHasRenewedJustThen) {
  TellSession(500);
  int calls = 0;
  link_->take_over.AnswerAll(
      [&](const v1::TakeoverRequest& request) -> absl::StatusOr<v1::TakeoverResponse> {
        ++calls;
        if (calls == 1) return InUse();
        if (calls == 2) return absl::UnavailableError("gone");
        v1::TakeoverResponse response;
        response.mutable_session()->set_id(request.session_id());
        return response;
      });
  Notification is_ours;
  internal::Caretaker caretaker(host_, "SESSION", [&](const absl::Status&) { is_ours.Notify(); });
  EXPECT_TRUE(is_ours.WaitForNotificationWithTimeout(absl::Minutes(1)));
  EXPECT_TRUE(caretaker.is_held());
}

TEST_F(AttachTest, ACaretakerThatMayNotSaysSoAndOneThatIsFencedToo) {
  TellSession(500);
  link_->take_over.AnswerAll(
      [](const v1::TakeoverRequest&) { return absl::PermissionDeniedError("not yours"); });
  Notification is_told;
  internal::Caretaker refused(host_, "SESSION", [&](const absl::Status& status) {
    EXPECT_EQ(status.message(), "not yours");
    is_told.Notify();
  });
  EXPECT_TRUE(is_told.WaitForNotificationWithTimeout(absl::Minutes(1)));
  EXPECT_FALSE(refused.is_held());

  link_->take_over.AnswerAll([](const v1::TakeoverRequest&) { return v1::TakeoverResponse(); });
  Notification is_ours, is_lost;
  internal::Caretaker fenced(host_, "SESSION", [&](const absl::Status& status) {
    if (status.ok()) return is_ours.Notify();
    EXPECT_THAT(std::string(status.message()), HasSubstr("taken over"));
    is_lost.Notify();
  });
  EXPECT_TRUE(is_ours.WaitForNotificationWithTimeout(absl::Minutes(1)));
  link_->leases().back()->Lose(absl::FailedPreconditionError("it was taken over"));
  EXPECT_TRUE(is_lost.WaitForNotificationWithTimeout(absl::Minutes(1)));
  EXPECT_FALSE(fenced.is_held());
}

TEST_F(AttachTest, ASessionThatIsOverNeedsNoCaretaker) {
  link_->list_sessions.AnswerAll(
      [](const v1::SessionServiceListRequest&) { return v1::SessionServiceListResponse(); });
  {
    AttachOptions options;
    options.takeover = TakeoverRule::kWhenUnrenewed;
    ASSERT_TRUE(Process::Attach(host_, "web", options).ok());
    link_->list_sessions.Await(1);
  }
  EXPECT_TRUE(link_->leases().empty());
}

TEST_F(AttachTest, DetachMakesItOutliveItsSession) {
  absl::StatusOr<std::unique_ptr<Process>> process = Process::Attach(host_, "web");
  ASSERT_TRUE(process.ok());
  link_->update.AnswerAll([](const v1::UpdateRequest& request) {
    EXPECT_EQ(request.selector().terms(0), "ID0");
    EXPECT_EQ(request.lifetime(), v1::LIFETIME_DETACHED);
    v1::UpdateResponse response;
    *response.add_results()->mutable_process() = Running(0);
    return response;
  });
  EXPECT_TRUE((*process)->Detach().ok());
  link_->update.AnswerAll([](const v1::UpdateRequest&) {
    v1::UpdateResponse response;
    v1::ProcessResult* const result = response.add_results();
    result->mutable_error()->set_code(9);
    result->mutable_error()->set_message("it has ended");
    return response;
  });
  EXPECT_EQ((*process)->Detach(), absl::FailedPreconditionError("it has ended"));
  ProcessOptions options;
  options.command = {"x"};
  options.name = "new";
  EXPECT_THAT(std::string(Process(options).Detach().message()), HasSubstr("cannot detach new"));
}

TEST_F(AttachTest, AStartUnderAGivenRequestIdKeepsToIt) {
  int calls = 0;
  link_->spawn.AnswerAll([&](const v1::SpawnRequest&) -> absl::StatusOr<v1::SpawnResponse> {
    if (++calls == 1) return absl::ResourceExhaustedError("no room");
    if (calls == 2) return absl::AlreadyExistsError("the name is held");
    v1::SpawnResponse response;
    *response.mutable_process() = Running(0);
    return response;
  });
  ProcessOptions options;
  options.command = {"worker"};
  options.host = host_;
  options.detached = true;
  options.request_id = "r-1";
  Process process(options);
  EXPECT_TRUE(absl::IsResourceExhausted(process.Start()));
  EXPECT_TRUE(absl::IsAlreadyExists(process.Start())) << "which is kept by the request_id";
  EXPECT_TRUE(process.Start().ok());
  for (const size_t nth : {1, 2, 3}) EXPECT_EQ(link_->spawn.Await(nth).request_id(), "r-1");
}

}  // namespace
}  // namespace shoal
