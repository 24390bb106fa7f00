// Facts and checks of the host, the environment of its user, and why a start was refused.
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "agent/os/base_environment.h"
#include "agent/os/host_checks.h"
#include "agent/os/host_facts.h"
#include "agent/os/lock_file.h"
#include "agent/os/start_explanation.h"
#include "agent/os/system_clock.h"
#include "common/private_directory.h"
#include "tests/unit/os/scratch.h"

namespace shoal::agent {
namespace {

using Result = HostCheck::Result;

TEST(HostFacts, AreRead) {
  const HostFacts facts = ReadHostFacts();
  EXPECT_FALSE(facts.name.empty());
  EXPECT_EQ(facts.boot_id.size(), 36u);
  EXPECT_GE(facts.cores, 1);
  EXPECT_GT(facts.memory_total_bytes, facts.memory_available_bytes);
  EXPECT_GT(facts.memory_available_bytes, 0);
  EXPECT_LT(facts.boot_time, absl::Now());
}

TEST(HostFacts, MemoryIsFoundByItsWholeKey) {
  constexpr char kText[] = "MemTotalX:  1 kB\nMemTotal:       2048 kB\nMemFree: 7 MB\n";
  EXPECT_EQ(MemoryBytes(kText, "MemTotal"), 2048 * 1024);
  EXPECT_EQ(MemoryBytes(kText, "MemFree"), 0);
  EXPECT_EQ(MemoryBytes(kText, "Swap"), 0);
}

TEST(HostFacts, KernelVersionsAreComparedAsNumbers) {
  EXPECT_TRUE(KernelIsAtLeast("5.14.0-1-amd64", 5, 14));
  EXPECT_TRUE(KernelIsAtLeast("6.1.0", 5, 14));
  EXPECT_FALSE(KernelIsAtLeast("5.4.0", 5, 14));
  EXPECT_FALSE(KernelIsAtLeast("4.19", 5, 14));
  EXPECT_FALSE(KernelIsAtLeast("", 5, 14));
}

TEST(HostChecks, WhatIsNotWellNamesARemedy) {
  ScratchDirectory scratch;
  const HostCheckInput input{scratch.path(), scratch.path(), nullptr,
                             absl::FailedPreconditionError("no writable cgroup v2: none")};
  for (const HostCheck& check : CheckHost(input)) {
    EXPECT_EQ(check.result == Result::kOk, check.remedy.empty()) << check.name;
    EXPECT_FALSE(check.detail.empty()) << check.name;
  }
}

TEST(HostChecks, EachSaysWhatItStandsOn) {
  EXPECT_EQ(CheckCgroup(nullptr, absl::FailedPreconditionError("x")).result, Result::kDegraded);
  EXPECT_EQ(CheckKernel("5.10.0").result, Result::kFailed);
  EXPECT_EQ(CheckKernel("5.14.0").result, Result::kOk);
  EXPECT_EQ(CheckDescriptorLimit(1024).result, Result::kDegraded);
  EXPECT_EQ(CheckDescriptorLimit(1 << 20).result, Result::kOk);
  EXPECT_EQ(CheckPidLimit(100).result, Result::kDegraded);
  EXPECT_EQ(CheckPidLimit(-1).result, Result::kOk);
  EXPECT_EQ(CheckRunDir("/nowhere").result, Result::kFailed);
  EXPECT_EQ(CheckRunDir("/dev/shm").result, Result::kOk);
  const auto remedy = [](const char* tmpfs) {
    return RunDirRemedy("/var/shoal", [tmpfs](const std::string& path) { return path == tmpfs; });
  };
  EXPECT_EQ(remedy("/run"), "Put --run-dir below /run, which is on tmpfs.");
  EXPECT_EQ(remedy("/dev/shm"), "Put --run-dir below /dev/shm, which is on tmpfs.");
  EXPECT_EQ(
      remedy("none"),
      "Nothing here is on tmpfs, /run and /dev/shm included: stop the agent, `mount -t tmpfs -o "
      "mode=0700 tmpfs /var/shoal`, and start it again.");
  EXPECT_EQ(CheckStateDir("/nowhere").result, Result::kFailed);
  EXPECT_EQ(CheckSubreaper().result, Result::kOk);
  EXPECT_EQ(CheckInsecureLoopback().result, Result::kDegraded);
  EXPECT_EQ(CheckSystemd({"shoald.service", "control-group"}).result, Result::kFailed);
  EXPECT_EQ(CheckSystemd({"shoald.service", "process"}).result, Result::kOk);
  EXPECT_EQ(CheckSystemd({"shoald.service", ""}).result, Result::kDegraded);
}

TEST(BaseEnvironment, HasFourEntriesAndNothingOfOurs) {
  setenv("SHOAL_TEST_LEAK", "1", 1);
  const std::vector<std::string> env = BaseEnvironment();
  ASSERT_EQ(env.size(), 4u);
  EXPECT_TRUE(absl::StartsWith(env[0], "PATH=/"));
  EXPECT_TRUE(absl::StartsWith(env[1], "HOME=/"));
  EXPECT_TRUE(absl::StartsWith(env[2], "USER="));
  EXPECT_TRUE(absl::StartsWith(env[3], "SHELL=/"));
}

TEST(SystemClock, BootTimeGoesOn) {
  SystemClock clock;
  const absl::Duration before = clock.BootTime();
  EXPECT_GT(before, absl::ZeroDuration());
  EXPECT_GE(clock.BootTime(), before);
  EXPECT_LT(absl::AbsDuration(clock.Now() - absl::Now()), absl::Minutes(1));
}

TEST(LockFile, SecondHolderIsToldWhoTheFirstIs) {
  ScratchDirectory scratch;
  auto first = LockFile::Take(scratch / "lock", "state directory /x");
  ASSERT_TRUE(first.ok()) << first.status();
  auto second = LockFile::Take(scratch / "lock", "state directory /x");
  EXPECT_TRUE(absl::IsFailedPrecondition(second.status()));
  EXPECT_EQ(second.status().message(),
            absl::StrCat("state directory /x is in use by PID ", getpid()));
}

TEST(LockFile, IsFreeAgainWhenTheHolderIsGone) {
  ScratchDirectory scratch;
  WriteFile(scratch / "lock", "99999999999\n");
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(LockFile::Take(scratch / "lock", "x").ok());
  EXPECT_EQ(ReadFile(scratch / "lock"), absl::StrCat(getpid(), "\n"));
}

TEST(PrivateDirectory, IsMadeWithWhatIsAboveIt) {
  ScratchDirectory scratch;
  ASSERT_TRUE(MakePrivateDirectory(scratch / "a/b/c", "run directory").ok());
  struct stat facts {};
  ASSERT_EQ(stat((scratch / "a/b/c").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0700u);
  EXPECT_TRUE(MakePrivateDirectory(scratch / "a/b/c", "run directory").ok());
}

TEST(PrivateDirectory, OpenOneOrAFileOrALinkIsRefused) {
  ScratchDirectory scratch;
  std::filesystem::create_directory(scratch / "open");
  chmod((scratch / "open").c_str(), 0755);
  WriteFile(scratch / "file", "");
  std::filesystem::create_symlink("/tmp", scratch / "link");
  for (const char* name : {"open", "file", "link"}) {
    const absl::Status status = MakePrivateDirectory(scratch / name, "run directory");
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << name << ": " << status;
    EXPECT_TRUE(absl::StartsWith(status.message(), "run directory ")) << status;
  }
  EXPECT_TRUE(absl::StrContains(MakePrivateDirectory(scratch / "open", "run directory").message(),
                                "has mode 0755"));
}

// The agent must not have its user close /tmp, or another directory of the whole system, to all others.
TEST(PrivateDirectory, TheWayOutLeavesWhatTheSystemUsesAsItIs) {
  ScratchDirectory scratch;
  const std::string path = scratch / "shared";
  std::filesystem::create_directory(path);
  chmod(path.c_str(), 01777);
  EXPECT_EQ(
      MakePrivateDirectory(path, "run directory").message(),
      absl::StrCat("run directory ", path, " has mode 1777, open to others; name one below it"));
  chmod(path.c_str(), 0755);
  EXPECT_EQ(MakePrivateDirectory(path, "run directory").message(),
            absl::StrCat("run directory ", path,
                         " has mode 0755, open to others; name one of its own, or chmod 700 this "
                         "one"));
}

class StartExplanationTest : public ::testing::Test {
 protected:
  std::string Explain(const std::string& program, int error_number) {
    Spec spec;
    spec.argv = {program};
    spec.cwd = scratch_.path();
    return ExplainStart(spec, "/usr/bin:/bin", record::Stage::kExec, error_number);
  }
  ScratchDirectory scratch_;
};

TEST_F(StartExplanationTest, MissingInterpreterIsNamed) {
  WriteFile(scratch_ / "run.py", "#! /usr/bin/python9 -u\nprint(1)\n", 0755);
  EXPECT_EQ(Explain(scratch_ / "run.py", ENOENT),
            absl::StrCat("interpreter of '", scratch_ / "run.py", "' not found: /usr/bin/python9"));
  EXPECT_TRUE(absl::StartsWith(Explain("./run.py", ENOENT), "interpreter of "));
  WriteFile(scratch_ / "dos", "#!/bin/sh\r\n", 0755);
  EXPECT_TRUE(absl::EndsWith(Explain(scratch_ / "dos", ENOENT), "its lines end in \\r\\n"));
}

TEST_F(StartExplanationTest, MissingProgramIsSaidByErrnoAloneOrWithThePathSearched) {
  EXPECT_EQ(Explain("/nowhere/x", ENOENT), "");
  EXPECT_EQ(Explain("no-such-program-at-all", ENOENT), "not found in PATH /usr/bin:/bin");
}

TEST_F(StartExplanationTest, RefusedProgramIsDescribed) {
  WriteFile(scratch_ / "plain", "hello\n", 0644);
  EXPECT_EQ(Explain(scratch_.path(), EACCES), "it is a directory");
  EXPECT_EQ(Explain(scratch_ / "plain", EACCES), "it is not executable, mode 0644");
  EXPECT_EQ(Explain(scratch_ / "plain", ENOEXEC),
            "it is neither a program for this processor nor does it begin with #!");
  WriteFile(scratch_ / "empty", "", 0755);
  EXPECT_EQ(Explain(scratch_ / "empty", ENOEXEC), "it is empty");
  WriteFile(scratch_ / "elf", "\177ELF", 0755);
  EXPECT_EQ(Explain(scratch_ / "elf", ENOEXEC), "it is built for another processor");
}

}  // namespace
}  // namespace shoal::agent
