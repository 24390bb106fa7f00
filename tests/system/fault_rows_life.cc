// Rows about the life of processes and the ways to end it.
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <thread>

#include "absl/strings/str_cat.h"
#include "common/ids.h"
#include "tests/system/fault_table.h"

namespace shoal::testing {
namespace {

using grpc::StatusCode;
using ::testing::Contains;
using ::testing::SizeIs;

v1::TerminateRequest TerminateOf(const std::string& term, int grace_ms) {
  v1::TerminateRequest request;
  request.set_request_id(NewRequestId());
  request.mutable_selector()->add_terms(term);
  request.mutable_grace()->set_seconds(grace_ms / 1000);
  request.mutable_grace()->set_nanos(grace_ms % 1000 * 1'000'000);
  return request;
}

// The one process of the answer, which must be without error.
v1::Process Terminate(FaultTest& test, const v1::TerminateRequest& request) {
  v1::TerminateResponse response;
  CallContext context;
  const grpc::Status status = test.stub().processes().Terminate(&context, request, &response);
  EXPECT_TRUE(status.ok()) << Describe(status);
  EXPECT_EQ(response.results_size(), 1);
  if (response.results_size() != 1) return {};
  EXPECT_EQ(response.results(0).error().code(), 0) << response.results(0).error().message();
  return response.results(0).process();
}

void WaitForOutput(FaultTest& test, const std::string& name, const std::string& text) {
  WaitUntil(absl::StrCat(name, " has printed ", text), [&] {
    return test.stub().Output(name, v1::STREAM_KIND_STDOUT).find(text) != std::string::npos;
  });
}

void TermIgnored(FaultTest& test) {
  ASSERT_TRUE(test.Spawn(SpecOf({ChildPath(), "ignore-term"}, "x")).ok());
  WaitForOutput(test, "x", "ready");
  const v1::Process ended = Terminate(test, TerminateOf("x", 100));
  EXPECT_EQ(ended.exit().signal(), SIGKILL);
  EXPECT_EQ(ended.exit().cause(), v1::CAUSE_TERMINATED);
  EXPECT_THAT(ended.flags(), Contains(v1::FLAG_ESCALATED));
  EXPECT_TRUE(ended.tree_empty());
}

void ManyDaemons(FaultTest& test) {
  const std::string script =
      absl::StrCat("for i in $(seq 40); do ", ChildPath(), " daemon x", getpid(), " & done; wait");
  ASSERT_TRUE(test.Spawn(SpecOf({"sh", "-c", script}, "x")).ok());
  WaitUntil("forty daemons are ready", [&] {
    const std::string out = test.stub().Output("x", v1::STREAM_KIND_STDOUT);
    return std::count(out.begin(), out.end(), '\n') == 40;
  });
  EXPECT_TRUE(Terminate(test, TerminateOf("x", 100)).tree_empty());
  for (pid_t pid : DescendantsWith(absl::StrCat("daemon x", getpid()))) {
    ADD_FAILURE() << DescribeProcess(pid);
  }
}

void StoppedTree(FaultTest& test) {
  ASSERT_TRUE(
      test.Spawn(SpecOf({"sh", "-c", "sleep 1000 & kill -STOP $!; kill -STOP $$"}, "x")).ok());
  const pid_t pid = test.stub().Get("x").pid();
  WaitUntil("it is stopped", [&] { return ProcessState(pid) == 'T'; });
  EXPECT_TRUE(Terminate(test, TerminateOf("x", 100)).tree_empty());
}

void GrandchildHoldsStdout(FaultTest& test) {
  v1::ProcessSpec spec = SpecOf({"sh", "-c", "sleep 1000 & exit 6"}, "x");
  spec.set_descendants(v1::DESCENDANT_POLICY_KEEP);
  ASSERT_TRUE(test.Spawn(spec).ok());
  const v1::Process exited = test.stub().Wait("x", v1::WaitRequest::UNTIL_EXITED);
  EXPECT_EQ(exited.exit().code(), 6);
  EXPECT_FALSE(exited.output_complete());
  EXPECT_FALSE(exited.tree_empty());
  const v1::Process ended = Terminate(test, TerminateOf("x", 100));
  EXPECT_EQ(ended.exit().code(), 6);
  EXPECT_TRUE(ended.output_complete());
}

void DescendantsAreEnded(FaultTest& test) {
  v1::ProcessSpec spec = SpecOf({"sh", "-c", "sleep 1000 > /dev/null & exit 6"}, "x");
  spec.mutable_grace()->set_nanos(100'000'000);
  ASSERT_TRUE(test.Spawn(spec).ok());
  const v1::Process ended = test.stub().Wait("x", v1::WaitRequest::UNTIL_EMPTY);
  EXPECT_EQ(ended.exit().code(), 6);
  EXPECT_EQ(ended.exit().cause(), v1::CAUSE_EXITED);
}

void TerminateWhatHasEnded(FaultTest& test) {
  ASSERT_TRUE(test.Spawn(SpecOf({ChildPath(), "exit", "7"}, "x")).ok());
  test.stub().Wait("x", v1::WaitRequest::UNTIL_EMPTY);
  for (int i = 0; i < 2; ++i) {
    const v1::Process ended = Terminate(test, TerminateOf("x", 100));
    EXPECT_EQ(ended.exit().code(), 7);
    EXPECT_EQ(ended.exit().cause(), v1::CAUSE_EXITED);
  }
}

void ConcurrentTerminates(FaultTest& test) {
  for (int i = 0; i < 20; ++i) {
    const std::string name = absl::StrCat("x", i);
    ASSERT_TRUE(test.Spawn(SpecOf({"sh", "-c", "sleep 0.0$((RANDOM % 10))5; exit 7"}, name)).ok());
    std::set<std::string> ends;
    std::vector<v1::Process> answers(3);
    std::vector<std::thread> callers;
    callers.reserve(answers.size());
    for (v1::Process& answer : answers) {
      callers.emplace_back([&] { answer = Terminate(test, TerminateOf(name, 1000)); });
    }
    for (std::thread& caller : callers) caller.join();
    for (const v1::Process& answer : answers) ends.insert(answer.exit().SerializeAsString());
    EXPECT_THAT(ends, SizeIs(1));
    const v1::ExitStatus exit = answers[0].exit();
    EXPECT_TRUE(exit.code() == 7 || exit.signal() == SIGTERM) << exit.ShortDebugString();
  }
}

grpc::Status Signal(FaultTest& test, int number, v1::SignalResponse* response) {
  v1::SignalRequest request;
  request.set_request_id(NewRequestId());
  request.mutable_selector()->add_terms("x");
  request.set_signal(number);
  CallContext context;
  return test.stub().processes().Signal(&context, request, response);
}

void SignalAfterExit(FaultTest& test) {
  ASSERT_TRUE(test.Spawn(SpecOf({"true"}, "x")).ok());
  test.stub().Wait("x", v1::WaitRequest::UNTIL_EMPTY);
  v1::SignalResponse response;
  ASSERT_TRUE(Signal(test, SIGUSR1, &response).ok());
  ASSERT_EQ(response.results_size(), 1);
  EXPECT_EQ(response.results(0).error().code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(response.results(0).error().message(), ::testing::HasSubstr("exited"));
}

void SignalOutOfRange(FaultTest& test) {
  ASSERT_TRUE(test.Spawn(SpecOf({ChildPath(), "sleep"}, "x")).ok());
  for (int number : {0, 65, -1}) {
    v1::SignalResponse response;
    ExpectStatus(Signal(test, number, &response), StatusCode::INVALID_ARGUMENT, {"signal"});
  }
  v1::SignalResponse response;
  EXPECT_TRUE(Signal(test, SIGKILL, &response).ok());
  EXPECT_EQ(test.stub().Wait("x", v1::WaitRequest::UNTIL_EMPTY).exit().cause(),
            v1::CAUSE_TERMINATED);
}

void EveryExitCode(FaultTest& test) {
  v1::SpawnBatchRequest request;
  request.set_request_id(NewRequestId());
  *request.add_specs() = SpecOf({"sh", "-c", "exit $SHOAL_RANK"}, "x");
  request.mutable_ranks()->set_count(256);
  request.mutable_ranks()->set_world_size(256);
  v1::SpawnBatchResponse response;
  CallContext context;
  ASSERT_TRUE(test.stub().processes().SpawnBatch(&context, request, &response).ok());
  for (const v1::Process& process : test.stub().WaitAll(v1::WaitRequest::UNTIL_EMPTY)) {
    EXPECT_EQ(process.exit().outcome_case(), v1::ExitStatus::kCode);
    EXPECT_EQ(process.exit().code(), process.rank());
  }
}

void EveryDeadlySignal(FaultTest& test) {
  std::set<int> harmless = {SIGCHLD, SIGCONT,  SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU,
                            SIGURG,  SIGWINCH, 32,      33};  // the last two are glibc's own
  for (int number = 1; number <= 64; ++number) {
    if (harmless.contains(number)) continue;
    const std::string name = absl::StrCat("s", number);
    ASSERT_TRUE(test.Spawn(SpecOf({ChildPath(), "crash", absl::StrCat(number)}, name)).ok());
    EXPECT_EQ(test.stub().Wait(name, v1::WaitRequest::UNTIL_EMPTY).exit().signal(), number);
  }
}

void NoExitIsLost(FaultTest& test) {
  constexpr int kCount = 500;
  v1::SpawnBatchRequest request;
  request.set_request_id(NewRequestId());
  *request.add_specs() = SpecOf({"true"}, "x");
  request.mutable_ranks()->set_count(kCount);
  request.mutable_ranks()->set_world_size(kCount);
  v1::SpawnBatchResponse response;
  CallContext context;
  ASSERT_TRUE(test.stub().processes().SpawnBatch(&context, request, &response).ok());
  const std::vector<v1::Process> ended = test.stub().WaitAll(v1::WaitRequest::UNTIL_EMPTY);
  EXPECT_THAT(ended, SizeIs(kCount));
  for (const v1::Process& process : ended) {
    EXPECT_EQ(process.exit().outcome_case(), v1::ExitStatus::kCode) << process.ShortDebugString();
  }
}

void LeaderThatChanges(FaultTest& test) {
  // Another program, another group, another name: still the same process.
  ASSERT_TRUE(test.Spawn(SpecOf({"sh", "-c", "exec setsid -w sleep 1000"}, "x")).ok());
  const v1::Process before = test.stub().Get("x");
  EXPECT_TRUE(Terminate(test, TerminateOf("x", 100)).tree_empty());
  EXPECT_EQ(test.stub().Get("x").id(), before.id());
}

void TimeLimit(FaultTest& test) {
  v1::ProcessSpec spec = SpecOf({ChildPath(), "sleep"}, "x");
  spec.mutable_time_limit()->set_nanos(50'000'000);
  ASSERT_TRUE(test.Spawn(spec).ok());
  EXPECT_EQ(test.stub().Wait("x", v1::WaitRequest::UNTIL_EMPTY).exit().cause(),
            v1::CAUSE_TIME_LIMIT);
}

}  // namespace

std::vector<FaultRow> LifeRows() {
  return {
      {75, "SigtermIgnoredIsEscalated", TermIgnored},
      {78, "FortyDaemonsThatIgnoreSigtermAreEnded", ManyDaemons},
      {79, "AStoppedTreeIsEnded", StoppedTree},
      {83, "AGrandchildThatHoldsStdoutDelaysNoExit", GrandchildHoldsStdout},
      {84, "DescendantsThatOutliveTheMainProcessAreEnded", DescendantsAreEnded},
      {85, "TerminatingWhatHasEndedTellsItsExit", TerminateWhatHasEnded},
      {86, "ConcurrentTerminatesAgreeOnTheTrueExit", ConcurrentTerminates},
      {87, "ASignalAfterTheExitIsNotDelivered", SignalAfterExit},
      {88, "ASignalOutOfRangeIsRefused", SignalOutOfRange},
      {89, "EveryExitCodeIsExact", EveryExitCode},
      {89, "EveryDeadlySignalIsExact", EveryDeadlySignal},
      {90, "NoExitOfFiveHundredIsLost", NoExitIsLost},
      {91, "AProcessThatChangesIsTheSame", LeaderThatChanges},
      {0, "ATimeLimitEndsAProcess", TimeLimit},
  };
}

}  // namespace shoal::testing
