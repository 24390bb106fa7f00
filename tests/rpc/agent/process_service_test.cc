// The unary methods over a real socket.
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/time/clock.h"
#include "shoal/v1/metadata.h"
#include "tests/rpc/agent/rpc_test.h"

namespace shoal::agent {
namespace {

using ::testing::HasSubstr;

class ProcessServiceTest : public RpcTest {};

TEST_F(ProcessServiceTest, SpawnAnswersWithTheProcessOfTheCaller) {
  v1::SpawnRequest request = SpawnRequestOf({"/bin/echo", "\xff"});
  request.mutable_spec()->add_env("SECRET=x");
  v1::SpawnResponse response;
  grpc::Status status = Spawn(request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.process().state(), v1::STATE_RUNNING);
  EXPECT_EQ(response.process().owner(), "uid:" + std::to_string(geteuid()));
  EXPECT_EQ(response.process().host(), "testhost");
  EXPECT_EQ(response.process().spec().argv(1), "\xff");
  EXPECT_EQ(response.process().spec().env_size(), 0) << "only Get tells environments";

  v1::SpawnResponse again;
  ASSERT_TRUE(processes_->Spawn(NewContext().get(), request, &again).ok());
  EXPECT_TRUE(again.replayed());
  EXPECT_EQ(again.process().id(), response.process().id());

  v1::GetRequest get;
  get.set_selector(response.process().id());
  v1::GetResponse got;
  ASSERT_TRUE(processes_->Get(NewContext().get(), get, &got).ok());
  EXPECT_EQ(got.process().spec().env(0), "SECRET") << "values are told on request";
  get.set_env_values(true);
  ASSERT_TRUE(processes_->Get(NewContext().get(), get, &got).ok());
  EXPECT_EQ(got.process().spec().env(0), "SECRET=x");
}

TEST_F(ProcessServiceTest, LiveUsageIsThatOfTheWholeTree) {
  v1::SpawnResponse response;
  ASSERT_TRUE(Spawn(SpawnRequestOf({"/bin/sleep", "60"}), &response).ok());
  const std::string id = response.process().id();
  // This program stands for a child of a main process that is not there.
  agent_.OnLoop([&] { agent_.shims().members[id] = {response.process().pid(), getpid()}; });
  v1::GetRequest get;
  get.set_selector(id);
  get.set_live_usage(true);
  v1::GetResponse got;
  ASSERT_TRUE(processes_->Get(NewContext().get(), get, &got).ok());
  EXPECT_GT(got.process().live_usage().rss_bytes(), 1 << 20);
  EXPECT_EQ(got.process().live_usage().descendants(), 1);
}

TEST_F(ProcessServiceTest, ARefusedStartIsFailedPreconditionWithStageAndErrno) {
  v1::SpawnResponse response;
  grpc::Status status;
  v1::SpawnRequest request = SpawnRequestOf({"/no/such"});
  std::thread call([&] { status = processes_->Spawn(NewContext().get(), request, &response); });
  bool failed = false;
  while (!failed) {
    agent_.OnLoop([&] {
      if (agent_.shims().starts().empty()) return;
      agent_.shims().StartFailed(agent_.shims().starts()[0].id, record::Stage::kExec, ENOENT);
      failed = true;
    });
  }
  call.join();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), HasSubstr("No such file"));
  EXPECT_THAT(status.error_details(), HasSubstr("START_FAILED"));
}

