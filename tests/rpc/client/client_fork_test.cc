// What a fork of a program may do, and what callbacks may that throw or call exit(): each in a
// program of its own, since it ends.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/notification.h"
#include "shoal/job.h"
#include "shoal/process.h"
#include "shoal/session.h"
#include "tests/support/fake_agent.h"

namespace shoal {
namespace {

using ::shoal::testing::FakeAgent;
using ::testing::ExitedWithCode;
using ::testing::KilledBySignal;

constexpr unsigned kSeconds = 60;  // what hangs for so long is killed

// Everything that a program may have open: used by the program itself, and by a fork of it.
struct ForkProgram {
  ForkProgram() : agent("inner"), host(*Host::Create(UnixAddress(agent.socket_path()))) {
    alarm(kSeconds);
  }

  // Before what ends this program without its destructors: the connection needs no files any more.
  void ConnectForGood() {
    if (!host->GetFacts().ok()) _exit(3);
    agent.RemoveFiles();
  }

  ProcessOptions Options(std::vector<std::string> command) const {
    ProcessOptions options;
    options.command = std::move(command);
    options.name = "web";
    options.host = host;
    return options;
  }

  FakeAgent agent;
  std::shared_ptr<Host> host;
};

bool IsRefused(const absl::Status& status) {
  bool is_refused = absl::IsFailedPrecondition(status) &&
                    absl::StrContains(status.message(), " is a fork of process ") &&
                    absl::EndsWith(status.message(),
                                   ", which has connections to agents: only that one can use them");
  if (!is_refused) std::fprintf(stderr, "not refused: %s\n", status.ToString().c_str());
  return is_refused;
}

// In a fork that ends as the user's does: 7 if all went well there.
template <typename Do>
int InFork(Do then) {
  pid_t pid = fork();
  if (pid == 0) {
    alarm(kSeconds / 2);
    bool is_well = then();
    std::exit(is_well ? 7 : 8);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  if (WIFSIGNALED(status)) std::fprintf(stderr, "ended by signal %d\n", WTERMSIG(status));
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

class ForkTest : public ::testing::Test {
 protected:
  ForkTest() {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    // What the threads of gRPC own is not within reach in a fork, which has none of them. This is for
    // the programs that the tests start.
    const char* options = getenv("ASAN_OPTIONS");
    setenv("ASAN_OPTIONS",
           absl::StrCat(options == nullptr ? "" : options, ":detect_leaks=0").c_str(), 1);
  }
};

TEST_F(ForkTest, OfAProgramMayCallNothingAndExitsWithoutHarmToItsParent) {
  EXPECT_EXIT(
      {
        ForkProgram program;
        Process process(program.Options({"wait"}));
        bool ok = process.Start().ok();
        int forked = InFork([&] {
          Process another(program.Options({"wait"}));
          return IsRefused(another.Start()) && IsRefused(process.Join().status()) &&
                 IsRefused(process.Terminate()) && IsRefused(process.Kill()) &&
                 IsRefused(process.Interrupt()) && IsRefused(process.Close()) &&
                 IsRefused(process.Sentinel().status()) &&
                 IsRefused(process.ReadOutput().status()) && IsRefused(EndProgram()) &&
                 IsRefused(program.host->GetFacts().status()) &&
                 IsRefused(program.host->List({}).status()) &&
                 IsRefused(Session::Open(program.host).status()) &&
                 IsRefused(Host::Create(program.host->address()).status()) &&
                 ActiveChildren().empty();
        });
        ok = ok && forked == 7 && program.agent.open_sessions() == 1;
        ok = ok && process.Terminate().ok() && process.Join().ok() && process.ExitCode() == -15;
        ok = ok && EndProgram().ok() && program.agent.open_sessions() == 0;
        program.agent.RemoveFiles();
        _exit(ok ? 0 : 1);
      },
      ExitedWithCode(0), "");
}

TEST_F(ForkTest, OfAProgramMayDestroyWhatItHasOfItsParent) {
  EXPECT_EXIT(
      {
        ForkProgram program;
        auto options = program.Options({"out:x", "wait"});
        options.on_output = [](v1::StreamKind, int64_t, absl::string_view) {};
        auto process = std::make_unique<Process>(options);
        bool ok = process->Start().ok();
        std::unique_ptr<Session> session = *Session::Open(program.host);
        v1::WatchRequest all;
        std::unique_ptr<Subscription> watch = program.host->Watch(all, {});
        int forked = InFork([&] {
          absl::Status told;
          OutputObserver observer;
          observer.on_end = [&](const absl::Status& status) { told = status; };
          program.host->ReadOutput({}, std::move(observer));
          bool is_refused = IsRefused(told) && IsRefused(session->status()) &&
                            IsRefused(session->Close().status());
          process = nullptr;
          session = nullptr;
          watch = nullptr;
          program.host = nullptr;
          return is_refused;
        });
        ok = ok && forked == 7 && program.agent.open_sessions() == 2;
        ok = ok && session->status().ok() && session->Close().ok();
        watch = nullptr;
        ok = ok && process->Kill().ok() && process->Join().ok() && EndProgram().ok();
        program.agent.RemoveFiles();
        _exit(ok ? 0 : 1);
      },
      ExitedWithCode(0), "");
}

TEST_F(ForkTest, OfAProgramMayDestroyAJobThatItsParentRuns) {
  EXPECT_EXIT(
      {
        ForkProgram program;
        const Fleet fleet = *Fleet::Connect(program.agent.hosts());
        JobSpec spec;
        spec.process.add_argv("wait");
        spec.counts = {1};
        JobSink sink;
        std::unique_ptr<Job> job = *Job::Create(fleet, spec, &sink);
        absl::StatusOr<JobResult> result;
        std::thread run([&, running = job.get()] { result = running->Run(); });
        program.agent.AwaitCalls("SpawnBatch", 1);
        const int forked = InFork([&] {
          const bool is_refused = IsRefused(job->Run().status());
          job = nullptr;
          return is_refused;
        });
        bool ok = forked == 7 && program.agent.open_sessions() == 1;
        job->Interrupt();
        run.join();
        ok = ok && result.ok() && result->interrupted;
        program.agent.RemoveFiles();
        _exit(ok ? 0 : 1);
      },
      ExitedWithCode(0), "");
}

TEST_F(ForkTest, OfAProgramThatHasUsedNothingYetMayUseAll) {
  EXPECT_EXIT(
      {
        int forked = InFork([] {
          ForkProgram program;
          Process process(program.Options({"exit:0"}));
          bool ok = process.Start().ok() && process.Join().ok() && EndProgram().ok();
          program.agent.RemoveFiles();
          if (ok) _exit(7);
          return false;
        });
        _exit(forked == 7 ? 0 : 1);
      },
      ExitedWithCode(0), "");
}

using CallbackTest = ForkTest;

TEST_F(CallbackTest, OnOutputThatThrowsIsToldByJoinAndCalledNoMore) {
  EXPECT_EXIT(
      {
        ForkProgram program;
        int calls = 0;
        auto options = program.Options({"out:x", "wait"});
        options.on_output = [&](v1::StreamKind, int64_t, absl::string_view) {
          ++calls;
          throw std::runtime_error("boom");
        };
        auto process = std::make_unique<Process>(options);
        bool ok = process->Start().ok();
        program.agent.Write(process->Id(), v1::STREAM_KIND_STDOUT, "y");
        program.agent.Exit(process->Id(), 0);
        for (int i = 0; i < 2; ++i) {
          ok = ok && process->Join().status() == absl::InternalError("on_output of web: boom");
        }
        ok = ok && calls == 1;
        process = nullptr;
        ok = ok && EndProgram().ok();
        program.agent.RemoveFiles();
        _exit(ok ? 0 : 1);
      },
      ExitedWithCode(0), "");
}

TEST_F(CallbackTest, OnOutputMayThrowAnything) {
  EXPECT_EXIT(
      {
        ForkProgram program;
        auto options = program.Options({"out:x", "exit:0"});
        options.on_output = [](v1::StreamKind, int64_t, absl::string_view) { throw 4; };
        Process process(options);
        bool ok = process.Start().ok();
        const absl::Status joined = process.Join().status();
        ok = ok && joined == absl::InternalError("on_output of web threw an exception");
        program.agent.RemoveFiles();
        _exit(ok ? 0 : 1);
      },
      ExitedWithCode(0), "");
}

TEST_F(CallbackTest, OnOutputMayCallExitWhichEndsTheProcesses) {
  EXPECT_EXIT(
      {
        ForkProgram program;
        auto options = program.Options({"out:x", "wait"});
        options.on_output = [](v1::StreamKind, int64_t, absl::string_view) { std::exit(5); };
        Process process(options);
        program.ConnectForGood();
        if (!process.Start().ok()) _exit(1);
        process.Join().IgnoreError();
        _exit(2);
      },
      ExitedWithCode(5), "");
}

TEST_F(CallbackTest, ACallbackOfACallThatThrowsEndsTheProgram) {
  EXPECT_EXIT(
      {
        ForkProgram program;
        program.ConnectForGood();
        program.host->GetFacts({},
                               [](absl::StatusOr<v1::Host>) { throw std::runtime_error("boom"); });
        Notification never;
        never.WaitForNotification();
      },
      KilledBySignal(SIGABRT), "boom");
}

TEST_F(CallbackTest, ACallbackOfAStreamThatThrowsEndsTheProgram) {
  EXPECT_EXIT(
      {
        ForkProgram program;
        program.ConnectForGood();
        WatchObserver observer;
        observer.on_event = [](v1::WatchResponse&&) -> Flow { throw std::runtime_error("boom"); };
        auto watch = program.host->Watch({}, std::move(observer));
        Notification never;
        never.WaitForNotification();
      },
      KilledBySignal(SIGABRT), "boom");
}

}  // namespace
}  // namespace shoal
