// What a process is started with, and what is said when it cannot be.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>

#include "tests/shim/shim_test.h"

namespace shoal::testing {
namespace {

using StartTest = ShimTest;
INSTANTIATE_TEST_SUITE_P(Shim, StartTest, ::testing::Bool(), NameOfParam);

// What the verb "list" printed.
std::multimap<std::string, std::string> ListingOf(const std::string& text) {
  std::multimap<std::string, std::string> listing;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const size_t equals = line.find('=');
    listing.emplace(line.substr(0, equals), line.substr(equals + 1));
  }
  return listing;
}

std::string One(const std::multimap<std::string, std::string>& listing, const std::string& key) {
  return listing.count(key) == 1 ? listing.find(key)->second : "not once";
}

void WriteScript(const std::string& path, const std::string& text, mode_t mode = 0755) {
  std::ofstream(path) << text;
  chmod(path.c_str(), mode);
}

void ExpectFailure(ShimHarness& shim, record::Stage stage, int error_number) {
  const record::ShimHalf half = shim.AwaitFinal();
  EXPECT_EQ(half.fail_stage, stage);
  EXPECT_EQ(half.fail_errno, error_number) << strerror(half.fail_errno);
  EXPECT_EQ(half.flags,
            record::kStartFailed | record::kOutputComplete | record::kEmpty | record::kFinal);
  EXPECT_EQ(half.started_ns, 0);
  EXPECT_TRUE(shim.OutputFiles().empty());
}

std::string FileOf(pid_t pid, const std::string& name) {
  std::stringstream text;
  text << std::ifstream("/proc/" + std::to_string(pid) + "/" + name, std::ios::binary).rdbuf();
  return text.str();
}

constexpr unsigned long kMostMappedBytes = 64ul << 20;  // more is a sanitizer's shadow

// What binds a function of glibc at its first call leaves vector registers on the stack.
#ifdef SHOAL_SANITIZED
constexpr bool kIsLinkedLazily = true;
#else
constexpr bool kIsLinkedLazily = false;
#endif

// Looks through all that a process can read of its own memory.
bool HasInMemory(pid_t pid, const std::string& text) {
  std::istringstream maps(FileOf(pid, "maps"));
  std::ifstream memory("/proc/" + std::to_string(pid) + "/mem", std::ios::binary);
  for (std::string line; std::getline(maps, line);) {
    unsigned long from = 0, to = 0;
    char readable = 0;
    sscanf(line.c_str(), "%lx-%lx %c", &from, &to, &readable);
    if (readable != 'r' || to - from > kMostMappedBytes) continue;
    std::string bytes(to - from, '\0');
    memory.clear();
    memory.seekg(static_cast<std::streamoff>(from));
    if (memory.read(bytes.data(), static_cast<std::streamsize>(bytes.size())) &&
        bytes.find(text) != std::string::npos) {
      return true;
    }
  }
  return false;
}

TEST_P(StartTest, TheProcessHasACleanSlate) {
  shim().ignored_signals = {SIGCHLD, SIGPIPE, SIGINT, SIGRTMIN + 3};
  shim().env = {"PATH=/bin", "A=1", "WITH SPACE=\xff\n"};
  umask(0);
  shim().StartChild({"list"});
  umask(022);
  const record::ShimHalf half = shim().AwaitFinal();
  const auto listing = ListingOf(shim().Output(0));

  std::set<std::string> fds;
  for (auto [at, end] = listing.equal_range("fd"); at != end; ++at)
    fds.insert(at->second.substr(0, 6));
  EXPECT_EQ(fds, (std::set<std::string>{"0 /dev", "1 pipe", "2 pipe"}));
  EXPECT_EQ(One(listing, "SigBlk"), "0000000000000000");
  EXPECT_EQ(One(listing, "SigIgn"), "0000000000000000");
  EXPECT_EQ(One(listing, "SigCgt"), "0000000000000000");
  EXPECT_EQ(One(listing, "SigPnd"), "0000000000000000");
  EXPECT_EQ(One(listing, "umask"), "022");
  EXPECT_EQ(One(listing, "pid"), std::to_string(half.pid));
  EXPECT_EQ(One(listing, "ppid"), std::to_string(half.shim_pid));
  EXPECT_EQ(One(listing, "sid"), std::to_string(half.pid));
  EXPECT_EQ(One(listing, "pgid"), std::to_string(half.pid));
  EXPECT_EQ(listing.count("env"), 3u) << "nothing is inherited but what was given";
  EXPECT_NE(shim().Output(0).find("env=WITH SPACE=\xff\n"), std::string::npos);
}

// What the verb "try-children" has to say where they are forbidden.
void ExpectForbidden(const std::string& text) {
  std::istringstream lines(text);
  size_t count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const std::string way = line.substr(0, line.find('='));
    const std::map<std::string, int> others = {{"thread", 0}, {"clone3", ENOSYS}, {"system", 127}};
    const int error = others.count(way) == 0 ? EPERM : others.at(way);
    EXPECT_EQ(line, way + "=" + std::to_string(error));
  }
  EXPECT_GE(count, 6u) << text;
}

