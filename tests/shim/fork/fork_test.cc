// Both templates, C++ and Python, keep to fork_protocol.h: what the forked process and its shim
// get, what is refused, and what is left.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "shoal/fork_server.h"
#include "shoal/v1/fork_protocol.h"
#include "tests/shim/fork/fork_fixture.h"

namespace shoal::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

INSTANTIATE_TEST_SUITE_P(Templates, ForkTest, ::testing::Values(kCpp, kPython), NameOf);

TEST_P(ForkTest, ArgumentsEnvironmentAndDirectoryArriveByteForByte) {
  Start();
  const std::string directory = agent().dir() + "/\xff\n =";
  ASSERT_EQ(mkdir(directory.c_str(), 0700), 0);
  agent().cwd = directory;
  agent().env = {"A=", "B=\xff\n=x=", "C=c"};
  const std::vector<std::string> argv = {"", "describe", "", "\xc3\x28\n", "=", "arg=x y"};
  const Facts seen = agent().Run(argv);
  const Facts told(seen["out"]);
  EXPECT_EQ(told.All("arg"), argv) << seen["err"];
  EXPECT_THAT(told.All("env"), UnorderedElementsAre("A=", "B=\xff\n=x=", "C=c"));
  EXPECT_EQ(told["cwd"], directory);
}

TEST_P(ForkTest, ProcessHasItsDescriptorsAndTheTemplatesButNoneOfTheProtocol) {
  Start({"--open", "/etc/hostname"});
  agent().fields = {"result=1"};
  const std::vector<std::string> open = Describe().All("fd");
  EXPECT_THAT(open, UnorderedElementsAre("0 /dev/null", MatchesRegex("1 pipe:.*"),
                                         MatchesRegex("2 pipe:.*"), MatchesRegex("3 pipe:.*"),
                                         "4 /etc/hostname"));
}

TEST_P(ForkTest, TheInputIsAPipeBetweenShimAndProcess) {
  Start();
  agent().fields = {"input=1"};
  const Facts seen = agent().Run({"name", "describe"});
  EXPECT_THAT(Facts(seen["out"]).All("fd"), Contains(MatchesRegex("0 pipe:.*"))) << seen["err"];
  EXPECT_THAT(seen.All("fd"), Contains(MatchesRegex("12 pipe:.*")));
}

TEST_P(ForkTest, TheInputMayBeAFileInTheWorkingDirectory) {
  Start();
  agent().cwd = "/etc";
  agent().fields = {"input-file=hostname"};
  EXPECT_THAT(Describe().All("fd"), Contains("0 /etc/hostname"));
}

TEST_P(ForkTest, AnInputFileThatIsNotThereIsTold) {
  Start();
  agent().fields = {"input-file=/none"};
  const Facts seen = agent().Run({"name", "describe"});
  fork_protocol::StartError error = {};
  ASSERT_EQ(seen["start"].size(), sizeof(error));
  memcpy(&error, seen["start"].data(), sizeof(error));
  EXPECT_EQ(error.stage, 7u);
  EXPECT_EQ(error.error_number, ENOENT);
}

TEST_P(ForkTest, WithoutAResultDescriptor3IsNoPipe) {
  Start();
  EXPECT_THAT(Describe().All("fd"), Not(Contains(MatchesRegex("3 pipe:.*"))));
}

TEST_P(ForkTest, ProcessHasASessionAnEmptyMaskAndUmask022) {
  Start();
  agent().fields = {"nofile=77"};
  const Facts told = Describe();
  EXPECT_EQ(told["sid"], told["pid"]);
  EXPECT_EQ(told["pgid"], told["pid"]);
  EXPECT_EQ(told["SigBlk:"], "0000000000000000");
  EXPECT_EQ(told["umask"], "18");
  EXPECT_EQ(told["nofile"], "77");
}

