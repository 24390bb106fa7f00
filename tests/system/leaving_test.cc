// Commands that a signal ends: whatever else is blocked, the first one acts, the second one leaves.
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/support/system/system_test.h"

namespace shoal::testing {
namespace {

using ::testing::HasSubstr;

class LeavingTest : public SystemTest {
 protected:
  // A pipe that nobody reads.
  std::string MakeBlocked(const std::string& name) {
    std::string path = Scratch(name);
    EXPECT_EQ(mkfifo(path.c_str(), 0600), 0);
    blocked_.emplace_back(open(path.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK));
    return path;
  }
  // Fills the last of them, so that no more goes into it.
  void Fill() {
    const std::string some(4096, 'x');
    while (write(blocked_.back().get(), some.data(), some.size()) > 0) continue;
  }
  // A `shoal` whose output goes to `into`, such as "> FILE".
  std::unique_ptr<RunningCommand> StartInto(const std::string& words, const std::string& into) {
    CommandOptions options = UserOptions();
    options.own_group = true;
    return std::make_unique<RunningCommand>(
        std::vector<std::string>{"/bin/sh", "-c",
                                 absl::StrCat("exec ", ShoalPath(), " ", words, " ", into)},
        options);
  }
  void WaitUntilFull(const std::string& what) {
    EXPECT_TRUE(WaitUntil(what, [this] {
      int bytes = 0;
      ioctl(blocked_.back().get(), FIONREAD, &bytes);
      return bytes >= 65536;
    }));
  }
  static bool HasSocket(pid_t pid) {
    std::error_code none;
    for (const auto& entry :
         std::filesystem::directory_iterator(absl::StrCat("/proc/", pid, "/fd"), none)) {
      const std::string target = std::filesystem::read_symlink(entry.path(), none).string();
      if (absl::StartsWith(target, "socket:")) return true;
    }
    return false;
  }
  static bool AllAreGone(AgentProcess& agent) {
    for (const v1::Process& process : agent.stub().List()) {
      if (!process.tree_empty()) return false;
    }
    return true;
  }

