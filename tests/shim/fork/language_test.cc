// What a template in C++, and one in Python, does that the other cannot.
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

using CppForkTest = ForkTest;
INSTANTIATE_TEST_SUITE_P(Templates, CppForkTest, ::testing::Values(kCpp), NameOf);

TEST_P(CppForkTest, MutexesKnowTheirOwnerAndLibcTheCpu) {
  Start();
  EXPECT_EQ(agent().Run({"name", "locks"})["out"],
            "checked 0\ninheriting 0\ntid 0\nwrong cpus 0\n");
}

// What is executed for a shim is a child of the template's parent when that is a shim, too.
TEST_P(CppForkTest, AShimReapsTheShimsOfItsTemplate) {
  char name[16];
  ASSERT_EQ(prctl(PR_GET_NAME, name), 0);
  ASSERT_EQ(prctl(PR_SET_NAME, "shoal-shim"), 0);
  Start();
  EXPECT_EQ(agent().Run({"name", "exit", "5"})["status"], "1280");
  const Facts seen = agent().Run({"name", "exit", "6"});
  EXPECT_EQ(prctl(PR_SET_NAME, name), 0);
  EXPECT_EQ(seen["ppid"], std::to_string(getpid()));
  EXPECT_EQ(waitpid(atoi(seen["pid"].c_str()), nullptr, 0), atoi(seen["pid"].c_str()));
}

TEST_P(CppForkTest, WithoutASocketItSaysSo) {
  EXPECT_EQ(unsetenv("SHOAL_FORK_SOCKET"), 0);
  EXPECT_EQ(ServeForks().status().message(),
            "SHOAL_FORK_SOCKET is not set: no agent has started this process");
}

using PythonForkTest = ForkTest;
INSTANTIATE_TEST_SUITE_P(Templates, PythonForkTest, ::testing::Values(kPython), NameOf);

TEST_P(PythonForkTest, AnExceptionIsExitCode1AndATraceback) {
  Start();
  const Facts seen = agent().Run({"name", "raise-error"});
  EXPECT_EQ(seen["status"], "256");
  EXPECT_THAT(seen["err"], StartsWith("Traceback (most recent call last):\n"));
  EXPECT_THAT(seen["err"], HasSubstr("ValueError: this went wrong\n"));
  EXPECT_THAT(seen["err"], Not(HasSubstr("shoal_template.py"))) << "of no concern to the reader";
}

TEST_P(PythonForkTest, SystemExitWithATextIsExitCode1AndTheText) {
  Start();
  const Facts seen = agent().Run({"name", "raise-exit", "no mesh"});
  EXPECT_EQ(seen["status"], "256");
  EXPECT_EQ(seen["err"], "no mesh\n");
}

TEST_P(PythonForkTest, WhatIsRegisteredForTheEndRunsWhereItWasRegistered) {
  Start({"--atexit", "of the template"});
  EXPECT_EQ(agent().Run({"name", "exit", "0"})["out"], "");
  EXPECT_EQ(agent().Run({"name", "atexit", "of the process"})["out"], "of the process\n");
}

TEST_P(PythonForkTest, RandomNumbersDiffer) {
  Start();
  EXPECT_NE(agent().Run({"name", "random"})["out"], agent().Run({"name", "random"})["out"]);
}

TEST_P(PythonForkTest, AResultThatNobodyWantsIsAnError) {
  Start();
  EXPECT_THAT(agent().Run({"name", "result", "42"})["err"],
              HasSubstr("RuntimeError: this process was started without a result"));
}

TEST_P(PythonForkTest, ARunningProcessOffersItself) {
  agent().StartTemplate(GetParam().program, {"--offer"}, false);
  agent().AwaitOffer();
  EXPECT_EQ(agent().Run({"name", "exit", "8"})["status"], "2048");
}

TEST_P(PythonForkTest, StartedByHandItRunsAtOnce) {
  agent().StartTemplate(GetParam().program, {"print", "by hand", ""}, false);
  EXPECT_EQ(agent().AwaitTemplateEnd(), 0);
  EXPECT_EQ(agent().TemplateOutput(), "by hand");
}

}  // namespace
}  // namespace shoal::testing
