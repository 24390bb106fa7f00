// Functions and subclasses as processes, against an agent whose processes are played by the test.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <google/protobuf/descriptor.pb.h>
#include <gtest/gtest.h>
#include <malloc.h>
#include <poll.h>
#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "shoal/child/function_call.h"
#include "shoal/init.h"
#include "shoal/process.h"
#include "shoal/process/child_process.h"
#include "shoal/process/program.h"
#include "shoal/process_info.h"
#include "shoal/registry.h"
#include "shoal/v1/process.pb.h"
#include "tests/support/fake_agent.h"

namespace shoal {
namespace {

using ::shoal::testing::FakeAgent;
using ::testing::Contains;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr int kDeadlineMilliseconds = 60'000;

absl::StatusOr<std::string> Square(const std::string& number) { return number; }
absl::StatusOr<v1::Survivor> Find(const v1::Survivor& survivor) { return survivor; }
SHOAL_REGISTER_FUNCTION(Square);
absl::Status TakePart(const google::protobuf::UninterpretedOption::NamePart&) {
  return absl::OkStatus();
}
SHOAL_REGISTER_FUNCTION(Find);
SHOAL_REGISTER_FUNCTION(TakePart);

class Simulate : public Process {
 public:
  using Process::Process;
  absl::Status Run() override { return absl::OkStatus(); }
};
SHOAL_REGISTER_PROCESS(Simulate);

// Never destroyed: the session of this program on it is closed when the program ends, and then its
// files go.
FakeAgent& Agent() {
  static FakeAgent* const agent = [] {
    std::atexit([] { Agent().RemoveFiles(); });
    return new FakeAgent("b");
  }();
  return *agent;
}

class FunctionProcess : public ::testing::Test {
 protected:
  FunctionProcess() {
    int argc = 0;
    char** argv = nullptr;
    Init(&argc, &argv);
    options_.host = Host();
  }

  static const std::shared_ptr<::shoal::Host>& Host() {
    static auto* const host = new std::shared_ptr<::shoal::Host>(
        *::shoal::Host::Create(UnixAddress(Agent().socket_path())));
    return *host;
  }

  // What the child would do.
  static void Return(const Process& process, const absl::StatusOr<std::string>& result) {
    Agent().Write(process.Id(), v1::STREAM_KIND_RESULT, internal::SerializeResult(result));
    Agent().Exit(process.Id(), result.ok() ? 0 : 1);
  }

  static absl::Status NoResult(const Process& process, const std::string& how) {
    return absl::FailedPreconditionError(
        absl::StrCat("no result of ", process.name(), ": it ", how, " before there was one"));
  }

  static v1::ProcessSpec Spec(const Process& process) { return process.info().spec(); }