TEST_P(StartTest, ForbiddenChildrenAreRefusedByTheKernel) {
  shim().agent.flags |= record::kForbidChildren;
  shim().StartChild({"try-children"});
  EXPECT_EQ(shim().AwaitFinal().wait_status, 0);
  ExpectForbidden(shim().Output(0));
}

TEST_P(StartTest, ForbiddenChildrenStayForbiddenAfterAnExecve) {
  shim().agent.flags |= record::kForbidChildren;
  shim().StartChild({"exec", "try-children", "--"});
  EXPECT_EQ(shim().AwaitFinal().wait_status, 0);
  ExpectForbidden(shim().Output(0));
}

TEST_P(StartTest, ChildrenThatAreNotForbiddenAreStarted) {
  shim().StartChild({"try-children"});
  EXPECT_EQ(shim().AwaitFinal().wait_status, 0);
  for (const char* way : {"fork=0\n", "clone3=0\n", "posix_spawn=0\n", "system=0\n"}) {
    EXPECT_NE(shim().Output(0).find(way), std::string::npos) << way;
  }
}

TEST_P(StartTest, TheShimLeadsASessionOfItsOwn) {
  shim().StartChild({"pause"});
  shim().AwaitFlags(record::kStarted);
  EXPECT_EQ(getsid(shim().shim_pid()), shim().shim_pid());
  EXPECT_EQ(shim().Read().shim_pid, shim().shim_pid());
}

TEST_P(StartTest, StartTicksAreThoseOfProc) {
  for (bool told : {true, false}) {
    for (int attempt = 0; attempt < 20; ++attempt) {  // some of them begin just before a tick
      shim().tell_spawn_began = told;
      shim().StartChild({"pause"});
      const record::ShimHalf half = shim().AwaitFlags(record::kStarted);
      ASSERT_EQ(half.start_ticks, StartTicksOf(half.pid));
      ASSERT_EQ(half.shim_start_ticks, StartTicksOf(half.shim_pid));
      shim().Terminate(SIGKILL, 0);
      shim().AwaitFinal();
      Reset();
    }
  }
}

TEST_P(StartTest, TheProcessIsInItsCgroupAndTheShimIsNot) {
  if (!GetParam()) return;
  shim().StartChild({"pause"});
  const record::ShimHalf half = shim().AwaitFlags(record::kStarted);
  EXPECT_EQ(PidsIn(shim().cgroup()->Read("cgroup.procs")), std::vector<pid_t>{half.pid});
}

TEST_P(StartTest, ArgumentsAreAnyBytes) {
  shim().StartChild({"list", "print", "", "print", "\xff\x01 'x'"});
  shim().AwaitFinal();
  const auto listing = ListingOf(shim().Output(0));
  EXPECT_EQ(listing.count("argv"), 6u);
  EXPECT_NE(shim().Output(0).find("argv=\xff\x01 'x'\n"), std::string::npos);
}