TEST_P(ForkTest, WhatTheTemplateIgnoresIsNotIgnoredByTheProcess) {
  Start({"--ignore", std::to_string(SIGUSR1), "--ignore", std::to_string(SIGINT)});
  const uint64_t ignored = strtoull(Describe()["SigIgn:"].c_str(), nullptr, 16);
  // glibc's posix_spawn has every program begin with its own two ignored, and the interpreter ignores the other two.
  uint64_t allowed = (uint64_t{1} << (__SIGRTMIN - 1)) | (uint64_t{1} << __SIGRTMIN);
  if (GetParam().name == std::string("Python")) {
    allowed |= (uint64_t{1} << (SIGPIPE - 1)) | (uint64_t{1} << (SIGXFSZ - 1));
  }
  EXPECT_EQ(ignored & ~allowed, 0u);
}

TEST_P(ForkTest, ShimHasItsDescriptorsASessionItsOrphansAndEverySignalBlocked) {
  Start({"--open", "/etc/hostname", "--ignore", std::to_string(SIGCHLD)});
  agent().fields = {"result=1"};
  const Facts seen = agent().Run({"name", "describe"});
  const Facts told(seen["out"]);
  EXPECT_THAT(seen.All("arg"), ElementsAre("shoal-shim", "1", "--adopt", told["pid"]));
  EXPECT_EQ(told["ppid"], seen["pid"]);
  EXPECT_EQ(seen["sid"], seen["pid"]);
  EXPECT_EQ(seen["subreaper"], "1");
  EXPECT_THAT(seen.All("fd"),
              UnorderedElementsAre("0 /dev/null", "1 /dev/null", "2 /dev/null", "3 /dev/zero",
                                   MatchesRegex("4 pipe:.*"), "5 " + agent().dir(),
                                   MatchesRegex("7 pipe:.*"), MatchesRegex("8 pipe:.*"),
                                   MatchesRegex("9 pipe:.*"), MatchesRegex("10 pipe:.*")));
  const uint64_t blocked = strtoull(seen["SigBlk:"].c_str(), nullptr, 16);
  const uint64_t unblockable = 1ull << (SIGKILL - 1) | 1ull << (SIGSTOP - 1) | 3ull << 31;
  EXPECT_EQ(blocked | unblockable, ~0ull);
  const uint64_t sigchld = 1ull << (SIGCHLD - 1);
  EXPECT_EQ(strtoull(seen["SigIgn:"].c_str(), nullptr, 16) & sigchld, 0u);
  // Nor does the process.
  EXPECT_EQ(strtoull((told["SigIgn:"]).c_str(), nullptr, 16) & sigchld, 0u);
}

TEST_P(ForkTest, TheShimHasNoWordOfItsProcess) {
  Start();
  agent().env = {"TOKEN=s3cret"};
  const Facts seen = agent().Run({"name", "describe", "s3cret"});
  EXPECT_THAT(Facts(seen["out"]).All("env"), ElementsAre("TOKEN=s3cret"));
  EXPECT_THAT(seen.All("env"), IsEmpty());
  EXPECT_THAT(seen.All("arg"), Not(Contains(HasSubstr("s3cret"))));
}

TEST_P(ForkTest, OutputErrorsAndResultComeByTheirPipes) {
  Start();
  agent().fields = {"result=1"};
  Facts seen = agent().Run({"name", "print", "to out", "to err"});
  EXPECT_EQ(seen["out"], "to out");
  EXPECT_EQ(seen["err"], "to err");
  EXPECT_EQ(seen["result"], "");
  EXPECT_EQ(agent().Run({"name", "result", "42"})["result"], "42");
  agent().fields = {"merge-stderr=1"};
  seen = agent().Run({"name", "print", "both", "both"});
  EXPECT_EQ(seen["out"], "bothboth");
  EXPECT_EQ(seen["err"], "");
}

TEST_P(ForkTest, ExitStatusIsTheProcesss) {
  Start();
  EXPECT_EQ(agent().Run({"name", "exit", "0"})["status"], "0");
  EXPECT_EQ(agent().Run({"name", "exit", "7"})["status"], std::to_string(7 << 8));
  EXPECT_EQ(agent().Run({"name", "raise", "9"})["status"], "9");
  EXPECT_EQ(agent().Run({"name", "raise", "15"})["status"], "15");
}

TEST_P(ForkTest, WhatTheTemplatePrintedIsPrintedOnceAndByIt) {
  Start({"--print", "warm "});
  EXPECT_EQ(agent().Run({"name", "print", "one", ""})["out"], "one");
  EXPECT_EQ(agent().Run({"name", "print", "two", ""})["out"], "two");
  EXPECT_EQ(agent().TemplateOutput(), "warm ");
}

