// Terminals from end to end: run -t, attach, resizing, detaching, and an agent that is killed meanwhile.
#include <signal.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/ids.h"
#include "tests/support/system/system_test.h"
#include "tests/support/system/terminal_session.h"

namespace shoal::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class Terminal : public SystemTest {
 protected:
  std::unique_ptr<TerminalSession> At(std::vector<std::string> arguments, int rows = 24,
                                      int columns = 80) {
    arguments.insert(arguments.begin(), ShoalPath());
    CommandOptions options = UserOptions();
    options.env["TERM"] = "xterm";
    return std::make_unique<TerminalSession>(std::move(arguments), options, rows, columns);
  }
  // A shell, which prints what it is asked for.
  void StartShell(const std::string& name) {
    const CommandResult started =
        Shoal({"start", "-t", "--name", name, "--env", "PS1=$ ", "--", "sh", "-i"});
    EXPECT_EQ(started.exit_code, 0) << started.err;
  }
  static bool AreAsBefore(const termios& before, const termios& after) {
    return before.c_lflag == after.c_lflag && before.c_iflag == after.c_iflag &&
           before.c_oflag == after.c_oflag;
  }
};

TEST_F(Terminal, RunWithOneIsAsIfTheProgramRanHere) {
  StartAgent("ant");
  auto run = At({"run", "-t", "--", "sh", "-c", "stty size; read x; echo got $x; exit 7"}, 33, 101);
  const termios before = run->modes();
  run->AwaitText("33 101\r\n");
  run->Type("hello\r");
  run->AwaitText("hello\r\ngot hello\r\n");
  EXPECT_EQ(run->Wait(), 7);
  EXPECT_TRUE(AreAsBefore(before, run->modes()));
}

TEST_F(Terminal, KeysReachTheProcessAndNotThisCommand) {
  StartAgent("ant");
  const char* script = "trap 'echo caught; exit 3' INT; echo up; while :; do sleep 0.05; done";
  auto run = At({"run", "-t", "--", "sh", "-c", script});
  run->AwaitText("up");
  run->Type("\x03");
  run->AwaitText("caught");
  EXPECT_EQ(run->Wait(), 3);
}

TEST_F(Terminal, TheSizeFollowsOurs) {
  StartAgent("ant");
  const char* script = "trap 'stty size' WINCH; echo up; while :; do sleep 0.05; done";
  auto run = At({"run", "-t", "--", "sh", "-c", script});
  run->AwaitText("up");
  run->Resize(40, 120);
  run->AwaitText("40 120");
  run->Resize(10, 20);
  run->AwaitText("10 20");
  run->Type("\x1c");  // ctrl-\ ends it
  EXPECT_EQ(run->Wait(), 128 + SIGQUIT);
}

// `attach` has the program paint its screen by telling it the size; `run -t`, which has started it with that size, does not.
TEST_F(Terminal, AProgramThatIsStartedWithOurSizeIsNotToldOfIt) {
  StartAgent("ant");
  auto run = At({"run", "-t", "--", "sh", "-c",
                 "trap 'echo painted' WINCH; echo up; read x; echo end of $x; read x"},
                30, 90);
  run->AwaitText("up\r\n");
  run->Type("wait\r");
  run->AwaitText("end of wait\r\n");
  EXPECT_THAT(run->shown(), Not(HasSubstr("painted")));
  run->Resize(31, 90);
  run->AwaitText("painted\r\n");
  run->Type("\r");
  run->Type("\r");
  run->Wait();
}

TEST_F(Terminal, WhatWasShownBeforeComesByteForByte) {
  StartAgent("ant");
  const CommandResult started = Shoal(
      {"start", "-t", "--name", "raw", "--", "sh", "-c", "stty raw -echo; printf 'a\\nb'; read x"});
  ASSERT_EQ(started.exit_code, 0) << started.err;
  WaitUntil("it has shown something", [&] {
    return Shoal({"logs", "raw"}).out.find('b') != std::string::npos;
  });
  auto attach = At({"attach", "raw"});
  attach->AwaitText("b");
  EXPECT_THAT(attach->shown(), HasSubstr("a\nb"));
  attach->Type("\x10\x11");
  EXPECT_EQ(attach->Wait(), 0);
}

