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
#include "tests/rpc/client/function_fixture.h"

namespace shoal {

absl::StatusOr<std::string> Square(const std::string& number) { return number; }
SHOAL_REGISTER_FUNCTION(Square);

namespace {

using ::testing::Contains;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr int kDeadlineMilliseconds = 60'000;

absl::StatusOr<v1::Survivor> Find(const v1::Survivor& survivor) { return survivor; }
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

TEST_F(FunctionProcess, AResultThatIsTakenIsAskedForOnce) {
  Process process(Square, "12", options_);
  ASSERT_TRUE(process.Start().ok());
  Return(process, std::string(1000, 'r'));
  EXPECT_EQ(process.Join().value(), true);
  EXPECT_EQ(process.Result().value(), std::string(1000, 'r'));
  EXPECT_EQ(std::move(process).Result().value(), std::string(1000, 'r'));
  // NOLINTNEXTLINE(bugprone-use-after-move): its result alone was taken.
  EXPECT_EQ(process.Result().status(),
            absl::FailedPreconditionError(
                absl::StrCat("no result of ", process.name(), ": it was taken before")));
  EXPECT_TRUE(process.Wait().ok());
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