  ProcessOptions options_;
};

TEST_F(FunctionProcess, RunsThisProgramWithTheNameOfTheFunctionAndItsArgument) {
  Process process(Square, "12", options_);
  ASSERT_TRUE(process.Start().ok());
  v1::ProcessSpec spec = Spec(process);
  EXPECT_THAT(spec.argv(0), EndsWith("/client_rpc_test"));
  EXPECT_EQ(spec.argv(1), "Square");
  EXPECT_THAT(spec.env(), Contains("SHOAL_FUNCTION=Square"));
  EXPECT_THAT(spec.env(), Contains("SHOAL_ARGUMENT=MTI="));
  EXPECT_THAT(spec.env(), Contains(StartsWith("SHOAL_PARENT=MainProcess ")));
  EXPECT_THAT(spec.env(), Not(Contains("SHOAL_DAEMON=1")));
  EXPECT_TRUE(spec.output().result());
  EXPECT_EQ(spec.start_method(), v1::START_METHOD_SPAWN);
  EXPECT_THAT(process.name(), StartsWith("Process-"));
  EXPECT_EQ(spec.name(), process.name());
  Return(process, "144");
  EXPECT_EQ(*process.Join(), true);
  EXPECT_EQ(*process.Result(), "144");
  EXPECT_EQ(process.ExitCode(), 0);
}

TEST_F(FunctionProcess, MessagesGoThereAndBack) {
  v1::Survivor survivor;
  survivor.set_pid(7);
  Process process(Find, survivor, options_);
  ASSERT_TRUE(process.Start().ok());
  Return(process, survivor.SerializeAsString());
  EXPECT_EQ(*process.Join(), true);
  EXPECT_EQ(process.Result<v1::Survivor>()->pid(), 7);
}

TEST_F(FunctionProcess, AResultInManyFramesIsOne) {
  Agent().SetFrameBytes(1000);
  Process process(Square, "x", options_);
  ASSERT_TRUE(process.Start().ok());
  std::string large(300'000, 'r');
  Return(process, large);
  EXPECT_EQ(*process.Join(), true);
  EXPECT_EQ(*process.Result(), large);
  Agent().SetFrameBytes(64 << 10);
}

TEST_F(FunctionProcess, JoinReturnsTheErrorOfTheFunctionEachTime) {
  Process process(Square, "x", options_);
  ASSERT_TRUE(process.Start().ok());
  Return(process, absl::OutOfRangeError("x is no number"));
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(process.Join().status(), absl::OutOfRangeError("x is no number"));
  }
  EXPECT_EQ(process.Result().status(), absl::OutOfRangeError("x is no number"));
  EXPECT_EQ(process.ExitCode(), 1);
}

TEST_F(FunctionProcess, OneThatIsKilledHasAnExitCodeAndNoResultWhichIsAnError) {
  Process process(Square, "x", options_);
  ASSERT_TRUE(process.Start().ok());
  EXPECT_EQ(process.Result().status(),
            absl::FailedPreconditionError(
                absl::StrCat("no result of ", process.name(), ": it was not joined")));
  ASSERT_TRUE(process.Kill().ok());
  const absl::Status how = NoResult(process, "ended by SIGKILL on request");
  EXPECT_EQ(process.Join().status(), how);
  EXPECT_EQ(process.ExitCode(), -9);
  EXPECT_EQ(process.Result().status(), how);
}

TEST_F(FunctionProcess, OneThatExitsWith0AndWithoutAResultIsNoSuccess) {
  Process process(Square, "x", options_);
  ASSERT_TRUE(process.Start().ok());
  Agent().Exit(process.Id(), 0);
  const absl::Status how = NoResult(process, "exited with code 0");
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(process.Join().status(), how);
    EXPECT_EQ(process.Result().status(), how);
  }
  EXPECT_EQ(process.ExitCode(), 0);
}

TEST_F(FunctionProcess, OneWhoseResultIsLostWithItsShimIsNoSuccess) {
  Process process(Square, "x", options_);
  ASSERT_TRUE(process.Start().ok());
  Agent().ExitTruncated(process.Id(), 0);
  EXPECT_EQ(process.Join().status(), NoResult(process, "exited with code 0"));
}

TEST_F(FunctionProcess, OneThatWasForgottenIsNoSuccess) {
  Process process(Square, "x", options_);
  ASSERT_TRUE(process.Start().ok());
  Agent().Delete(process.Id());
  EXPECT_FALSE(process.Join().ok());
  EXPECT_FALSE(process.Result().ok());
}

TEST_F(FunctionProcess, TheEndOfTheProgramMissesNoResultOfWhatItHasEnded) {
  auto started = [&](int number) {
    auto child = std::make_shared<internal::ChildProcess>(options_, number);
    EXPECT_TRUE(child->Start({"Square", "x"}, absl::StrCat("daemon-", number)).ok());
    return child;
  };
  auto ended = started(1), aborted = started(2);
  EXPECT_TRUE(ended->EndAtEnd().ok());
  EXPECT_TRUE(ended->JoinAtEnd().ok());
  Agent().Exit(aborted->Info().id(), 0);
  EXPECT_FALSE(aborted->JoinAtEnd().ok());
}

TEST_F(FunctionProcess, AnArgumentThatCannotBeSerializedStartsNothing) {
  int spawned = Agent().Calls("Spawn");
  Process process(TakePart, google::protobuf::UninterpretedOption::NamePart(), options_);
  absl::Status started = process.Start();
  EXPECT_TRUE(absl::IsInvalidArgument(started)) << started;
  EXPECT_THAT(std::string(started.message()), StartsWith("cannot start Process-"));
  EXPECT_THAT(std::string(started.message()), HasSubstr("lacks what it requires"));
  EXPECT_EQ(Agent().Calls("Spawn"), spawned);
}

TEST_F(FunctionProcess, AResultThatWasCutOffIsDataLoss) {
  Process process(Square, "x", options_);
  ASSERT_TRUE(process.Start().ok());
  std::string bytes = internal::SerializeResult(std::string("144"));
  Agent().Write(process.Id(), v1::STREAM_KIND_RESULT, bytes.substr(0, bytes.size() - 1));
  Agent().Exit(process.Id(), 1);
  EXPECT_TRUE(absl::IsDataLoss(process.Join().status()));
}

TEST_F(FunctionProcess, AResultThatIsNoLongerKeptIsDataLoss) {
  Process process(Square, "x", options_);
  ASSERT_TRUE(process.Start().ok());
  Agent().WriteAndDrop(process.Id(), v1::STREAM_KIND_RESULT, 7);
  Agent().Exit(process.Id(), 0);
  EXPECT_EQ(process.Join().status(),
            absl::DataLossError("its result: the bytes from 0 to 7 are no longer kept"));
}

TEST_F(FunctionProcess, ItsOutputBecomesOursInWholeLinesBeforeJoinReturns) {
  Process process(Square, "x", options_);
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  ASSERT_TRUE(process.Start().ok());
  Agent().Write(process.Id(), v1::STREAM_KIND_STDOUT, "one\ntw");
  Agent().Write(process.Id(), v1::STREAM_KIND_STDERR, "oops");
  Agent().Write(process.Id(), v1::STREAM_KIND_STDOUT, "o\nno newline");
  Return(process, "");
  EXPECT_EQ(*process.Join(), true);
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "one\ntwo\nno newline");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "oops");
}