TEST_F(ProcessServiceTest, ATakenNameSaysWhoHoldsIt) {
  std::string id = SpawnNamed("web");
  v1::SpawnRequest request = SpawnRequestOf({"/bin/true"});
  request.mutable_spec()->set_name("web");
  v1::SpawnResponse response;
  grpc::Status status = processes_->Spawn(NewContext().get(), request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_THAT(status.error_message(), HasSubstr(id.substr(0, 6)));
}

TEST_F(ProcessServiceTest, APinToAnotherAgentIsAborted) {
  v1::SpawnRequest request = SpawnRequestOf({"/bin/true"});
  request.set_agent_id("another");
  v1::SpawnResponse response;
  grpc::Status status = processes_->Spawn(NewContext().get(), request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::ABORTED);
}

TEST_F(ProcessServiceTest, WaitReturnsWithTheExit) {
  std::string id = SpawnNamed("web");
  AwaitCalls(0);
  v1::WaitRequest request;
  *request.mutable_selector() = Named("web");
  v1::WaitResponse response;
  std::thread call(
      [&] { EXPECT_TRUE(processes_->Wait(NewContext().get(), request, &response).ok()); });
  AwaitCalls(1);
  agent_.OnLoop([&] { agent_.shims().End(id, 7); });
  call.join();
  ASSERT_EQ(response.processes_size(), 1);
  EXPECT_EQ(response.processes(0).exit().code(), 7);
  EXPECT_FALSE(response.timed_out());
}

TEST_F(ProcessServiceTest, ACancelledWaitIsGoneAtOnce) {
  SpawnNamed("web");
  AwaitCalls(0);
  v1::WaitRequest request;
  *request.mutable_selector() = Named("web");
  v1::WaitResponse response;
  auto context = NewContext();
  grpc::Status status;
  std::thread call([&] { status = processes_->Wait(context.get(), request, &response); });
  AwaitCalls(1);
  context->TryCancel();
  call.join();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::CANCELLED);
  AwaitCalls(0);
}

TEST_F(ProcessServiceTest, ACancelDoesNotUndoASpawn) {
  auto context = NewContext();
  v1::SpawnRequest request = SpawnRequestOf({"/bin/true"});
  v1::SpawnResponse response;
  grpc::Status status;
  std::thread call([&] { status = processes_->Spawn(context.get(), request, &response); });
  AwaitCalls(1);
  context->TryCancel();
  call.join();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::CANCELLED);
  AwaitStart();
  v1::SpawnResponse again;
  ASSERT_TRUE(processes_->Spawn(NewContext().get(), request, &again).ok());
  EXPECT_TRUE(again.replayed());
  EXPECT_EQ(again.process().state(), v1::STATE_RUNNING);
}

TEST_F(ProcessServiceTest, ASpawnUntilTheExitIsAnsweredWithIt) {
  v1::SpawnRequest request = SpawnRequestOf({"/bin/true"});
  request.set_until(v1::WaitRequest::UNTIL_EXITED);
  v1::SpawnResponse response;
  std::thread call(
      [&] { EXPECT_TRUE(processes_->Spawn(NewContext().get(), request, &response).ok()); });
  AwaitStart();
  AwaitCalls(1);
  agent_.OnLoop([&] { agent_.shims().Exited(agent_.shims().starts()[0].id, 7); });
  call.join();
  EXPECT_EQ(response.process().state(), v1::STATE_EXITED);
  EXPECT_EQ(response.process().exit().code(), 7);
  // The same request, whatever it waits for.
  request.set_until(v1::WaitRequest::UNTIL_EMPTY);
  *request.mutable_timeout() = google::protobuf::Duration();
  v1::SpawnResponse again;
  ASSERT_TRUE(processes_->Spawn(NewContext().get(), request, &again).ok());
  EXPECT_TRUE(again.replayed());
  EXPECT_EQ(again.process().id(), response.process().id());
  EXPECT_FALSE(again.process().tree_empty());
  AwaitCalls(0);
}

TEST_F(ProcessServiceTest, ASpawnUntilItsEndMayBeGivenUp) {
  auto context = NewContext();
  v1::SpawnRequest request = SpawnRequestOf({"/bin/true"});
  request.set_until(v1::WaitRequest::UNTIL_EXITED);
  v1::SpawnResponse response;
  grpc::Status status;
  std::thread call([&] { status = processes_->Spawn(context.get(), request, &response); });
  AwaitStart();
  context->TryCancel();
  call.join();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::CANCELLED);
  AwaitCalls(0);
  agent_.OnLoop([&] { agent_.shims().Exited(agent_.shims().starts()[0].id, 0); });
  request.set_until(static_cast<v1::WaitRequest::Until>(9));
  status = processes_->Spawn(NewContext().get(), request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), "unknown Until 9");
}