TEST_P(ForkTest, ADirectoryThatIsNotThereFailsTheStart) {
  Start();
  agent().cwd = "/nowhere/at all";
  const Facts seen = agent().Run({"name", "exit", "0"});
  fork_protocol::StartError error = {};
  ASSERT_EQ(seen["start"].size(), sizeof(error));
  memcpy(&error, seen["start"].data(), sizeof(error));
  EXPECT_EQ(error.stage, 4u);
  EXPECT_EQ(error.error_number, ENOENT);
}

TEST_P(ForkTest, AStartedProcessSaysNothing) {
  Start();
  EXPECT_EQ(agent().Run({"name", "exit", "0"})["start"], "");
}

TEST_P(ForkTest, ForbiddenChildrenAreRefusedByTheKernelAndThreadsAreNot) {
  Start();
  EXPECT_EQ(agent().Run({"name", "fork"})["out"], "forked\n");
  agent().fields = {"forbid-children=1"};
  EXPECT_EQ(agent().Run({"name", "fork"})["out"], "EPERM\n");
  EXPECT_EQ(agent().Run({"name", "thread"})["out"], "thread\n");
  agent().fields = {};
  EXPECT_EQ(agent().Run({"name", "fork"})["out"], "forked\n") << "the template is restricted";
}

TEST_P(ForkTest, ASecondThreadIsRefusedWithTheirCount) {
  Start({"--thread"});
  EXPECT_EQ(agent().Fork({"name", "exit", "0"}), "failed 1001 threads 0 it has 2 threads");
}

TEST_P(ForkTest, WrongRequestsAreRefusedAndTheNextIsServed) {
  Start();
  EXPECT_EQ(agent().Fork({}), "failed 1001 request 0 the payload has no arg");
  agent().cwd = "";
  EXPECT_EQ(agent().Fork({"name"}), "failed 1002 request 0 the payload has no cwd");
  agent().cwd = "/";
  agent().fields = {"nofile=many"};
  EXPECT_EQ(agent().Fork({"name"}),
            "failed 1003 request 0 the payload has a nofile that is no number");
  agent().fields = {};
  agent().env = {"NAMELESS"};
  EXPECT_EQ(agent().Fork({"name"}), "failed 1004 request 0 the payload has an env without a name");
  agent().env = {};
  agent().Send("fork 5 5", {});
  EXPECT_THAT(agent().Answer(), StartsWith("failed 5 request 0 0 descriptors came with it"));
  const UniqueFd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
  agent().Send("fork 6 6", {null.get(), null.get(), null.get()});
  EXPECT_THAT(agent().Answer(), StartsWith("failed 6 request 0 3 descriptors came with it"));
}

TEST_P(ForkTest, AShimThatCannotBeExecutedLeavesNoProcess) {
  Start();
  const size_t before = agent().CountIdleDescriptors();
  agent().shim = agent().dir() + "/no-program";
  std::ofstream(agent().shim) << "not to be executed";
  EXPECT_THAT(agent().Fork({"name", "hang"}), StartsWith("failed 1001 shim 13 Permission denied"));
  EXPECT_TRUE(AwaitNoChildOf(agent().template_pid()));
  EXPECT_EQ(agent().CountIdleDescriptors(), before);
}

TEST_P(ForkTest, ARefusalEndsTheOfferWithItsText) {
  agent().StartTemplate(GetParam().program);
  agent().AwaitOffer("refused it has no business here");
  EXPECT_EQ(agent().AwaitTemplateEnd(), 9 << 8);
  EXPECT_THAT(agent().TemplateOutput(),
              HasSubstr("refuses this process as a template: it has no business here\n"));
}

TEST_P(ForkTest, ANewAgentIsOfferedTheProcessAnew) {
  Start();
  EXPECT_EQ(agent().Run({"name", "exit", "1"})["status"], "256");
  for (int i = 0; i < 3; ++i) {
    agent().Leave();
    agent().Listen();
    agent().AwaitOffer();
    EXPECT_EQ(agent().Run({"name", "exit", "2"})["status"], "512");
  }
  EXPECT_EQ(agent().TemplateOutput(), "");
}

