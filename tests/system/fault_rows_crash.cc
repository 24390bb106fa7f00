// Rows about crashes and restarts, and about leases.
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "common/ids.h"
#include "tests/system/fault_table.h"

namespace shoal::testing {
namespace {

namespace fs = std::filesystem;

using grpc::StatusCode;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

void ShimStopped(FaultTest& test) {
  ASSERT_TRUE(test.Spawn(SpecOf({ChildPath(), "sleep"}, "x")).ok());
  const pid_t pid = test.stub().Get("x").pid();
  std::vector<pid_t> shims = ChildrenOf(test.agent().pid());
  std::erase_if(shims, [pid](pid_t shim) { return ChildrenOf(shim) != std::vector<pid_t>{pid}; });
  ASSERT_THAT(shims, SizeIs(1));
  kill(shims[0], SIGSTOP);
  kill(pid, SIGUSR1);
  WaitUntil("it is a zombie", [&] { return ProcessState(pid) == 'Z'; });
  EXPECT_EQ(test.stub().Get("x").state(), v1::STATE_RUNNING) << "no exit is guessed";
  kill(shims[0], SIGCONT);
  EXPECT_EQ(test.stub().Wait("x", v1::WaitRequest::UNTIL_EMPTY).exit().signal(), SIGUSR1);
}

void KilledWhileExitsArrive(FaultTest& test) {
  constexpr int kCount = 150;
  for (int round = 0; round < 3; ++round) {
    v1::SpawnBatchRequest request;
    request.set_request_id(NewRequestId());
    *request.add_specs() = SpecOf({"sh", "-c", "sleep 0.1; exit $((SHOAL_RANK % 200))"});
    request.mutable_ranks()->set_count(kCount);
    request.mutable_ranks()->set_world_size(kCount);
    v1::SpawnBatchResponse response;
    CallContext context;
    ASSERT_TRUE(test.stub().processes().SpawnBatch(&context, request, &response).ok());
    test.stub().Wait(response.results(0).process().id(), v1::WaitRequest::UNTIL_EXITED);
    test.agent().Kill();
    ASSERT_TRUE(test.agent().Start());
    for (const v1::Process& process : test.stub().WaitAll(v1::WaitRequest::UNTIL_EMPTY)) {
      EXPECT_EQ(process.exit().outcome_case(), v1::ExitStatus::kCode) << process.ShortDebugString();
      EXPECT_EQ(process.exit().code(), process.rank() % 200);
    }
  }
}

// Cuts the database and its log to half.
void TruncatedDatabase(FaultTest& test) {
  ASSERT_TRUE(test.Spawn(SpecOf({ChildPath(), "sleep"}, "x")).ok());
  test.stub().TerminateAll();
  test.agent().Stop();
  const std::string path = test.agent().state_dir() + "/shoal.db";
  fs::resize_file(path, fs::file_size(path) / 2 + 100);
  const CommandResult result = test.agent().StartRefused();
  EXPECT_NE(result.exit_code, 0);
  EXPECT_THAT(result.err, HasSubstr("shoal.db"));
}

void GarbageDatabase(FaultTest& test) {
  mkdir(test.Scratch("ant").c_str(), 0700);
  mkdir(test.Scratch("ant/state").c_str(), 0700);
  test.WriteFile(test.Scratch("ant/state/shoal.db"), std::string(8192, 'g'));
  const CommandResult result = test.AddAgent("ant").StartRefused();
  EXPECT_NE(result.exit_code, 0);
  EXPECT_THAT(result.err, HasSubstr("shoal.db"));
  EXPECT_EQ(test.ReadFile(test.Scratch("ant/state/shoal.db")), std::string(8192, 'g'));
}

// Turns over one bit of the shim half of `id` in the record file.
void DamageRecord(FaultTest& test, const std::string& id) {
  const std::string path = test.agent().run_dir() + "/records";
  const std::string bytes = test.ReadFile(path);
  size_t at = bytes.find(id);         // in the agent half
  at = bytes.find(id, at + 1) + 100;  // in the shim half, behind the id
  ASSERT_LT(at, bytes.size());
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(at));
  file.put(static_cast<char>(bytes[at] ^ 4));
}

void DamagedRecord(FaultTest& test) {
  v1::Process damaged;
  ASSERT_TRUE(test.Spawn(SpecOf({ChildPath(), "sleep"}, "damaged"), &damaged).ok());
  ASSERT_TRUE(test.Spawn(SpecOf({ChildPath(), "sleep"}, "other")).ok());
  const std::vector<pid_t> shims = ChildrenOf(test.agent().pid());
  test.agent().Kill();
  for (pid_t shim : shims) {
    if (ChildrenOf(shim) == std::vector<pid_t>{damaged.pid()}) kill(shim, SIGKILL);
  }
  DamageRecord(test, damaged.id());
  ASSERT_TRUE(test.agent().Start());
  const v1::Process after = test.stub().Wait("damaged", v1::WaitRequest::UNTIL_EXITED);
  EXPECT_EQ(after.exit().outcome_case(), v1::ExitStatus::kUnknown) << after.ShortDebugString();
  EXPECT_EQ(test.stub().Get("other").state(), v1::STATE_RUNNING);
}

void StateDirectoryDeleted(FaultTest& test) {
  ASSERT_TRUE(test.Spawn(SpecOf({ChildPath(), "sleep"}, "x")).ok());
  fs::remove_all(test.agent().state_dir());
  EXPECT_EQ(test.stub().Get("x").state(), v1::STATE_RUNNING);
  test.stub().TerminateAll();
  EXPECT_TRUE(test.stub().Get("x").tree_empty());
  test.Spawn(SpecOf({"true"})).ok();  // whatever it answers, it lives
  EXPECT_TRUE(test.agent().IsRunning());
}

v1::SpawnRequest InSession(const v1::OpenResponse& session, const v1::ProcessSpec& detached) {
  v1::SpawnRequest request;
  request.set_request_id(NewRequestId());
  *request.mutable_spec() = detached;
  request.mutable_spec()->set_lifetime(v1::LIFETIME_SESSION);
  request.set_session_id(session.session().id());
  return request;
}

grpc::Status KeepAlive(FaultTest& test, const v1::OpenResponse& session, const std::string& token) {
  v1::KeepAliveRequest request;
  request.set_session_id(session.session().id());
  request.set_token(token);
  v1::KeepAliveResponse response;
  CallContext context;
  return test.stub().sessions().KeepAlive(&context, request, &response);
}

void LapsedSession(FaultTest& test) {
  const v1::OpenResponse session = test.OpenSession(1000);
  v1::SpawnResponse response;
  ASSERT_TRUE(test.stub()
                  .TrySpawn(InSession(session, SpecOf({ChildPath(), "sleep"}, "x")), &response)
                  .ok());
  EXPECT_TRUE(KeepAlive(test, session, session.token()).ok());
  ExpectStatus(KeepAlive(test, session, "wrong"), StatusCode::PERMISSION_DENIED, {});
  const v1::Process ended = test.stub().Wait(response.process().id(), v1::WaitRequest::UNTIL_EMPTY);
  EXPECT_EQ(ended.exit().cause(), v1::CAUSE_SESSION_EXPIRED);
  ExpectStatus(KeepAlive(test, session, session.token()), StatusCode::NOT_FOUND, {"session"});
  const grpc::Status late =
      test.stub().TrySpawn(InSession(session, SpecOf({"true"}, "late")), &response);
  EXPECT_FALSE(late.ok());
  EXPECT_THAT(test.stub().List(), SizeIs(1));
}

void AgentPaused(FaultTest& test) {
  const v1::OpenResponse session = test.OpenSession(1000);
  v1::SpawnResponse response;
  ASSERT_TRUE(test.stub()
                  .TrySpawn(InSession(session, SpecOf({ChildPath(), "sleep"}, "x")), &response)
                  .ok());
  test.agent().Signal(SIGSTOP);
  // Longer than the TTL, which is what is tested.
  EXPECT_EQ(RunProgram({"/bin/sleep", "2"}, test.UserOptions()).exit_code, 0);
  test.agent().Signal(SIGCONT);
  const grpc::Status renewed = KeepAlive(test, session, session.token());
  EXPECT_TRUE(renewed.ok()) << Describe(renewed);
  EXPECT_EQ(test.stub().Get(response.process().id()).state(), v1::STATE_RUNNING);
}

void RestartRenews(FaultTest& test) {
  const v1::OpenResponse session = test.OpenSession(1000);
  v1::SpawnResponse response;
  ASSERT_TRUE(test.stub()
                  .TrySpawn(InSession(session, SpecOf({ChildPath(), "sleep"}, "x")), &response)
                  .ok());
  test.agent().Kill();
  EXPECT_EQ(RunProgram({"/bin/sleep", "2"}, test.UserOptions()).exit_code, 0);
  ASSERT_TRUE(test.agent().Start());
  const grpc::Status renewed = KeepAlive(test, session, session.token());
  EXPECT_TRUE(renewed.ok()) << Describe(renewed);
}

void ManySessionsLapse(FaultTest& test) {
  constexpr int kSessions = 60;
  for (int i = 0; i < kSessions; ++i) {
    v1::SpawnResponse response;
    const v1::OpenResponse session = test.OpenSession(1000);
    const auto request = InSession(session, SpecOf({ChildPath(), "sleep"}, absl::StrCat("x", i)));
    EXPECT_TRUE(test.stub().TrySpawn(request, &response).ok());
  }
  for (const v1::Process& process : test.stub().WaitAll(v1::WaitRequest::UNTIL_EMPTY)) {
    EXPECT_EQ(process.exit().cause(), v1::CAUSE_SESSION_EXPIRED);
  }
}

void CloseEndsAndForgets(FaultTest& test) {
  const v1::OpenResponse session = test.OpenSession(60'000);
  v1::SpawnResponse spawned;
  ASSERT_TRUE(
      test.stub().TrySpawn(InSession(session, SpecOf({ChildPath(), "sleep"}, "x")), &spawned).ok());
  v1::CloseRequest request;
  request.set_session_id(session.session().id());
  request.set_token(session.token());
  request.set_forget(true);
  for (int i = 0; i < 2; ++i) {
    v1::CloseResponse response;
    CallContext context;
    const grpc::Status status = test.stub().sessions().Close(&context, request, &response);
    EXPECT_TRUE(status.ok()) << Describe(status);
    EXPECT_EQ(response.terminated(), i == 0 ? 1 : 0);
    EXPECT_THAT(response.survivor_ids(), IsEmpty());
  }
  EXPECT_THAT(test.stub().List(), IsEmpty());
}

void OldRequestId(FaultTest& test) {
  const int64_t two_days_ago = absl::ToUnixMillis(absl::Now() - absl::Hours(48));
  v1::SpawnRequest request;
  request.set_request_id(absl::StrFormat("%08x-%04x-7000-8000-000000000000", two_days_ago >> 16,
                                         two_days_ago & 0xffff));
  *request.mutable_spec() = SpecOf({"true"});
  v1::SpawnResponse response;
  ExpectStatus(test.stub().TrySpawn(request, &response), StatusCode::FAILED_PRECONDITION,
               {"request_id too old"});
}

void DeletedThenRetried(FaultTest& test) {
  v1::SpawnRequest request;
  request.set_request_id(NewRequestId());
  *request.mutable_spec() = SpecOf({"true"}, "x");
  v1::SpawnResponse response;
  ASSERT_TRUE(test.stub().TrySpawn(request, &response).ok());
  test.stub().Wait("x", v1::WaitRequest::UNTIL_EMPTY);
  EXPECT_EQ(test.Shoal({"rm", "x"}).exit_code, 0);
  EXPECT_FALSE(test.stub().TrySpawn(request, &response).ok());
  EXPECT_THAT(test.stub().List(), IsEmpty());
}

void AnotherAgent(FaultTest& test) {
  v1::SpawnRequest request;
  request.set_request_id(NewRequestId());
  *request.mutable_spec() = SpecOf({"true"});
  v1::SpawnResponse response;
  request.set_agent_id("AAAAAAAAAAAAAAAA");
  ExpectStatus(test.stub().TrySpawn(request, &response), StatusCode::ABORTED, {"agent"});
  request.clear_agent_id();
  request.set_boot_id("00000000-0000-0000-0000-000000000000");
  ExpectStatus(test.stub().TrySpawn(request, &response), StatusCode::ABORTED, {"boot"});
  EXPECT_THAT(test.stub().List(), IsEmpty());
}

}  // namespace

std::vector<FaultRow> CrashRows() {
  return {
      {100, "KilledWhileExitsArriveNoneIsLost", KilledWhileExitsArrive},
      {107, "AStoppedShimDelaysTheExitOnly", ShimStopped},
      {111, "ATruncatedDatabaseIsNamed", TruncatedDatabase},
      {111, "AFileThatIsNoDatabaseIsNamedAndKept", GarbageDatabase, false},
      {112, "ADamagedRecordCostsItsProcessOnly", DamagedRecord},
      {113, "AStateDirectoryDeletedDoesNotEndTheAgent", StateDirectoryDeleted},
  };
}

std::vector<FaultRow> LeaseRows() {
  return {
      {121, "AnAgentPausedLongerThanTheTtlEndsNothing", AgentPaused},
      {121, "ARestartRenewsEverySession", RestartRenews},
      {124, "ALapsedSessionSaysSo", LapsedSession},
      {126, "ClosingASessionEndsAndForgets", CloseEndsAndForgets},
      {127, "ManySessionsMayLapseTogether", ManySessionsLapse},
      {128, "ARequestIdThatIsTooOldIsRefused", OldRequestId},
      {128, "ADeletedProcessIsNotRunAgain", DeletedThenRetried},
      {130, "ARequestForAnotherAgentOrBootIsAborted", AnotherAgent},
  };
}

}  // namespace shoal::testing
