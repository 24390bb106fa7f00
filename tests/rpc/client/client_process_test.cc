#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <cstdlib>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/boot_time.h"
#include "common/notification.h"
#include "shoal/process.h"
#include "shoal/process/child_process.h"
#include "shoal/process/program.h"
#include "tests/support/fake_agent.h"

namespace shoal {
namespace {

using ::shoal::testing::FakeAgent;
using ::testing::HasSubstr;

// Never destroyed: the session of this program on it is closed when the program ends, and then its
// files go.
FakeAgent& Agent() {
  static FakeAgent* const kAgent = [] {
    std::atexit([] { Agent().RemoveFiles(); });
    return new FakeAgent("a");
  }();
  return *kAgent;
}

const std::shared_ptr<Host>& AgentHost() {
  static auto* const kHost =
      new std::shared_ptr<Host>(*Host::Create(UnixAddress(Agent().socket_path())));
  return *kHost;
}

class ProcessTest : public ::testing::Test {
 protected:
  ProcessTest() : agent_(Agent()), host_(AgentHost()) {}

  ProcessOptions Options(std::vector<std::string> command) {
    ProcessOptions options;
    options.command = std::move(command);
    options.name = "web";
    options.host = host_;
    return options;
  }

  FakeAgent& agent_;
  const std::shared_ptr<Host> host_;
};

std::string Refusal(const absl::Status& status) {
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  return std::string(status.message());
}

TEST_F(ProcessTest, IsStartedJoinedAndHasItsExitCode) {
  Process process(Options({"exit:3"}));
  EXPECT_EQ(process.Pid(), 0);
  EXPECT_EQ(process.ExitCode(), std::nullopt);
  ASSERT_TRUE(process.Start().ok());
  EXPECT_EQ(*process.Join(), true);
  EXPECT_GT(process.Pid(), 0);
  EXPECT_EQ(process.Id().size(), 16u);
  EXPECT_EQ(process.name(), "web");
  EXPECT_EQ(process.ExitCode(), 3);
  EXPECT_EQ(*process.IsAlive(), false);
}

TEST_F(ProcessTest, ASignalIsANegativeExitCode) {
  Process process(Options({"signal:9"}));
  ASSERT_TRUE(process.Start().ok());
  EXPECT_EQ(process.ExitCode(), -9);
}

TEST_F(ProcessTest, JoinSaysThatItsTimePassed) {
  Process process(Options({"wait"}));
  ASSERT_TRUE(process.Start().ok());
  EXPECT_EQ(*process.Join(absl::Milliseconds(10)), false);
  EXPECT_EQ(*process.IsAlive(), true);
  EXPECT_EQ(process.ExitCode(), std::nullopt);
  ASSERT_TRUE(process.Terminate().ok());
  EXPECT_EQ(*process.Join(), true);
  EXPECT_EQ(process.ExitCode(), -15);
}

TEST_F(ProcessTest, AFrozenAgentMakesNoJoinMuchLongerThanItsTime) {
  Process process(Options({"wait"}));
  ASSERT_TRUE(process.Start().ok());
  agent_.Freeze();
  const BootTime begin = BootTime::Now();
  EXPECT_TRUE(absl::IsDeadlineExceeded(process.Join(absl::ZeroDuration()).status()));
  EXPECT_TRUE(absl::IsDeadlineExceeded(process.Join(absl::Milliseconds(100)).status()));
  // A second more for each; it was 5.
  EXPECT_LT(BootTime::Now() - begin, absl::Seconds(6));
  agent_.Thaw();
  ASSERT_TRUE(process.Kill().ok());
  EXPECT_EQ(*process.Join(), true);
}

TEST_F(ProcessTest, WhetherItLivesIsNotKnownWhileItsHostDoesNotAnswer) {
  Process process(Options({"wait"}));
  EXPECT_EQ(*process.IsAlive(), false);
  ASSERT_TRUE(process.Start().ok());
  agent_.FailNext("Get", absl::DeadlineExceededError("Deadline Exceeded"));
  const absl::Status unknown = process.IsAlive().status();
  EXPECT_TRUE(absl::IsDeadlineExceeded(unknown)) << unknown;
  EXPECT_EQ(*process.IsAlive(), true);
  ASSERT_TRUE(process.Kill().ok());
  EXPECT_EQ(*process.Join(), true);
  EXPECT_EQ(*process.IsAlive(), false);
  ASSERT_TRUE(process.Close().ok());
  EXPECT_EQ(Refusal(process.IsAlive().status()), "cannot ask for web: it is closed");
}

TEST_F(ProcessTest, AStartIntoASessionThatHasLapsedUnheardIsMadeInANewOne) {
  Process first(Options({"wait"}));
  ASSERT_TRUE(first.Start().ok());
  const std::string former = first.info().session_id();
  agent_.ExpireSession(former);  // renewed in 5 s only
  Process second(Options({"exit:0"}));
  ASSERT_TRUE(second.Start().ok());
  EXPECT_NE(second.info().session_id(), former);
  EXPECT_TRUE(second.Wait().ok());
  EXPECT_EQ(*first.Join(), true);
  EXPECT_EQ(first.info().exit().cause(), v1::CAUSE_SESSION_EXPIRED);
}

TEST_F(ProcessTest, TerminateDoesNotWaitAndKillHelps) {
  Process process(Options({"ignore-term", "wait"}));
  ASSERT_TRUE(process.Start().ok());
  EXPECT_TRUE(process.Terminate().ok());
  EXPECT_EQ(*process.IsAlive(), true);
  EXPECT_TRUE(process.Kill().ok());
  EXPECT_EQ(*process.Join(), true);
  EXPECT_EQ(process.ExitCode(), -9);
  EXPECT_TRUE(process.Terminate().ok());
}

TEST_F(ProcessTest, WhatPythonRaisesIsAFailedPrecondition) {
  Process process(Options({"wait"}));
  for (const auto& [cannot, status] : std::vector<std::pair<const char*, absl::Status>>{
           {"cannot join", process.Join().status()},
           {"cannot wait for", process.Sentinel().status()},
           {"cannot terminate", process.Terminate()},
           {"cannot kill", process.Kill()},
           {"cannot interrupt", process.Interrupt()},
           {"cannot write to", process.input().status()},
           {"cannot read the output of", process.ReadOutput().status()}}) {
    EXPECT_EQ(Refusal(status),
              absl::StrCat(cannot, " web: it was not started; call Start() first"));
  }
  EXPECT_EQ(Refusal(process.Result().status()), "no result of web: it was not started");
  ASSERT_TRUE(process.Start().ok());
  EXPECT_EQ(Refusal(process.Start()), "cannot start web: it was started before");
  EXPECT_EQ(Refusal(process.set_daemon(true)),
            "cannot make a daemon of web: it was started before");
  EXPECT_EQ(Refusal(process.set_name("db")), "cannot rename web: it was started before");
  EXPECT_EQ(Refusal(process.Close()),
            "cannot close web: it still runs; join it, or terminate it, first");
  EXPECT_EQ(Refusal(process.Result().status()), "no result of web: it runs a command");
  EXPECT_EQ(Refusal(process.input().status()),
            "cannot write to web: it was started without ProcessOptions.input");
  ASSERT_TRUE(process.Kill().ok());
  ASSERT_TRUE(process.Join().ok());
  EXPECT_TRUE(process.Close().ok());
  EXPECT_TRUE(process.Close().ok());
  EXPECT_EQ(Refusal(process.Join().status()), "cannot join web: it is closed");
  EXPECT_EQ(Refusal(process.Result().status()), "no result of web: it is closed");
  EXPECT_EQ(Refusal(process.Start()), "cannot start web: it was closed before");
  EXPECT_TRUE(absl::IsNotFound(host_->Get(process.Id()).status()));
}

TEST_F(ProcessTest, ARefusedStartMayBeTriedAgain) {
  Process process(Options({"refuse:exec: No such file or directory"}));
  EXPECT_THAT(Refusal(process.Start()), HasSubstr("No such file"));
  EXPECT_THAT(Refusal(process.Start()), HasSubstr("No such file"));
}

TEST_F(ProcessTest, OutputComesByCallbackBeforeJoinReturns) {
  ProcessOptions options = Options({"out:one", "err:two", "exit:0"});
  std::string out, err;
  options.on_output = [&](v1::StreamKind stream, int64_t, absl::string_view data) {
    (stream == v1::STREAM_KIND_STDOUT ? out : err).append(data.data(), data.size());
  };
  Process process(std::move(options));
  ASSERT_TRUE(process.Start().ok());
  EXPECT_EQ(*process.Join(), true);
  EXPECT_EQ(out, "one");
  EXPECT_EQ(err, "two");
}

TEST_F(ProcessTest, CloseDoesNotTakeTheOutputFromAJoinThatWaitsForIt) {
  Notification may_return;
  ProcessOptions options = Options({"out:one", "wait"});
  options.on_output = [&](v1::StreamKind, int64_t, absl::string_view) {
    may_return.WaitForNotification();
  };
  Process process(std::move(options));
  ASSERT_TRUE(process.Start().ok());
  int waits = agent_.Calls("Wait");
  std::thread joiner([&] { EXPECT_EQ(*process.Join(), true); });
  agent_.AwaitCalls("Wait", waits + 1);
  agent_.Exit(process.Id(), 0);
  EXPECT_TRUE(process.Close().ok());
  may_return.Notify();
  joiner.join();
}

TEST_F(ProcessTest, ItsSentinelIsReadableWhenJoinNeedNotWait) {
  Notification may_return;
  ProcessOptions options = Options({"out:one", "wait"});
  options.on_output = [&](v1::StreamKind, int64_t, absl::string_view) {
    may_return.WaitForNotification();
  };
  Process process(std::move(options));
  ASSERT_TRUE(process.Start().ok());
  pollfd sentinel = {process.Sentinel().value_or(-1), POLLIN, 0};
  agent_.Exit(process.Id(), 0);
  // Its end is heard of by one stream while the other waits for the callback.
  while (!process.info().output_complete()) std::this_thread::yield();
  EXPECT_EQ(poll(&sentinel, 1, 0), 0);
  EXPECT_EQ(*process.Join(absl::ZeroDuration()), false);
  may_return.Notify();
  EXPECT_EQ(poll(&sentinel, 1, 60'000), 1);
  EXPECT_EQ(*process.Join(absl::ZeroDuration()), true);
}

TEST_F(ProcessTest, NobodyIsToldOfOutputOnceTheProcessIsDestroyed) {
  std::string told;
  Notification is_told;
  ProcessOptions options = Options({"out:one", "wait"});
  options.on_output = [&](v1::StreamKind, int64_t, absl::string_view data) {
    told.append(data.data(), data.size());
    if (!is_told.HasBeenNotified()) is_told.Notify();
  };
  auto process = std::make_unique<Process>(std::move(options));
  ASSERT_TRUE(process->Start().ok());
  is_told.WaitForNotification();
  std::string id = process->Id();
  std::shared_ptr<Child> child;
  for (const std::shared_ptr<Child>& known : Program::Get().Children()) {
    if (known->Info().id() == id) child = known;
  }
  ASSERT_NE(child, nullptr);
  process = nullptr;
  agent_.Write(id, v1::STREAM_KIND_STDOUT, "two");
  agent_.Exit(id, 0);
  EXPECT_TRUE(child->JoinAtEnd().ok());
  EXPECT_EQ(told, "one");
}

TEST_F(ProcessTest, JoinReturnsTheErrorThatTheOutputOfACommandEndedWith) {
  ProcessOptions options = Options({"out:one", "exit:0"});
  options.on_output = [](v1::StreamKind, int64_t, absl::string_view) {};
  Process process(std::move(options));
  agent_.FailNext("ReadOutput", absl::DataLossError("the file is gone"));
  ASSERT_TRUE(process.Start().ok());
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(process.Join().status(), absl::DataLossError("the file is gone"));
  }
  EXPECT_EQ(process.ExitCode(), 0);
}

TEST_F(ProcessTest, JoinGivesUpWhenTheHostOfTheLastOutputIsGone) {
  ProcessOptions options = Options({"out:one", "exit:0"});
  options.on_output = [](v1::StreamKind, int64_t, absl::string_view) {};
  auto process = std::make_shared<internal::ChildProcess>(std::move(options), 1, absl::Seconds(2));
  agent_.FailNext("ReadOutput", absl::UnavailableError("gone"), std::numeric_limits<int>::max());
  ASSERT_TRUE(process->Start({}, "web").ok());
  EXPECT_EQ(*process->Join(absl::Milliseconds(1)), false);
  agent_.FailNext("Get", absl::AbortedError("another agent answers"));
  EXPECT_TRUE(absl::IsAborted(process->Join(absl::InfiniteDuration()).status()));
  agent_.FailNext("ReadOutput", absl::OkStatus(), 0);
  EXPECT_EQ(*process->Join(absl::InfiniteDuration()), true);
}

TEST_F(ProcessTest, TwoHundredAreReadByFewStreams) {
  std::vector<std::unique_ptr<Process>> processes;
  std::vector<std::string> outputs(200);
  for (size_t i = 0; i < outputs.size(); ++i) {
    ProcessOptions options = Options({absl::StrCat("out:", i), "wait"});
    options.on_output = [&outputs, i](v1::StreamKind, int64_t, absl::string_view data) {
      outputs[i].append(data.data(), data.size());
    };
    processes.push_back(std::make_unique<Process>(std::move(options)));
    ASSERT_TRUE(processes.back()->Start().ok());
  }
  agent_.AwaitReaders(7 + 7 + 3);
  for (size_t i = 0; i < outputs.size(); ++i) {
    agent_.Write(processes[i]->Id(), v1::STREAM_KIND_STDOUT, "!");
    agent_.Exit(processes[i]->Id(), 0);
    EXPECT_EQ(*processes[i]->Join(), true);
    EXPECT_EQ(outputs[i], absl::StrCat(i, "!"));
  }
}

TEST_F(ProcessTest, OutputCanBeRead) {
  Process process(Options({"out:one", "err:two", "exit:0"}));
  ASSERT_TRUE(process.Start().ok());
  EXPECT_EQ(*process.ReadOutput(), "one");
  EXPECT_EQ(*process.ReadOutput(v1::STREAM_KIND_STDERR), "two");
  EXPECT_EQ(*process.Join(), true);
}

TEST_F(ProcessTest, ProcessesOfOneProgramShareASession) {
  Process one(Options({"wait"})), two(Options({"wait"}));
  ASSERT_TRUE(one.Start().ok());
  ASSERT_TRUE(two.Start().ok());
  EXPECT_EQ(agent_.open_sessions(), 1);
  EXPECT_EQ(one.info().session_id(), two.info().session_id());
  size_t active = ActiveChildren().size();
  ASSERT_TRUE(one.Kill().ok());
  ASSERT_TRUE(one.Join().ok());
  EXPECT_EQ(ActiveChildren().size(), active - 1);
  ASSERT_TRUE(two.Kill().ok());
  ASSERT_TRUE(two.Join().ok());
}

TEST_F(ProcessTest, ActiveChildrenAreThoseThatStillRun) {
  size_t active = ActiveChildren().size();
  Process process(Options({"wait"}));
  ASSERT_TRUE(process.Start().ok());
  EXPECT_EQ(ActiveChildren().size(), active + 1);
  agent_.Exit(process.Id(), 0);  // and the program does not ask for it
  EXPECT_EQ(ActiveChildren().size(), active);
  EXPECT_EQ(*process.Join(), true);
}

TEST_F(ProcessTest, ADetachedOneBelongsToNobody) {
  ProcessOptions options = Options({"wait"});
  options.detached = true;
  Process process(options);
  size_t active = ActiveChildren().size();
  ASSERT_TRUE(process.Start().ok());
  EXPECT_EQ(process.info().session_id(), "");
  EXPECT_EQ(ActiveChildren().size(), active);
}

// In a program of its own, since it ends what the program owns, once.
TEST_F(ProcessTest, TheEndOfTheProgramJoinsSomeAndEndsTheDaemons) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        FakeAgent agent("inner");
        std::shared_ptr<Host> host = *Host::Create(UnixAddress(agent.socket_path()));
        ProcessOptions options;
        options.command = {"wait"};
        options.host = host;
        options.daemon = true;
        Process daemon(options);
        options.daemon = false;
        options.command = {"exit:0"};
        Process child(options);
        bool ok = daemon.Start().ok() && child.Start().ok() && EndProgram().ok();
        ok = ok && daemon.ExitCode() == -15 && child.ExitCode() == 0 && agent.open_sessions() == 0;
        ok = ok && absl::IsFailedPrecondition(Process(options).Start());
        agent.RemoveFiles();
        agent_.RemoveFiles();
        _exit(ok ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "");
}

TEST_F(ProcessTest, WaitIsAnErrorForEveryEndButSuccess) {
  for (const auto& [word, status] : std::vector<std::pair<const char*, absl::Status>>{
           {"exit:0", absl::OkStatus()},
           {"exit:3", absl::InternalError("web exited with code 3")},
           {"signal:6", absl::InternalError("web ended by SIGABRT")}}) {
    Process process(Options({word}));
    ASSERT_TRUE(process.Start().ok());
    EXPECT_EQ(process.Wait(), status);
    EXPECT_TRUE(process.Join().ok());
  }
  Process process(Options({"wait"}));
  ASSERT_TRUE(process.Start().ok());
  EXPECT_EQ(process.Wait(absl::Milliseconds(10)), absl::DeadlineExceededError("web has not ended"));
  ASSERT_TRUE(process.Kill().ok());
  EXPECT_EQ(process.Wait(), absl::InternalError("web ended by SIGKILL on request"));
}

TEST_F(ProcessTest, TheEndOfTheProgramSaysThatAChildAborted) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        ProcessOptions options = Options({"signal:6"});
        Process child(options);
        bool ok = child.Start().ok();
        ok = ok && EndProgram() == absl::InternalError("web ended by SIGABRT");
        agent_.RemoveFiles();
        _exit(ok ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace shoal