TEST_F(FunctionProcess, WhatIsMissingInItsOutputIsToldOnOurStderr) {
  options_.name = "lossy";
  Process process(Square, "x", options_);
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  ASSERT_TRUE(process.Start().ok());
  Agent().Write(process.Id(), v1::STREAM_KIND_STDERR, "half a ");
  Agent().WriteAndDrop(process.Id(), v1::STREAM_KIND_STDOUT, 7);
  Agent().Write(process.Id(), v1::STREAM_KIND_STDOUT, "after\n");
  Agent().Write(process.Id(), v1::STREAM_KIND_STDERR, "line\n");
  Agent().Write(process.Id(), v1::STREAM_KIND_RESULT, internal::SerializeResult(std::string()));
  Agent().ExitTruncated(process.Id(), 0);
  EXPECT_EQ(*process.Join(), true);
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "after\n");
  std::string told = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(told, HasSubstr("shoal: lossy: 7 bytes of its stdout were dropped\n"));
  EXPECT_THAT(told, HasSubstr("shoal: lossy: the end of its stderr was lost with its shim\n"));
  EXPECT_THAT(told, HasSubstr("half a line\n"));
}

TEST_F(FunctionProcess, ForwardOutputSaysNo) {
  options_.forward_output = false;
  Process process(Square, "x", options_);
  ::testing::internal::CaptureStdout();
  ASSERT_TRUE(process.Start().ok());
  Agent().Write(process.Id(), v1::STREAM_KIND_STDOUT, "one\n");
  Return(process, "");
  EXPECT_EQ(*process.Join(), true);
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "");
  EXPECT_EQ(*process.ReadOutput(), "one\n");
}

TEST_F(FunctionProcess, OutputThatNobodyWantsIsAcknowledgedAllTheSame) {
  options_.forward_output = false;
  Process process(Square, "x", options_);
  ASSERT_TRUE(process.Start().ok());
  int acknowledgements = Agent().Calls("AcknowledgeOutput");
  Agent().Write(process.Id(), v1::STREAM_KIND_STDOUT, std::string(5 << 20, 'x'));
  Agent().AwaitCalls("AcknowledgeOutput", acknowledgements + 1);
  Return(process, "");
  EXPECT_EQ(*process.Join(), true);
}

TEST_F(FunctionProcess, WhoDoesNotReadOurStdoutStopsOneProcessAndNothingElse) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  int old_stdout = dup(STDOUT_FILENO);
  std::fflush(stdout);
  dup2(ends[1], STDOUT_FILENO);
  close(ends[1]);
  Process loud(Square, "x", options_);
  ASSERT_TRUE(loud.Start().ok());
  std::string line(9'999, 'x');
  for (int i = 0; i < 100; ++i) {
    Agent().Write(loud.Id(), v1::STREAM_KIND_STDOUT, line + "\n");
  }
  options_.forward_output = false;
  Process quiet(Square, "x", options_);
  EXPECT_TRUE(quiet.Start().ok());
  Return(quiet, "done");
  EXPECT_EQ(*quiet.Join(), true);
  EXPECT_EQ(*loud.Join(absl::Milliseconds(1)), false);
  Return(loud, "");

  size_t got = 0;
  std::vector<char> buffer(64 << 10);
  while (got < 100 * (line.size() + 1)) {
    ssize_t bytes = read(ends[0], buffer.data(), buffer.size());
    ASSERT_GT(bytes, 0);
    got += static_cast<size_t>(bytes);
  }
  EXPECT_EQ(*loud.Join(), true);
  dup2(old_stdout, STDOUT_FILENO);
  close(old_stdout);
  close(ends[0]);
}

TEST_F(FunctionProcess, WhatOurStdoutDoesNotTakeIsAnErrorOfJoin) {
  int old_stdout = dup(STDOUT_FILENO);
  std::fflush(stdout);
  int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  ASSERT_GE(dup2(full, STDOUT_FILENO), 0);
  close(full);
  options_.name = "loud";
  Process process(Square, "x", options_);
  ASSERT_TRUE(process.Start().ok());
  Agent().Write(process.Id(), v1::STREAM_KIND_STDOUT, "one\n");
  Return(process, "144");
  absl::StatusOr<bool> joined = process.Join();
  dup2(old_stdout, STDOUT_FILENO);
  close(old_stdout);
  EXPECT_EQ(joined.status(), absl::ResourceExhaustedError(
                                 "output of loud: cannot write stdout: No space left on device"));
  EXPECT_EQ(process.Join().status(), joined.status());
}