TEST_F(Terminal, AttachTalksToAProcessAndLeavesItRunning) {
  StartAgent("ant");
  StartShell("sh");
  auto first = At({"attach", "sh"});
  const termios before = first->modes();
  first->Type("echo $((40 + 2))\r");
  first->AwaitText("\n42\r\n");
  first->Type("x=kept\r");
  first->AwaitText("$ ");
  first->Type("\x10\x11");
  first->AwaitText("shoal: detached; sh (");
  EXPECT_EQ(first->Wait(), 0);
  EXPECT_THAT(first->shown(), HasSubstr(") runs on, input at byte "));
  EXPECT_TRUE(AreAsBefore(before, first->modes()));

  auto second = At({"attach", "sh"});
  second->Type("echo $x\r");
  second->AwaitText("\nkept\r\n");
  second->Type("exit 5\r");
  EXPECT_EQ(second->Wait(), 5);
}

TEST_F(Terminal, AnAgentThatIsKilledIsWaitedForAndTheScreenGoesOn) {
  AgentProcess& agent = StartAgent("ant");
  StartShell("sh");
  auto attach = At({"attach", "sh"});
  attach->Type("echo one$((1 + 1))\r");
  attach->AwaitText("\none2\r\n");
  agent.Kill();
  attach->Type("echo two$((2 + 2))\r");
  ASSERT_TRUE(agent.Start());
  attach->AwaitText("\ntwo4\r\n");
  attach->Type("exit\r");
  EXPECT_EQ(attach->Wait(), 0);
}

TEST_F(Terminal, OneWriterAtATimeAndWatchersBesides) {
  StartAgent("ant");
  StartShell("sh");
  auto writer = At({"attach", "sh"});
  writer->Type("echo $((40 + 2))\r");
  writer->AwaitText("\n42\r\n");
  auto refused = At({"attach", "sh"});
  EXPECT_EQ(refused->Wait(), 1);
  EXPECT_THAT(refused->shown(), HasSubstr("is held by another writer, of uid:"));
  auto watcher = At({"attach", "--read-only", "sh"});
  watcher->AwaitText("\n42\r");
  auto thief = At({"attach", "--steal", "sh"});
  thief->Type("echo $((50 + 2))\r");
  thief->AwaitText("\n52\r\n");
  watcher->AwaitText("\n52\r");
  writer->Type("echo lost\r");
  writer->AwaitText("nothing more is passed on; ctrl-p,ctrl-q leaves it.\r\n");
  writer->Type("\x10\x11");
  writer->AwaitText("runs on");
  EXPECT_EQ(writer->Wait(), 0);
  thief->Type("exit\r");
  EXPECT_EQ(thief->Wait(), 0);
  EXPECT_EQ(watcher->Wait(), 0);
}

TEST_F(Terminal, RunHoldsTheInputAsAttachDoes) {
  AgentProcess& agent = StartAgent("ant");
  auto run = At({"run", "-t", "--name", "sh", "--env", "PS1=$ ", "--", "sh", "-i"});
  run->AwaitText("$ ");
  const std::string name = agent.stub().List().front().name();
  WaitUntil("it is held", [&] {
    v1::WriteInputRequest probe;
    probe.set_selector(name);
    probe.set_writer("probe");
    probe.mutable_hold();
    CallContext context;
    v1::WriteInputResponse answer;
    return agent.stub().processes().WriteInput(&context, probe, &answer).error_code() ==
           grpc::StatusCode::FAILED_PRECONDITION;
  });
  auto refused = At({"attach", name});
  EXPECT_EQ(refused->Wait(), 1);
  EXPECT_THAT(refused->shown(), HasSubstr("is held by another writer, of uid:"));
  run->Type("exit 6\r");
  EXPECT_EQ(run->Wait(), 6);
}