TEST_F(ProcessServiceTest, ADeadlineEndsEveryMethodThatWaits) {
  std::string id = SpawnNamed("web");
  auto soon = [] {
    auto context = std::make_unique<grpc::ClientContext>();
    context->set_deadline(absl::ToChronoTime(absl::Now() + absl::Milliseconds(50)));
    return context;
  };
  v1::WaitRequest wait;
  *wait.mutable_selector() = Named("web");
  v1::WaitResponse waited;
  EXPECT_EQ(processes_->Wait(soon().get(), wait, &waited).error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);
  v1::TerminateRequest terminate;
  terminate.set_request_id(NewRequestId());
  *terminate.mutable_selector() = Named("web");
  v1::TerminateResponse terminated;
  EXPECT_EQ(processes_->Terminate(soon().get(), terminate, &terminated).error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);
  v1::SpawnRequest spawn = SpawnRequestOf({"/bin/true"});
  v1::SpawnResponse spawned;
  EXPECT_EQ(processes_->Spawn(soon().get(), spawn, &spawned).error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);
  v1::WatchRequest watch;
  auto watch_context = soon();
  auto watched = processes_->Watch(watch_context.get(), watch);
  v1::WatchResponse event;
  while (watched->Read(&event)) continue;
  EXPECT_EQ(watched->Finish().error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  AwaitCalls(0);
}

TEST_F(ProcessServiceTest, TerminateAnswersWhenTheTreeIsEmpty) {
  std::string id = SpawnNamed("web");
  v1::TerminateRequest request;
  request.set_request_id(NewRequestId());
  *request.mutable_selector() = Named(id);
  v1::TerminateResponse response;
  std::thread call(
      [&] { EXPECT_TRUE(processes_->Terminate(NewContext().get(), request, &response).ok()); });
  for (bool told = false; !told; std::this_thread::yield()) {
    agent_.OnLoop([&] { told = agent_.shims().SlotOf(id).agent.terminate_serial != 0; });
  }
  agent_.OnLoop([&] {
    agent_.shims().BeginEnd(id);
    agent_.shims().Signaled(id, 15);
    agent_.shims().OutputComplete(id);
    agent_.shims().Empty(id);
    agent_.shims().Final(id);
  });
  call.join();
  ASSERT_EQ(response.results_size(), 1);
  EXPECT_FALSE(response.results(0).has_error());
  EXPECT_EQ(response.results(0).process().exit().signal(), 15);
  EXPECT_TRUE(response.results(0).process().tree_empty());
}

TEST_F(ProcessServiceTest, ARepeatedSignalIsNotSentAgainAndEachAnswerTellsTheTime) {
  const std::string id = SpawnNamed("web");
  v1::SignalRequest request;
  request.set_request_id(NewRequestId());
  *request.mutable_selector() = Named(id);
  request.set_signal(1);
  for (int i = 0; i < 2; ++i) {
    v1::SignalResponse response;
    auto context = NewContext();
    ASSERT_TRUE(processes_->Signal(context.get(), request, &response).ok());
    ASSERT_EQ(response.results_size(), 1);
    EXPECT_FALSE(response.results(0).has_error());
    EXPECT_EQ(context->GetServerTrailingMetadata().count(v1::kAgentTimeMetadata), 1u);
  }
  agent_.OnLoop([&] { EXPECT_EQ(agent_.shims().signals().size(), 1u); });
  request.set_signal(2);
  v1::SignalResponse response;
  auto context = NewContext();
  EXPECT_EQ(processes_->Signal(context.get(), request, &response).error_code(),
            grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_EQ(context->GetServerTrailingMetadata().count(v1::kAgentTimeMetadata), 1u);
}

TEST_F(ProcessServiceTest, ARepeatedDeleteIsAnsweredWithTheIdOfWhatIsGone) {
  const std::string id = SpawnNamed("web");
  agent_.OnLoop([&] { agent_.shims().End(id, 0); });
  v1::DeleteRequest request;
  request.set_request_id(NewRequestId());
  *request.mutable_selector() = Named(id);
  for (int i = 0; i < 2; ++i) {
    v1::DeleteResponse response;
    ASSERT_TRUE(processes_->Delete(NewContext().get(), request, &response).ok());
    ASSERT_EQ(response.results_size(), 1);
    EXPECT_EQ(response.results(0).process().id(), id);
    EXPECT_FALSE(response.results(0).has_error());
  }
}

TEST_F(ProcessServiceTest, ListIsPagedInTheOrderOfIds) {
  for (int i = 0; i < 5; ++i) SpawnNamed("p" + std::to_string(i));
  v1::ListRequest request;
  request.set_page_size(2);
  std::vector<std::string> ids;
  do {
    v1::ListResponse page;
    ASSERT_TRUE(processes_->List(NewContext().get(), request, &page).ok());
    EXPECT_LE(page.processes_size(), 2);
    for (const v1::Process& process : page.processes()) ids.push_back(process.id());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_EQ(ids.size(), 5u);
  EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
  request.set_page_token("../x");
  v1::ListResponse page;
  grpc::Status status = processes_->List(NewContext().get(), request, &page);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), "bad page_token");
}

TEST_F(ProcessServiceTest, ABatchOfRanksAnswersForEach) {
  v1::SpawnBatchRequest request;
  request.set_request_id(NewRequestId());
  request.add_specs()->add_argv("/bin/true");
  request.mutable_specs(0)->set_name("job");
  request.mutable_ranks()->set_count(3);
  request.mutable_ranks()->set_world_size(3);
  v1::SpawnBatchResponse response;
  std::thread call(
      [&] { EXPECT_TRUE(processes_->SpawnBatch(NewContext().get(), request, &response).ok()); });
  while (starts_ < 3) AwaitStart();
  call.join();
  ASSERT_EQ(response.results_size(), 3);
  EXPECT_EQ(response.results(2).process().name(), "job.2");
  EXPECT_EQ(response.results(2).process().rank(), 2);
}

TEST_F(ProcessServiceTest, ASessionOwnsEndsAndForgets) {
  v1::OpenRequest open;
  open.set_request_id(NewRequestId());
  v1::OpenResponse opened;
  ASSERT_TRUE(sessions_->Open(NewContext().get(), open, &opened).ok());
  EXPECT_EQ(opened.agent_id(), agent_.edge().agent_id);
  v1::KeepAliveRequest keep;
  keep.set_session_id(opened.session().id());
  v1::KeepAliveResponse kept;
  EXPECT_FALSE(sessions_->KeepAlive(NewContext().get(), keep, &kept).ok()) << "without the token";
  keep.set_token(opened.token());
  EXPECT_TRUE(sessions_->KeepAlive(NewContext().get(), keep, &kept).ok());
  EXPECT_EQ(kept.ttl().seconds(), 15);
  v1::CloseRequest close;
  close.set_session_id(opened.session().id());
  close.set_token(opened.token());
  v1::CloseResponse closed;
  EXPECT_TRUE(sessions_->Close(NewContext().get(), close, &closed).ok());
}

TEST_F(ProcessServiceTest, ADrainEndsWhatWaitsWithUnavailable) {
  SpawnNamed("web");
  AwaitCalls(0);
  v1::WaitRequest request;
  *request.mutable_selector() = Named("web");
  v1::WaitResponse response;
  grpc::Status waited, watched;
  std::thread wait([&] { waited = processes_->Wait(NewContext().get(), request, &response); });
  std::thread watch([&] {
    auto context = NewContext();
    auto stream = processes_->Watch(context.get(), v1::WatchRequest());
    v1::WatchResponse event;
    while (stream->Read(&event)) continue;
    watched = stream->Finish();
  });
  AwaitCalls(2);
  agent_.Drain();
  wait.join();
  watch.join();
  EXPECT_EQ(waited.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(watched.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(agent_.calls().count(), 0u);
}

}  // namespace
}  // namespace shoal::agent