  std::vector<UniqueFd> blocked_;
};

TEST_F(LeavingTest, WithABlockedStdoutTheFirstSignalEndsThemAndTheSecondLeaves) {
  AgentProcess& agent = StartAgent("ant");
  for (int number : {SIGINT, SIGTERM, SIGHUP}) {
    const std::string fifo = MakeBlocked(absl::StrCat("out", number));
    auto run = StartInto("run -n 2 -- yes", "> " + fifo);
    WaitUntilFull("its output is blocked");
    run->SignalGroup(number);
    EXPECT_TRUE(WaitUntil("both ranks have ended", [&] { return AllAreGone(agent); }));
    EXPECT_TRUE(run->IsRunning());
    run->SignalGroup(number);
    const CommandResult result = run->Wait();
    EXPECT_EQ(result.signal, number) << result;
    EXPECT_THAT(result.err, HasSubstr("ending every process")) << result;
  }
}

TEST_F(LeavingTest, WhenAllHaveEndedAndNobodyReadsThatIsWhatTheLastSignalSays) {
  AgentProcess& agent = StartAgent("ant");
  const std::string fifo = MakeBlocked("out");
  auto run = StartInto("run -n 2 -- yes", "> " + fifo);
  WaitUntilFull("its output is blocked");
  run->SignalGroup(SIGINT);
  EXPECT_TRUE(WaitUntil("the ranks have ended", [&] { return AllAreGone(agent); }));
  run->WaitForError(
      "shoal: no process is left on any host, and the rest of their output is being "
      "written; Ctrl-C once more leaves without it.\n");
  run->SignalGroup(SIGINT);
  const CommandResult result = run->Wait();
  EXPECT_EQ(result.signal, SIGINT) << result;
  EXPECT_THAT(result.err, HasSubstr("shoal: leaving; no process is left on any host, and what of "
                                    "their output could not be written is lost.\n"));
}

TEST_F(LeavingTest, WhatIsGatheredIsLeftByASignalWhereNobodyReadsIt) {
  AgentProcess& agent = StartAgent("ant");
  const std::string fifo = MakeBlocked("out");
  auto run = StartInto("run -n 2 --gather -- seq 30000", "> " + fifo);
  WaitUntilFull("its output is blocked");
  EXPECT_TRUE(WaitUntil("the ranks have ended", [&] { return AllAreGone(agent); }));
  run->SignalGroup(SIGTERM);
  const CommandResult result = run->Wait();
  EXPECT_EQ(result.signal, SIGTERM) << result;
  EXPECT_THAT(result.err, HasSubstr("shoal: leaving; no process is left on any host")) << result;
}

TEST_F(LeavingTest, WhatHasDoneItsWorkIsEndedByASignalThoughNobodyReads) {
  AgentProcess& agent = StartAgent("ant");
  for (int number : {SIGTERM, SIGINT}) {
    const std::string name = absl::StrCat("p", number);
    ASSERT_EQ(Shoal({"start", "--name", name, "--", "sleep", "1000"}).exit_code, 0);
    const std::string fifo = MakeBlocked(name);
    Fill();
    auto stop = StartInto("stop " + name, "> " + fifo);
    EXPECT_TRUE(WaitUntil("it has ended", [&] { return AllAreGone(agent); }));
    usleep(300'000);  // the answer is there, and being written
    stop->SignalGroup(number);
    EXPECT_EQ(stop->Wait().signal, number);
  }
}

TEST_F(LeavingTest, SignalsReachTheRanksAsWhatTheyWere) {
  StartAgent("ant");
  const char* script =
      "for s in INT QUIT HUP USR1 USR2 ALRM WINCH URG CONT; do trap \"echo got $s\" $s; done; "
      "echo up; while :; do sleep 0.01; done";
  auto run = StartShoal({"run", "-n", "1", "--grace", "100ms", "--", "sh", "-c", script}, true);
  run->WaitForOutput("up");
  const std::pair<int, const char*> messages[] = {{SIGUSR1, "USR1"}, {SIGUSR2, "USR2"},
                                                  {SIGALRM, "ALRM"}, {SIGWINCH, "WINCH"},
                                                  {SIGURG, "URG"},   {SIGCONT, "CONT"}};
  for (const auto& [number, name] : messages) {
    run->Signal(number);
    run->WaitForOutput(absl::StrCat("got ", name, "\n"));
  }
  run->Signal(SIGQUIT);
  run->WaitForOutput("got QUIT\n");
  EXPECT_EQ(run->Wait().signal, SIGQUIT) << "the grace is over";
}

TEST_F(LeavingTest, WithABlockedStderrTheSecondSignalLeavesAllTheSame) {
  AgentProcess& agent = StartAgent("ant");
  const std::string out = MakeBlocked("out");
  auto run = StartInto("run -n 2 --no-tag -- sh -c 'yes; :'", absl::StrCat("> ", out, " 2>&1"));
  WaitUntilFull("its output is blocked");
  run->SignalGroup(SIGINT);
  EXPECT_TRUE(WaitUntil("both ranks have ended", [&] { return AllAreGone(agent); }));
  run->SignalGroup(SIGINT);
  EXPECT_EQ(run->Wait().signal, SIGINT);
}

TEST_F(LeavingTest, WhatDoesNotEndIsToldByTheSecondSignal) {
  AgentProcess& agent = StartAgent("ant");
  extra_env_["SHOAL_SESSION_TTL"] = "2s";
  auto run = StartShoal({"run", "-n", "3", "--", "sh", "-c", "echo up; exec sleep 1000"}, true);
  for (const char* tag : {"0 │ up", "1 │ up", "2 │ up"}) run->WaitForOutput(tag);
  agent.Signal(SIGSTOP);
  run->SignalGroup(SIGINT);
  run->WaitForError("ending every process");
  run->SignalGroup(SIGINT);
  const CommandResult result = run->Wait();
  agent.Signal(SIGCONT);
  EXPECT_EQ(result.signal, SIGINT);
  EXPECT_THAT(result.err,
              HasSubstr("shoal: leaving; not seen to end: 3 on ant. What lives there is ended "
                        "when nothing was heard from here for 2s.\n"));
  EXPECT_TRUE(WaitUntil("what it left has ended", [&] { return AllAreGone(agent); }));
}

TEST_F(LeavingTest, WhoeverLeavesAStopIsToldThatItsEndWasAskedFor) {
  AgentProcess& agent = StartAgent("ant");
  agent.stub().Spawn(
      SpecOf({"/bin/sh", "-c", "trap '' TERM; echo up; while :; do sleep 1; done"}, "deaf"));
  auto stop = StartShoal({"stop", "--grace", "1000s", "deaf"}, true);
  EXPECT_TRUE(WaitUntil("its end was asked for",
                        [&] { return agent.stub().Get("deaf").has_termination(); }));
  stop->SignalGroup(SIGINT);
  const CommandResult result = stop->Wait();
  EXPECT_EQ(result.signal, SIGINT);
  EXPECT_EQ(result.err,
            "shoal: SIGINT: leaving; the end of 1 process was asked for, and not seen; `shoal ps` "
            "shows what is left.\n");
  EXPECT_EQ(Shoal({"stop", "--grace", "0s", "deaf"}).exit_code, 0);
}

TEST_F(LeavingTest, WhoeverLeavesAnInputIsToldThatItMayLackSome) {
  AgentProcess& agent = StartAgent("ant");
  EXPECT_EQ(
      Shoal({"start", "-q", "--stdin", "--name", "reads", "--", ChildPath(), "sleep"}).exit_code,
      0);
  const std::string pipe = MakeBlocked("in");
  auto input = StartInto("input reads", "< " + pipe);
  EXPECT_EQ(write(blocked_.back().get(), "12345", 5), 5);
  EXPECT_TRUE(WaitUntil("they were written",
                        [&] { return agent.stub().Get("reads").input().kept_offset() == 5; }));
  input->SignalGroup(SIGINT);
  const CommandResult result = input->Wait();
  EXPECT_EQ(result.signal, SIGINT);
  EXPECT_EQ(result.err,
            "shoal: SIGINT: leaving; the input of reads may not have all that came on stdin.\n");
}

TEST_F(LeavingTest, AStartWhoseTableCannotBeWrittenSaysWhatRuns) {
  StartAgent("ant");
  const CommandResult result = StartInto("start -- sleep 1000", "> /dev/full")->Wait();
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.err,
            "shoal: cannot write stdout: No space left on device.\n"
            "shoal: started: 1 on ant; `shoal ps` shows them.\n");
}

TEST_F(LeavingTest, ARunWhoseShimIsStoppedSaysWhyItDoesNotEnd) {
  AgentProcess& agent = StartAgent("ant", {"--idle-shims=0"});
  auto run = StartShoal({"run", "-n", "1", "--", "sh", "-c", "echo up; exec sleep 1000"}, true);
  run->WaitForOutput("up");
  const std::vector<pid_t> shims = ChildrenOf(agent.pid());
  ASSERT_EQ(shims.size(), 1u);
  kill(shims[0], SIGSTOP);
  run->SignalGroup(SIGINT);
  run->WaitForError("rank 0 on ant does not end: its shim does not react.");
  kill(shims[0], SIGCONT);
  EXPECT_EQ(run->Wait().signal, SIGINT);
}

TEST_F(LeavingTest, DetachedByAHangUpWhileItsOutputIsBlockedTheyGoOn) {
  AgentProcess& agent = StartAgent("ant");
  const std::string fifo = MakeBlocked("out");
  auto run = StartInto("run -n 2 --detach-on-hangup -- yes", "> " + fifo);
  WaitUntilFull("its output is blocked");
  run->SignalGroup(SIGHUP);
  EXPECT_TRUE(agent.stub().WatchUntil(
      [](const v1::Process& process) { return process.session_id().empty(); }));
  run->SignalGroup(SIGTERM);
  const CommandResult result = run->Wait();
  EXPECT_EQ(result.signal, SIGTERM);
  EXPECT_THAT(result.err, HasSubstr("shoal: leaving; going on, detached: 2.\n"));
  for (const v1::Process& process : agent.stub().List()) {
    EXPECT_EQ(process.state(), v1::STATE_RUNNING);
    EXPECT_EQ(process.session_id(), "");
  }
}

TEST_F(LeavingTest, WhereNothingWasStartedTheFirstSignalLeaves) {
  AgentProcess& agent = StartAgent("ant");
  for (const char* words :
       {"run -n 1 -- true", "run --per-core -- true", "start --per-core -- true"}) {
    agent.Signal(SIGSTOP);
    auto command = StartInto(words, "");
    EXPECT_TRUE(WaitUntil("it waits for the agent", [&] { return HasSocket(command->pid()); }));
    command->SignalGroup(SIGINT);
    EXPECT_EQ(command->Wait().signal, SIGINT) << words;
    agent.Signal(SIGCONT);
    EXPECT_TRUE(agent.stub().List().empty()) << words;
  }
}

TEST_F(LeavingTest, AnEarlyCtrlCLeavesNothing) {
  AgentProcess& agent = StartAgent("ant");
  for (const char* words : {"run -n 8 -- sleep 1000", "start -n 8 -- sleep 1000"}) {
    for (int i = 0; i < 20; ++i) {
      auto command = StartInto(words, "");
      usleep(static_cast<useconds_t>(2000 * i));
      command->SignalGroup(SIGINT);
      const CommandResult result = command->Wait();
      const bool is_told = result.out.find("NAME") != std::string::npos;
      if (is_told) {
        EXPECT_EQ(Shoal({"stop", "*"}).exit_code, 0);
      } else {
        EXPECT_EQ(result.exit_code, 130) << words << " after " << i << ": " << result;
      }
      EXPECT_TRUE(WaitUntil("nothing is left", [&] { return AllAreGone(agent); })) << words;
    }
  }
}

}  // namespace
}  // namespace shoal::testing