TEST_F(Terminal, TheKeysLeaveARunRunningDetached) {
  AgentProcess& agent = StartAgent("ant");
  auto run = At({"run", "-t", "--name", "sh", "--env", "PS1=$ ", "--", "sh", "-i"});
  const termios before = run->modes();
  run->AwaitText("$ ");
  run->Type("x=kept\r\x10\x11");
  run->AwaitText("shoal: detached; sh");
  EXPECT_EQ(run->Wait(), 0);
  EXPECT_THAT(run->shown(), HasSubstr(") runs on, input at byte 7, output at byte "));
  EXPECT_TRUE(AreAsBefore(before, run->modes()));
  const v1::Process process = agent.stub().List().front();
  EXPECT_EQ(process.state(), v1::STATE_RUNNING);
  EXPECT_EQ(process.session_id(), "");

  auto attach = At({"attach", process.name()});
  attach->Type("echo $x\r");
  attach->AwaitText("\nkept\r\n");
  attach->Type("exit 5\r");
  EXPECT_EQ(attach->Wait(), 5);
}

TEST_F(Terminal, OtherKeysMayLeaveARunOrNone) {
  StartAgent("ant");
  auto run = At({"run", "-t", "--detach-keys", "ctrl-a", "--", "sh", "-c", "echo up; cat"});
  run->AwaitText("up");
  run->Type("\x10\x11ok\r");
  run->AwaitText("ok\r\n");
  run->Type("\x01");
  run->AwaitText("shoal: detached; ");
  EXPECT_EQ(run->Wait(), 0);
  auto without = At({"run", "-t", "--detach-keys", "", "--", "sh", "-c", "echo up; cat"});
  without->AwaitText("up");
  without->Type("\x10\x11ok\r");
  without->AwaitText("ok\r\n");
  without->Type("\x04");
  EXPECT_EQ(without->Wait(), 0);
  EXPECT_EQ(Shoal({"run", "-t", "--detach-keys", "none", "--", "cat"}).exit_code, 2);
}

TEST_F(Terminal, AWatcherLeavesByTheKeysAndByCtrlC) {
  StartAgent("ant");
  StartShell("sh");
  auto writer = At({"attach", "sh"});
  writer->Type("echo $((40 + 2))\r");
  writer->AwaitText("\n42\r\n");
  auto watcher = At({"attach", "--read-only", "sh"});
  const termios before = watcher->modes();
  watcher->AwaitText("\n42\r");
  watcher->Type("not for the shell\r\x10\x11");
  watcher->AwaitText("shoal: detached; sh (");
  EXPECT_EQ(watcher->Wait(), 0);
  EXPECT_TRUE(AreAsBefore(before, watcher->modes()));
  auto another = At({"attach", "--read-only", "sh"});
  another->AwaitText("\n42\r");
  another->Type("\x03");
  EXPECT_EQ(another->Wait(), 128 + SIGINT);
  writer->Type("exit 3\r");
  EXPECT_EQ(writer->Wait(), 3);
  EXPECT_THAT(writer->shown(), ::testing::Not(HasSubstr("not for the shell")));
}

// Each knows what it has told itself, and nothing of the other.
TEST_F(Terminal, OfTwoTheOneThatWasResizedLastHasItsSize) {
  StartAgent("ant");
  Shoal({"start", "-t", "--name", "w", "--", "sh", "-c",
         "trap 'stty size' WINCH; echo up; while :; do sleep 0.05; done"});
  auto first = At({"attach", "w"}, 24, 81);
  first->AwaitText("24 81");
  auto second = At({"attach", "--steal", "w"}, 30, 90);
  second->AwaitText("30 90");
  first->Resize(40, 100);
  second->AwaitText("40 100");
  second->Resize(10, 20);
  first->AwaitText("10 20");
  first->Resize(11, 21);
  first->AwaitText("11 21");
  for (TerminalSession* one : {first.get(), second.get()}) {
    one->Type("\x10\x11");
    EXPECT_EQ(one->Wait(), 0);
  }
}

