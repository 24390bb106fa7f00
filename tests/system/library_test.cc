// Functions of a program as processes: tests/support/system/library_program.cc on a real agent.
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/ids.h"
#include "common/unique_fd.h"
#include "tests/support/system/fleet_over_tls.h"

namespace shoal::testing {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class Library : public SystemTest {
 protected:
  void SetUp() override {
    SystemTest::SetUp();
    // As most users have it, and less than it could be.
    getrlimit(RLIMIT_NOFILE, &limit_);
    const rlimit usual = {std::min<rlim_t>(1024, limit_.rlim_max - 1), limit_.rlim_max};
    setrlimit(RLIMIT_NOFILE, &usual);
    StartAgent("ant");
  }

  void TearDown() override {
    SystemTest::TearDown();
    setrlimit(RLIMIT_NOFILE, &limit_);
  }

  CommandResult Run(const std::string& scenario) {
    return RunProgram({BinaryPath("shoal_library_program"), scenario}, UserOptions());
  }

 private:
  rlimit limit_ = {};
};

TEST_F(Library, AnUncaughtExceptionIsExitCode1WithTheStackOfItsThrowAndTheErrorOfJoin) {
  CommandResult run = Run("throw");
  EXPECT_EQ(run.out, "destructors run\nexit code 1\nINTERNAL: uncaught std::runtime_error: boom\n")
      << run;
  EXPECT_THAT(run.err, ContainsRegex("shoal: Process-1 \\(PID [0-9]+ on ant\\): uncaught "
                                     "std::runtime_error: boom; thrown at"));
  EXPECT_THAT(run.err, HasSubstr("ThrowDeepInside"));
}

TEST_F(Library, AnExceptionOnAnotherThreadEndsTheProcessToo) {
  CommandResult run = Run("throw-on-thread");
  EXPECT_EQ(run.out, "exit code 1\nINTERNAL: uncaught std::runtime_error: boom\n") << run;
  EXPECT_THAT(run.err, HasSubstr("ThrowDeepInside"));
}

TEST_F(Library, AnErrorSaysWhoReturnedItAndWithStackWhereItWasMade) {
  CommandResult run = Run("fail");
  EXPECT_EQ(run.out, "destructors run\nexit code 1\nNOT_FOUND: no mesh\n") << run;
  EXPECT_THAT(run.err, ContainsRegex("^shoal: Process-1 \\(PID [0-9]+ on ant\\): NOT_FOUND: "
                                     "no mesh; returned by FailWithout\\(\\)\n$"));
  run = Run("fail-with-stack");
  EXPECT_EQ(run.out, "destructors run\nexit code 1\nNOT_FOUND: no mesh\n") << run;
  EXPECT_THAT(run.err, ContainsRegex("NOT_FOUND: no mesh; returned by FailWithStack\\(\\)\n"
                                     "    @ 0x[0-9a-f]+  .*FailDeepInside\\(\\)\n"
                                     "    @ 0x[0-9a-f]+  .*FailWithStack\\(\\)\n"));
}

TEST_F(Library, ExitInAFunctionIsItsExitCodeAndNoResult) {
  CommandResult run = Run("exit");
  EXPECT_THAT(run.out, HasSubstr("exit code 3\nFAILED_PRECONDITION: no result of Process-1: it "
                                 "exited with code 3 before there was one"))
      << run;
}

TEST_F(Library, ExitWith0InAFunctionIsNoSuccess) {
  CommandResult run = Run("exit-0");
  EXPECT_THAT(run.out, HasSubstr("exit code 0\nFAILED_PRECONDITION: no result of Process-1: it "
                                 "exited with code 0 before there was one"))
      << run;
}

TEST_F(Library, AFunctionThatClosesAllDescriptorsReturnsAndItsFilesAreUntouched) {
  CommandResult run = Run("close-descriptors");
  EXPECT_THAT(run.out, HasSubstr("exit code 0\nresult returned\n")) << run;
  EXPECT_THAT(run.out, HasSubstr("its file has 0 bytes\n")) << run;
}

TEST_F(Library, AResultLargerThanWhatTheAgentKeepsComesThrough) {
  CommandResult run = Run("large-result");
  EXPECT_THAT(run.out, HasSubstr("exit code 0\nresult 73400320 bytes\n")) << run;
}

TEST_F(Library, AnArgumentTooLongForTheEnvironmentIsSentAlong) {
  CommandResult run = Run("large-argument");
  EXPECT_THAT(run.out, HasSubstr("result 1048576\n")) << run;
}

TEST_F(Library, MessagesGoThereAndBack) { EXPECT_THAT(Run("message").out, HasSubstr("pid 42\n")); }

TEST_F(Library, WhatItExecutesInheritsNothingOfTheCall) {
  EXPECT_THAT(Run("environment").out, HasSubstr("result 0\n"));
  EXPECT_THAT(Run("close-on-exec").out, HasSubstr("result result closes\n"));
}

TEST_F(Library, AChildJoinsItsOwnChildrenAtItsEnd) {
  CommandResult run = Run("leave-child");
  EXPECT_THAT(run.out, HasSubstr("Process-1.1, a child of Process-1, ends\n")) << run;
  EXPECT_THAT(run.out, HasSubstr("exit code 0\n"));
}

TEST_F(Library, AChildStartsItsChildrenAsItsParentDoes) {
  EXPECT_THAT(Run("start-methods").out, ContainsRegex("result forkserver, its child forkserver\n"
                                                      "(.*\n)*result another, its child another"));
}

TEST_F(Library, ASentinelWakesAPoll) {
  EXPECT_EQ(Run("sentinel").out, "readable 0\nreadable 1\nexit code -2\n");
}

TEST_F(Library, MembersTravelBySaveAndLoadAlone) {
  EXPECT_THAT(Run("members").out, HasSubstr("result 7 and 0\n"));
}

TEST_F(Library, ACommandWhoseOutputNobodyReadsEnds) {
  CommandResult run = Run("unread");
  EXPECT_EQ(run.out, "ended 1\nDATA_LOSS\n") << run;
}

TEST_F(Library, WhatIsNotAliveMayBeStartedAgainByItsNameAndForgotten) {
  CommandResult run = Run("name-again");
  EXPECT_EQ(run.out, "OK\nOK\n") << run;
}

TEST_F(Library, ASignalEndsProcessesAndProgram) {
  CommandResult run = Run("signal");
  EXPECT_EQ(run.exit_code, 128 + SIGINT) << run;
  EXPECT_THAT(run.out, HasSubstr("started\n"));
  EXPECT_THAT(agents_[0].stub().List(), IsEmpty()) << "observed to be over, and forgotten";
}

TEST_F(Library, ASecondSignalEndsTheProgramAtOnceAndSaysWhatIsLeft) {
  RunningCommand command({BinaryPath("shoal_library_program"), "signal-twice"}, UserOptions());
  CommandResult run = command.Wait();
  EXPECT_EQ(run.exit_code, 128 + SIGINT) << run;
  EXPECT_THAT(run.err, HasSubstr("shoal: ended at once; processes of this program that have not "
                                 "ended yet will be when its sessions lapse\n"));
}

TEST_F(Library, ItFindsItsLibrariesWhereItsParentDid) {
  const std::string directory = Scratch("lib");
  std::filesystem::create_directories(directory);
  std::filesystem::copy(BinaryPath("libshoal_private_library.so"), directory);
  CommandOptions options = UserOptions();
  options.env["LD_LIBRARY_PATH"] = directory;
  CommandResult run = RunProgram({BinaryPath("shoal_library_program"), "library-path"}, options);
  EXPECT_THAT(run.out,
              HasSubstr(absl::StrCat("result ", directory, "/libshoal_private_library.so")))
      << run;
}

TEST_F(Library, TheEndOfTheProgramJoinsTheChildAndEndsTheDaemon) {
  CommandResult run = Run("leave-both");
  EXPECT_EQ(run.exit_code, 0) << run;
  EXPECT_THAT(run.out, HasSubstr("2 active\n"));
  EXPECT_THAT(run.out, HasSubstr("Process-2, a child of MainProcess, ends\n"));
  EXPECT_THAT(agents_[0].stub().List(), IsEmpty());
}

TEST_F(Library, ADaemonMayNotHaveChildren) {
  CommandResult run = Run("daemon");
  EXPECT_THAT(run.out,
              HasSubstr("FAILED_PRECONDITION: cannot start Process-1.1: Process-1 is daemonic, and "
                        "daemonic processes are not allowed to have children"))
      << run;
}

TEST_F(Library, ForbidChildrenHasTheKernelRefuse) {
  CommandResult run = Run("forbid-children");
  EXPECT_THAT(run.out, HasSubstr("result fork: errno 1\n")) << run;
}

TEST_F(Library, AForkServerPreloadsOnceAndOutlivesAnException) {
  CommandResult run = Run("forkserver");
  EXPECT_THAT(run.out, HasSubstr("result Process-1 is itself, has preloaded, parent MainProcess\n"))
      << run;
  EXPECT_THAT(run.out, HasSubstr("exit code 1\nINTERNAL: uncaught std::runtime_error: boom\n"));
  EXPECT_THAT(run.out,
              HasSubstr("result Process-3 is itself, has preloaded, parent MainProcess\n"));
  EXPECT_THAT(run.err, HasSubstr("ThrowDeepInside"));
  EXPECT_THAT(run.out, HasSubstr("result heeds SIGUSR1\n"));
}

TEST_F(Library, EachForkOfARunningProcessHasItsMemoryAsItWas) {
  CommandResult run = Run("fork");
  for (const char* name : {"Process-2", "Process-3", "Process-4"}) {
    EXPECT_THAT(run.out, HasSubstr(absl::StrCat("result ", name, " is itself, has a data set, ")))
        << run;
  }
  EXPECT_THAT(run.out, HasSubstr("exit code 1\nINTERNAL: uncaught std::runtime_error: boom\n"));
  EXPECT_THAT(run.err, HasSubstr("ThrowDeepInside"));
  EXPECT_THAT(run.out, HasSubstr("FAILED_PRECONDITION: no result of loader: it ended by SIGTERM"));
}

TEST_F(Library, AForkWithoutResultLeavesItsParentsAlone) {
  CommandResult run = Run("fork-of-command");
  EXPECT_THAT(run.out, HasSubstr("exit code 0\n")) << run;
  EXPECT_THAT(run.out, HasSubstr("FAILED_PRECONDITION: no result of loader: it ended by SIGTERM"));
  EXPECT_THAT(run.out, HasSubstr("other alive 1\n"));
}

TEST_F(Library, AForkOfWhoDoesNotOfferItselfIsRefusedWithTheReason) {
  CommandResult run = Run("fork-refused");
  EXPECT_THAT(run.out, HasSubstr("FAILED_PRECONDITION: ")) << run;
  EXPECT_THAT(run.out, HasSubstr("sleeper"));
  EXPECT_THAT(run.out, HasSubstr("offer itself"));
}

TEST_F(Library, MapGivesResultsInOrder) {
  CommandResult run = Run("map");
  EXPECT_THAT(run.out, HasSubstr("1\n2\n3\n4\n5\n")) << run;
}

using LibraryOverTls = FleetOverTls;

TEST_F(LibraryOverTls, AShippedProgramShipsItselfToItsOwnAgent) {
  StartFleet(1);
  CommandResult run =
      RunProgram({BinaryPath("shoal_library_program"), "executables"}, UserOptions());
  std::set<std::string> programs;
  for (absl::string_view line : absl::StrSplit(run.out, '\n')) {
    if (absl::EndsWith(line, "/program")) programs.emplace(absl::StripPrefix(line, "result "));
  }
  EXPECT_THAT(programs, SizeIs(3)) << "each has its own, and the fork that of its template" << run;
}

TEST_F(LibraryOverTls, ALibraryThatTheHostLacksIsSentAlong) {
  StartFleet(1);
  CommandResult run =
      RunProgram({BinaryPath("shoal_library_program"), "library-path"}, UserOptions());
  EXPECT_THAT(run.out,
              ContainsRegex(absl::StrCat("\nexit code 0\nresult ", agents_[0].state_dir(),
                                         "/files/[A-Z0-9]+/lib/libshoal_private_library.so\n$")))
      << run;
}

// The process is of a session whose TTL is 2 s. Its first client is killed, and with it goes all that it knew; another
// program has nothing but the request_id of the start.
TEST_F(Library, AProcessWhoseClientWasKilledIsTakenUpByItsRequestIdAlone) {
  CommandOptions options = UserOptions();
  options.env["SHOAL_TEST_REQUEST_ID"] = NewRequestId();
  RunningCommand first({BinaryPath("shoal_library_program"), "leave-handle"}, options);
  ASSERT_TRUE(first.WaitForOutput("written\n"));
  first.Signal(SIGKILL);
  first.Wait();
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd reads(ends[0]);
  UniqueFd writes(ends[1]);
  options.stdin_fd = reads.get();
  RunningCommand second({BinaryPath("shoal_library_program"), "take-up-handle"}, options);
  ASSERT_TRUE(second.WaitForOutput("taken up\n"));
  // Twice what the session of the first one had left at most.
  RunTool({"sleep", "4"});
  EXPECT_TRUE(second.IsRunning());
  writes.Reset();
  const CommandResult result = second.Wait();
  EXPECT_EQ(result.out, "input at 13\ntaken up\nOK\nfirst\nsecond\nthird\n") << result;
}

}  // namespace
}  // namespace shoal::testing
