// The way from the command to the terminal, the pipe or the file behind it.
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/support/system/system_test.h"

namespace shoal::testing {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

class LastMetre : public SystemTest {
 protected:
  // A shell's words, with the path of `shoal` in $0.
  CommandResult Sh(const std::string& words) const {
    return RunProgram({"/bin/sh", "-c", words, ShoalPath()}, UserOptions());
  }
};

TEST_F(LastMetre, WithoutDescriptorsNothingGoesAstray) {
  AgentProcess& ant = StartAgent("ant");
  const std::string kept = Scratch("kept");
  CommandResult run =
      Sh(absl::StrCat("\"$0\" run -n 2 -- sh -c 'echo x >>", kept, "; echo err >&2' <&- >&- 2>&-"));
  EXPECT_EQ(run.exit_code, 0) << run;
  EXPECT_EQ(ReadFile(kept), "x\nx\n");
  // What cannot be written is not lost unseen.
  for (const char* words : {"run -n 1 -- echo out", "ps -a"}) {
    const CommandResult lost = Sh(absl::StrCat("\"$0\" ", words, " >&-"));
    EXPECT_EQ(lost.exit_code, 1) << words << lost;
    EXPECT_THAT(lost.err, ::testing::HasSubstr("cannot write stdout: Bad file descriptor"))
        << words;
  }
  EXPECT_TRUE(ant.IsRunning());
}

TEST_F(LastMetre, AnAgentWithoutDescriptorsServes) {
  SystemTest::StartAgent("ant");
  const std::string place = Scratch("bare");
  const std::string socket = absl::StrCat("unix:", place, "/s");
  RunningCommand agent(
      {"/bin/sh", "-c",
       "mkdir -m 700 \"$1\"; exec \"$0\" --state-dir \"$1/state\" --socket \"$1/s\" <&- >&- 2>&-",
       ShoaldPath(), place},
      UserOptions());
  ASSERT_TRUE(WaitUntil("the agent serves", [&] {
    return Shoal({"-H", socket, "hosts"}).exit_code == 0;
  }));
  for (int i = 0; i < 3; ++i) {
    CommandResult run = Shoal({"-H", socket, "run", "-n", "2", "--no-tag", "--", "echo", "a"});
    EXPECT_EQ(run.exit_code, 0) << run;
    EXPECT_EQ(run.out, "a\na\n");
  }
  agent.Signal(SIGTERM);
  EXPECT_EQ(agent.Wait().exit_code, 0);
}

TEST_F(LastMetre, AnAgentThatIsReadyOnStderrLogsThereStill) {
  const std::string place = Scratch("told");
  const char* script =
      "mkdir -m 700 \"$1\"; exec \"$0\" --state-dir \"$1/state\" --socket \"$1/s\" --ready-fd 2";
  RunningCommand agent({"/bin/sh", "-c", script, ShoaldPath(), place}, UserOptions());
  ASSERT_TRUE(WaitUntil("the agent serves", [&] {
    return Shoal({"-H", absl::StrCat("unix:", place, "/s"), "hosts"}).exit_code == 0;
  }));
  agent.Signal(SIGTERM);
  const CommandResult ended = agent.Wait();
  EXPECT_EQ(ended.exit_code, 0);
  EXPECT_THAT(ended.err, HasSubstr(absl::StrCat("ready unix:", place, "/s\n")));
  EXPECT_THAT(ended.err, HasSubstr("stopping: signal 15"));
}

TEST_F(LastMetre, ATimeLimitThatIsHandledIsNoSuccess) {
  StartAgent("ant");
  const std::vector<std::string> handling = {
      "--timeout", "1s", "--", "/bin/sh", "-c", "trap 'exit 0' TERM; while :; do sleep 1; done"};
  std::vector<std::string> words = {"run", "-n", "1"};
  words.insert(words.end(), handling.begin(), handling.end());
  CommandResult one = Shoal(words);
  EXPECT_EQ(one.exit_code, 124) << one;
  EXPECT_THAT(one.err, HasSubstr("exit code 0 at its time limit of 1"));
  words = {"start", "--name", "web"};
  words.insert(words.end(), handling.begin(), handling.end());
  EXPECT_EQ(Shoal(words).exit_code, 0);
  EXPECT_EQ(Shoal({"wait", "web"}).exit_code, 124);
}

TEST_F(LastMetre, AReaderThatHasHadEnoughEndsARun) {
  StartAgent("ant");
  CommandResult run = Sh("(\"$0\" run -n 2 -- yes; echo \"status $?\" >&2) | head -1");
  EXPECT_THAT(run.out, AnyOf("0 │ y\n", "1 │ y\n"));
  EXPECT_THAT(run.err, ::testing::EndsWith("status 141\n"));
}

TEST_F(LastMetre, AFullDiskEndsARunAndIsSaid) {
  StartAgent("ant");
  CommandResult run = Sh("\"$0\" run -n 2 -- yes > /dev/full");
  EXPECT_EQ(run.exit_code, 1) << run;
  EXPECT_THAT(run.err, HasSubstr("shoal: cannot write stdout: No space left on device.\n"));
  EXPECT_THAT(run.err, HasSubstr("no process is left on any host."));
}

}  // namespace
}  // namespace shoal::testing