// In the size that it has already. What was there comes first, and is not cut off by what it paints.
TEST_F(Terminal, WhoAttachesHasTheScreenPainted) {
  AgentProcess& agent = StartAgent("ant");
  Shoal({"start", "-t", "--name", "w", "--", "sh", "-c",
         "trap 'echo painted; stty size' WINCH; seq 5; while :; do sleep 0.05; done"});
  WaitUntil("it is up", [&agent] {
    return agent.stub().Output("w", v1::STREAM_KIND_STDOUT).find("5\r\n") != std::string::npos;
  });
  auto attach = At({"attach", "w"}, 24, 80);
  attach->AwaitText("5\r");  // shown by a terminal that is not raw yet, which adds another one
  attach->AwaitText("painted\r\n24 80\r\n");
  attach->Type("\x10\x11");
  EXPECT_EQ(attach->Wait(), 0);
}

// An interactive shell ignores SIGTERM.
TEST_F(Terminal, StopEndsAShellWithoutWaitingForTheGrace) {
  AgentProcess& agent = StartAgent("ant");
  Shoal({"start", "-t", "--name", "sh", "--env", "PS1=$ ", "--", "bash", "--norc", "-i"});
  auto watcher = At({"attach", "--read-only", "sh"});
  watcher->AwaitText("$ ");
  EXPECT_EQ(Shoal({"stop", "--grace", "1h", "sh"}).exit_code, 0);
  EXPECT_EQ(watcher->Wait(), 128 + SIGHUP);
  const v1::Process process = agent.stub().Get("sh");
  EXPECT_EQ(process.exit().signal(), SIGHUP);
  EXPECT_TRUE(process.tree_empty());
}

TEST_F(Terminal, ASignalGivesTheTerminalBack) {
  StartAgent("ant");
  StartShell("sh");
  auto attach = At({"attach", "sh"});
  const termios before = attach->modes();
  attach->Type("echo $((40 + 2))\r");
  attach->AwaitText("\n42\r\n");
  kill(attach->pid(), SIGTERM);
  EXPECT_EQ(attach->Wait(), 128 + SIGTERM);
  EXPECT_TRUE(AreAsBefore(before, attach->modes()));
}

// `shoal run … &` takes nothing from the shell that it was started from.
TEST_F(Terminal, ARunInTheBackgroundLeavesTheKeysToTheShell) {
  StartAgent("ant");
  CommandOptions options = UserOptions();
  options.env["PS1"] = "$ ";
  TerminalSession shell({"/bin/bash", "--norc", "--noprofile", "-i"}, options);
  shell.AwaitText("$ ");
  shell.Type(absl::StrCat(ShoalPath(), " run -n 1 -- sh -c 'echo started; sleep 1000' &\r"));
  shell.AwaitText("started");
  shell.Type("echo $((40 + 2))\r");
  shell.AwaitText("\n42\r\n");
  shell.Type("kill %1; wait %1\r");
  shell.Type("exit\r");
  shell.Wait();
}

TEST_F(Terminal, WhatIsWrongIsSaid) {
  AgentProcess& agent = StartAgent("ant");
  EXPECT_THAT(Shoal({"run", "-t", "-n", "2", "--", "true"}).err,
              HasSubstr("-t is for a single process: give -n 1"));
  v1::SpawnRequest request;
  request.set_request_id(NewRequestId());
  *request.mutable_spec() = SpecOf({"/bin/cat"}, "w");
  request.mutable_spec()->mutable_terminal()->set_rows(65'536);
  request.mutable_spec()->mutable_terminal()->set_columns(80);
  v1::SpawnResponse response;
  grpc::Status refused = agent.stub().TrySpawn(request, &response);
  EXPECT_EQ(refused.error_message(), "terminal.rows is 65536, must be 1 to 65535");
  request.mutable_spec()->mutable_terminal()->set_rows(0);
  refused = agent.stub().TrySpawn(request, &response);
  EXPECT_EQ(refused.error_message(), "terminal.rows is 0, must be 1 to 65535");
}

}  // namespace
}  // namespace shoal::testing