TEST_F(FunctionProcess, ThoseThatAreDestroyedWithoutJoinKeepNoMemory) {
  constexpr size_t kResultBytes = size_t{1} << 20;
  constexpr size_t kProcesses = 100;
  options_.forward_output = false;
  auto in_use = [] {
    const struct mallinfo2 memory = mallinfo2();
    return memory.uordblks + memory.hblkhd;
  };
  size_t before = 0;
  for (size_t i = 0; i < kProcesses; ++i) {
    std::string id;
    {
      Process process(Square, "x", options_);
      ASSERT_TRUE(process.Start().ok());
      id = process.Id();
      pollfd sentinel = {process.Sentinel().value_or(-1), POLLIN, 0};
      Return(process, std::string(kResultBytes, 'r'));
      ASSERT_EQ(poll(&sentinel, 1, kDeadlineMilliseconds), 1);
    }
    Agent().Delete(id);  // what the agent has of it is in this process, too
    if (i == 0) before = in_use();
  }
  EXPECT_LT(in_use(), before + 10 * kResultBytes);
  EXPECT_LT(Program::Get().Children().size(), kProcesses);
}

TEST_F(FunctionProcess, ItsSentinelIsReadableOnceItHasEnded) {
  Process process(Square, "x", options_);
  EXPECT_TRUE(absl::IsFailedPrecondition(process.Sentinel().status()));
  ASSERT_TRUE(process.Start().ok());
  absl::StatusOr<int> fd = process.Sentinel();
  ASSERT_TRUE(fd.ok()) << fd.status();
  pollfd sentinel = {*fd, POLLIN, 0};
  EXPECT_EQ(poll(&sentinel, 1, 0), 0);
  EXPECT_EQ(*process.Sentinel(), *fd);
  Return(process, "");
  EXPECT_EQ(poll(&sentinel, 1, kDeadlineMilliseconds), 1);
  EXPECT_EQ(process.info().state(), v1::STATE_EXITED);  // learned without being asked
  EXPECT_EQ(poll(&sentinel, 1, 0), 1);
}

TEST_F(FunctionProcess, InterruptSendsSigint) {
  Process process(Square, "x", options_);
  ASSERT_TRUE(process.Start().ok());
  EXPECT_TRUE(process.Interrupt().ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(process.Join().status()));
  EXPECT_EQ(process.ExitCode(), -2);
  EXPECT_TRUE(process.Interrupt().ok());
}

TEST_F(FunctionProcess, ASubclassIsCalledByItsName) {
  options_.argument = "mesh";
  options_.daemon = true;
  Simulate process(options_);
  EXPECT_THAT(process.name(), StartsWith("Simulate-"));
  EXPECT_EQ(process.argument(), "mesh");
  ASSERT_TRUE(process.Start().ok());
  EXPECT_THAT(Spec(process).env(), Contains("SHOAL_FUNCTION=Simulate"));
  EXPECT_THAT(Spec(process).env(), Contains("SHOAL_DAEMON=1"));
  EXPECT_TRUE(Spec(process).daemon());
  Return(process, "");
  EXPECT_EQ(*process.Join(), true);
}

TEST_F(FunctionProcess, ContradictionsAreRefusedByName) {
  options_.command = {"true"};
  EXPECT_THAT(std::string(Process(Square, "x", options_).Start().message()),
              StartsWith("command: "));
  options_.command.clear();
  options_.start_method = StartMethod::kFork;
  EXPECT_THAT(std::string(Process(Square, "x", options_).Start().message()),
              StartsWith("fork_of: "));
  options_.start_method = StartMethod::kForkServer;
  options_.fork_of = "loader";
  EXPECT_THAT(std::string(Process(Square, "x", options_).Start().message()),
              StartsWith("fork_of: "));
}

TEST_F(FunctionProcess, StartMethodsAreInTheSpec) {
  options_.start_method = StartMethod::kFork;
  options_.fork_of = "loader";
  options_.fork_wait = absl::InfiniteDuration();
  options_.forbid_children = true;
  Process fork(Square, "x", options_);
  ASSERT_TRUE(fork.Start().ok());
  EXPECT_EQ(Spec(fork).start_method(), v1::START_METHOD_FORK);
  EXPECT_EQ(Spec(fork).fork_of(), "loader");
  EXPECT_EQ(Spec(fork).fork_wait().seconds(), 365 * 24 * 3600);
  EXPECT_TRUE(Spec(fork).forbid_children());
  Return(fork, "");
  EXPECT_EQ(*fork.Join(), true);
}

}  // namespace
}  // namespace shoal