// Short of what the kernel takes: 2 MiB with a stack of 8 MiB, pointers included.
TEST_P(StartTest, ALargeArgvArrivesWordByWord) {
  std::vector<std::string> words = {"list"};
  for (int i = 0; i < 19; ++i) {
    words.insert(words.end(),
                 {"print", "", "print", std::string(100'000, static_cast<char>('A' + i))});
  }
  shim().agent.cap_bytes = 2 * record::kDefaultCapBytes;
  shim().StartChild(words);
  EXPECT_EQ(shim().AwaitFinal().wait_status, 0);
  const std::string out = shim().Output(0);
  for (int i = 0; i < 19; ++i) {
    const std::string word(100'000, static_cast<char>('A' + i));
    EXPECT_NE(out.find("argv=\nargv=print\nargv=" + word + "\n"), std::string::npos) << i;
  }
}

TEST_P(StartTest, WordsBeyondTheKernelsLimitAreE2big) {
  for (const bool one_word : {true, false}) {
    std::vector<std::string> words(one_word ? 1 : 40,
                                   std::string(one_word ? 131'072 : 100'000, 'x'));
    words.insert(words.begin(), {"print", "ran"});
    shim().StartChild(words);
    ExpectFailure(shim(), record::Stage::kExec, E2BIG);
    Reset();
  }
}

TEST_P(StartTest, AnEnvironmentBeyondTheKernelsLimitIsE2big) {
  shim().env.push_back("A=" + std::string(131'072, 'x'));
  shim().StartChild({"print", "ran"});
  ExpectFailure(shim(), record::Stage::kExec, E2BIG);
}

TEST_P(StartTest, APayloadThatEndsWithinAFieldIsEinval) {
  shim().payload_rest = "arg=half";
  shim().StartChild({"print", "ran"});
  ExpectFailure(shim(), record::Stage::kSetup, EINVAL);
}

TEST_P(StartTest, UnknownFieldsOfAPayloadArePassedOver) {
  constexpr char kFields[] = "later=1\0nofield\0arg=print\0arg=x";
  shim().payload_rest = std::string(kFields, sizeof(kFields));
  shim().StartChild({});
  EXPECT_EQ(shim().AwaitFinal().wait_status, 0);
  EXPECT_EQ(shim().Output(0), "x");
}

// The shim lives as long as its process, which may have wiped a password meanwhile.
TEST_P(StartTest, TheShimHasNoWordOfItsProcess) {
  const std::string secret = "argument-s3cret", variable = "variable-s3cret";
  shim().env.push_back("TOKEN=" + variable);
  shim().StartChild({"print", secret, "pause"});
  shim().AwaitOutput(0, secret);
  const record::ShimHalf half = shim().AwaitFlags(record::kStarted);
  for (const char* file : {"cmdline", "environ"}) {
    const std::string text = FileOf(half.shim_pid, file);
    EXPECT_EQ(text.find("s3cret"), std::string::npos) << file;
    EXPECT_NE(FileOf(half.pid, file).find("s3cret"), std::string::npos) << file;
  }
  if (!kIsLinkedLazily) {
    EXPECT_FALSE(HasInMemory(half.shim_pid, secret));
    EXPECT_FALSE(HasInMemory(half.shim_pid, variable));
  }
  EXPECT_TRUE(HasInMemory(half.pid, secret)) << "this test does not look well";
}

// The value of a line of /proc/PID/limits, soft and hard.
std::string LimitOf(pid_t pid, const std::string& name) {
  std::istringstream lines(FileOf(pid, "limits"));
  for (std::string line; std::getline(lines, line);) {
    if (line.compare(0, name.size(), name) == 0) return line.substr(name.size());
  }
  return "no such limit";
}

TEST_P(StartTest, TheShimLeavesNoCoreDumpAndTheProcessHasTheLimitThatWas) {
  shim().StartChild({"print", "here", "pause"});
  shim().AwaitOutput(0, "here");
  const record::ShimHalf half = shim().AwaitFlags(record::kStarted);
  const std::string own = LimitOf(getpid(), "Max core file size");
  EXPECT_EQ(LimitOf(half.pid, "Max core file size"), own);
  EXPECT_EQ(LimitOf(half.shim_pid, "Max core file size").find_first_not_of(' '),
            LimitOf(half.shim_pid, "Max core file size").find('0'));
}

TEST_P(StartTest, ThatTheShimIsNotDumpableDoesNotReachTheProcess) {
  if (access("/usr/bin/python3", X_OK) != 0) GTEST_SKIP() << "no python3";
  shim().Start(
      {"/usr/bin/python3", "-c", "import ctypes; print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"});
  shim().AwaitFinal();
  EXPECT_EQ(shim().Output(0), "1\n");
}

TEST_P(StartTest, TheMemoryOfAShimIsNotReadByOthersOfItsUser) {
  if (geteuid() == 0) GTEST_SKIP() << "root reads all";
  shim().StartChild({"print", "here", "pause"});
  shim().AwaitOutput(0, "here");
  const record::ShimHalf half = shim().AwaitFlags(record::kStarted);
  struct stat shims {};
  struct stat own {};
  const std::string path = "/proc/" + std::to_string(half.shim_pid) + "/environ";
  ASSERT_EQ(stat(path.c_str(), &shims), 0);
  ASSERT_EQ(stat("/proc/self/environ", &own), 0);
  EXPECT_EQ(shims.st_uid, 0u) << "of a dumpable one it would be " << own.st_uid;
}

TEST_P(StartTest, TheWorkingDirectoryIsTheOneGiven) {
  shim().cwd = shim().dir();
  shim().StartChild({"list"});
  shim().AwaitFinal();
  EXPECT_EQ(One(ListingOf(shim().Output(0)), "cwd"), shim().dir());
}

TEST_P(StartTest, ARelativeProgramIsRelativeToTheWorkingDirectory) {
  WriteScript(shim().dir() + "/tool", "#!/bin/sh\necho here");
  shim().cwd = shim().dir();
  shim().Start({"./tool"});
  shim().AwaitFinal();
  EXPECT_EQ(shim().Output(0), "here\n");
}

TEST_P(StartTest, AMissingProgramIsEnoent) {
  shim().Start({"/nonexistent/program"});
  ExpectFailure(shim(), record::Stage::kExec, ENOENT);
}

TEST_P(StartTest, AMissingNameIsEnoent) {
  shim().Start({"shoal-no-such-program"});
  ExpectFailure(shim(), record::Stage::kExec, ENOENT);
}

TEST_P(StartTest, AnEmptyNameIsEnoent) {
  shim().Start({""});
  ExpectFailure(shim(), record::Stage::kExec, ENOENT);
}

TEST_P(StartTest, ADirectoryIsEacces) {
  shim().Start({"/tmp"});
  ExpectFailure(shim(), record::Stage::kExec, EACCES);
}

TEST_P(StartTest, AFileThatIsNotExecutableIsEacces) {
  WriteScript(shim().dir() + "/tool", "#!/bin/sh\n", 0644);
  shim().Start({shim().dir() + "/tool"});
  ExpectFailure(shim(), record::Stage::kExec, EACCES);
}

TEST_P(StartTest, ATextFileIsEnoexecAndNeverAShellScript) {
  WriteScript(shim().dir() + "/tool", "echo ran\n");
  shim().env = {"PATH=" + shim().dir()};
  shim().Start({"tool"});
  ExpectFailure(shim(), record::Stage::kExec, ENOEXEC);
}

TEST_P(StartTest, AMissingInterpreterIsEnoent) {
  WriteScript(shim().dir() + "/tool", "#!/nonexistent/interpreter\n");
  shim().Start({shim().dir() + "/tool"});
  ExpectFailure(shim(), record::Stage::kExec, ENOENT);
}

TEST_P(StartTest, AMissingWorkingDirectoryIsAFailureOfChdir) {
  shim().cwd = "/nonexistent/dir";
  shim().StartChild({"exit", "0"});
  ExpectFailure(shim(), record::Stage::kChdir, ENOENT);
}

TEST_P(StartTest, AProgramThatIsBeingWrittenIsEtxtbsyAfterRetries) {
  WriteScript(shim().dir() + "/tool", "#!/bin/sh\n");
  const int writer = open((shim().dir() + "/tool").c_str(), O_WRONLY | O_CLOEXEC);
  shim().Start({shim().dir() + "/tool"});
  ExpectFailure(shim(), record::Stage::kExec, ETXTBSY);
  close(writer);
}

TEST_P(StartTest, NoArgumentsAtAllIsEinval) {
  shim().Start({});
  ExpectFailure(shim(), record::Stage::kSetup, EINVAL);
}

TEST_P(StartTest, AnEndThatWasWantedBeforehandRunsNothing) {
  shim().agent.terminate_serial = 4;
  shim().agent.terminate_cause = record::EndCause::kSessionClosed;
  shim().StartChild({"print", "ran"});
  ExpectFailure(shim(), record::Stage::kSetup, ECANCELED);
  EXPECT_EQ(shim().Read().end_cause, record::EndCause::kSessionClosed);
  EXPECT_EQ(shim().Read().terminate_serial, 4u);
}

TEST_P(StartTest, ALimitOnProcessesIsEagainAtFork) {
  CgroupDir pids("pids");
  if (!pids.exists()) GTEST_SKIP() << "no pids controller";
  ASSERT_TRUE(pids.Write("pids.max", "2"));  // this test and the shim
  shim().join_cgroup = pids.path();
  shim().StartChild({"exit", "0"});
  ExpectFailure(shim(), record::Stage::kFork, EAGAIN);
  shim().LeaveCgroup();
}

TEST_P(StartTest, PathSearchRemembersEacces) {
  mkdir((shim().dir() + "/a").c_str(), 0755);
  mkdir((shim().dir() + "/b").c_str(), 0755);
  WriteScript(shim().dir() + "/a/tool", "#!/bin/sh\necho a", 0644);
  shim().env = {"PATH=/nonexistent:" + shim().dir() + "/a:" + shim().dir() + "/b"};
  shim().Start({"tool"});
  ExpectFailure(shim(), record::Stage::kExec, EACCES);
}

TEST_P(StartTest, PathSearchGoesOnBehindEacces) {
  mkdir((shim().dir() + "/a").c_str(), 0755);
  mkdir((shim().dir() + "/b").c_str(), 0755);
  WriteScript(shim().dir() + "/a/tool", "#!/bin/sh\necho a", 0644);
  WriteScript(shim().dir() + "/b/tool", "#!/bin/sh\necho b");
  shim().env = {"PATH=" + shim().dir() + "/a:" + std::string(5000, 'x') + ":" + shim().dir() +
                "/b"};
  shim().Start({"tool"});
  shim().AwaitFinal();
  EXPECT_EQ(shim().Output(0), "b\n");
}

TEST_P(StartTest, AnEmptyPathElementIsTheWorkingDirectory) {
  WriteScript(shim().dir() + "/tool", "#!/bin/sh\necho here");
  shim().cwd = shim().dir();
  shim().env = {"PATH=/nonexistent::/bin"};
  shim().Start({"tool"});
  shim().AwaitFinal();
  EXPECT_EQ(shim().Output(0), "here\n");
}

TEST_P(StartTest, WithoutPathTheStandardOneIsSearched) {
  shim().env = {"HOME=/"};
  shim().Start({"true"});
  EXPECT_EQ(shim().AwaitFinal().wait_status, 0);
}

TEST_P(StartTest, ARefusedCgroupIsFlaggedAndTheProcessRuns) {
  if (!GetParam()) return;
  shim().remove_cgroup = true;
  shim().StartChild({"daemon", "1", "ignore", "15", "pause", "--", "exit", "6"});
  EXPECT_TRUE(shim().AwaitFlags(record::kExited).flags & record::kCgroupRefused);
  shim().Terminate(SIGTERM, 10 * kMs);
  EXPECT_EQ(WEXITSTATUS(shim().AwaitFinal().wait_status), 6);
}

TEST_P(StartTest, WhatNeedsItsCgroupDoesNotRunWithoutIt) {
  if (!GetParam()) return;
  shim().remove_cgroup = true;
  shim().agent.flags |= record::kNeedsCgroup;
  shim().StartChild({"exit", "0"});
  const record::ShimHalf half = shim().AwaitFinal();
  EXPECT_TRUE(half.flags & record::kStartFailed);
  EXPECT_EQ(half.fail_stage, record::Stage::kFork);
  EXPECT_EQ(half.pid, 0);
}

TEST_P(StartTest, ADamagedAgentHalfIsRefusedAndNothingWritten) {
  shim().damage_half = shim().refused = true;
  shim().StartChild({"exit", "0"});
  EXPECT_EQ(WEXITSTATUS(shim().AwaitShimEnd()), 65);
  EXPECT_EQ(shim().Read().flags, 0u);
}

}  // namespace
}  // namespace shoal::testing