TEST_P(ForkTest, AnAgentThatIsNotThereYetIsWaitedForAndNamed) {
  agent().Leave();
  agent().StartTemplate(GetParam().program);
  while (agent().TemplateOutput().find("trying again") == std::string::npos) {
    ASSERT_GT(agent().template_pid(), 1);
    usleep(1000);
  }
  agent().Listen();
  agent().AwaitOffer();
  EXPECT_EQ(agent().Run({"name", "exit", "3"})["status"], "768");
  EXPECT_THAT(agent().TemplateOutput(), HasSubstr(agent().dir() + "/s"));
}

TEST_P(ForkTest, APacketOfAnotherProtocolEndsTheConnectionAlone) {
  Start();
  agent().Send("spoon 1", {});
  EXPECT_EQ(agent().Answer(), "");
  agent().AwaitOffer();
  EXPECT_EQ(agent().Run({"name", "exit", "3"})["status"], "768");
}

TEST_P(ForkTest, TwoHundredForksLeaveNoDescriptorAndNoZombie) {
  Start();
  agent().Run({"name", "exit", "0"});
  const size_t before = agent().CountIdleDescriptors();
  for (int i = 0; i < 200; ++i) {
    ASSERT_EQ(agent().Run({"name", "exit", std::to_string(i % 256)})["status"],
              std::to_string(i % 256 << 8));
  }
  EXPECT_EQ(agent().CountIdleDescriptors(), before);
  EXPECT_TRUE(AwaitNoChildOf(agent().template_pid()));
}

TEST_P(ForkTest, TheProcessOutlivesItsTemplate) {
  Start();
  const std::string answer = agent().Fork({"name", "hang"});
  const pid_t process = ForkedPid(answer);
  ASSERT_GT(process, 1) << answer;
  agent().KillTemplate();
  ASSERT_EQ(kill(process, 0), 0);
  ASSERT_EQ(kill(process, SIGUSR1), 0);
  EXPECT_EQ(agent().AwaitEnd()["status"], std::to_string(SIGUSR1));
}

TEST_P(ForkTest, ATemplateKilledInAForkLeavesNothingOrAProcessWithAShim) {
  for (int i = 0; i < 30; ++i) {
    agent().StartTemplate(GetParam().program);
    agent().AwaitOffer();
    agent().SendFork({"name", "exit", "0"});
    usleep(static_cast<useconds_t>(i * 50));
    agent().KillTemplate();
  }
  // What is left ends by itself, or this test does not: the agent's end waits for it.
}

TEST_P(ForkTest, AForkedProcessCanOfferItselfInTurn) {
  Start();
  agent().env = {"SHOAL_FORK_SOCKET=" + agent().dir() + "/s"};
  const pid_t parent = ForkedPid(agent().Fork({"name", "offer"}));
  ASSERT_GT(parent, 1);
  agent().AwaitOffer();
  const Facts told = Describe();
  EXPECT_NE(told["sid"], std::to_string(parent));
  EXPECT_THAT(told.All("arg"), ElementsAre("name", "describe"));
  EXPECT_THAT(told.All("fd"), Not(Contains(::testing::HasSubstr("socket"))));
  kill(parent, SIGKILL);
}

TEST_P(ForkTest, ProcessAndShimBeginInTheCgroupOfTheProcess) {
  CgroupDir cgroup, shims;
  if (!cgroup.exists() || !shims.exists()) GTEST_SKIP() << "no writable cgroup v2 here";
  Start();
  agent().cgroup = &cgroup;
  agent().shim_cgroup = &shims;
  const Facts seen = agent().Run({"name", "describe"});
  const Facts told(seen["out"]);
  const std::string name = cgroup.path().substr(cgroup.path().rfind('/'));
  EXPECT_THAT(told["cgroup"], ::testing::EndsWith(name));
  EXPECT_THAT(seen["cgroup"], ::testing::EndsWith(name));
  EXPECT_THAT(seen.All("fd"), Contains("6 " + cgroup.path()));
  EXPECT_THAT(seen.All("fd"), Contains("11 " + shims.path()));
}

}  // namespace
}  // namespace shoal::testing
