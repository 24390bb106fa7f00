// Rows about what is to be run, and about hosts that run out of something.
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/ids.h"
#include "tests/support/system/pids_cgroup.h"
#include "tests/system/fault_table.h"

namespace shoal::testing {
namespace {

namespace fs = std::filesystem;

using grpc::StatusCode;
using ::testing::Contains;
using ::testing::Not;

void MissingProgram(FaultTest& test) {
  test.ExpectStartFailed(SpecOf({"/no/such"}), "execve", ENOENT);
}

void Directory(FaultTest& test) { test.ExpectStartFailed(SpecOf({"/tmp"}), "execve", EACCES); }

void TextWithoutInterpreter(FaultTest& test) {
  test.WriteFile(test.Scratch("text"), "echo no\n", 0755);
  test.ExpectStartFailed(SpecOf({test.Scratch("text")}), "execve", ENOEXEC);
}

void MissingInterpreter(FaultTest& test) {
  test.WriteFile(test.Scratch("script"), "#!/no/such/interpreter\n", 0755);
  test.ExpectStartFailed(SpecOf({test.Scratch("script")}), "execve", ENOENT);
  ExpectStatus(test.Spawn(SpecOf({test.Scratch("script")})), StatusCode::FAILED_PRECONDITION,
               {"interpreter", "/no/such/interpreter"});
}

void ProgramBeingWritten(FaultTest& test) {
  const std::string path = test.Scratch("program");
  fs::copy_file("/bin/true", path);
  const UniqueFd writer(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  ExpectStatus(test.Spawn(SpecOf({path})), StatusCode::UNAVAILABLE, {"Text file busy"});
}

void RelativeProgram(FaultTest& test) {
  test.ExpectSpawnRefused(SpecOf({"bin/true"}), StatusCode::INVALID_ARGUMENT, {"argv[0]", "cwd"});
  v1::ProcessSpec spec = SpecOf({"bin/true"});
  spec.set_cwd("/usr");
  EXPECT_TRUE(test.Spawn(spec).ok());
  // Without a slash: the PATH of the spec, not that of the agent.
  const std::string directory = test.Scratch("programs");
  mkdir(directory.c_str(), 0755);
  fs::copy_file("/bin/true", directory + "/only-here");
  spec = SpecOf({"only-here"});
  EXPECT_FALSE(test.Spawn(spec).ok());
  spec.add_env("PATH=/nowhere:" + directory);
  EXPECT_TRUE(test.Spawn(spec).ok());
}

void LongArgument(FaultTest& test) {
  test.ExpectSpawnRefused(SpecOf({"true", std::string(131'072, 'x')}), StatusCode::INVALID_ARGUMENT,
                          {"argv[1] is 131072 bytes, limit 131071"});
  EXPECT_TRUE(test.Spawn(SpecOf({"true", std::string(131'071, 'x')})).ok());
}

void NoArguments(FaultTest& test) {
  test.ExpectSpawnRefused(SpecOf({}), StatusCode::INVALID_ARGUMENT, {"argv is empty"});
  test.ExpectSpawnRefused(SpecOf({""}), StatusCode::INVALID_ARGUMENT, {"argv[0] is empty"});
}

void BadEnvironment(FaultTest& test) {
  const std::map<std::string, std::vector<std::string>> cases = {
      {"no-equals", {"env[0]", "'='"}}, {"=value", {"env[0]", "empty key"}}};
  for (const auto& [entry, words] : cases) {
    v1::ProcessSpec spec = SpecOf({"true"});
    spec.add_env(entry);
    test.ExpectSpawnRefused(spec, StatusCode::INVALID_ARGUMENT, words);
  }
  v1::ProcessSpec spec = SpecOf({"true"});
  spec.add_env("K=1");
  spec.add_env("K=2");
  test.ExpectSpawnRefused(spec, StatusCode::INVALID_ARGUMENT, {"env[1]", "K"});
}

void EnvironmentIsBuilt(FaultTest& test) {
  AgentProcess& agent = test.AddAgent("ant");
  agent.options().env = {{"NOTIFY_SOCKET", "/nowhere"},
                         {"GRPC_VERBOSITY", "ERROR"},
                         {"SECRET_OF_THE_AGENT", "s"},
                         {"LD_LIBRARY_PATH", "/nowhere"}};
  ASSERT_TRUE(agent.Start());
  v1::ProcessSpec spec = SpecOf({"/usr/bin/env"});
  spec.add_env("GIVEN=yes");
  v1::Process process;
  ASSERT_TRUE(test.Spawn(spec, &process).ok());
  test.stub().Wait(process.id(), v1::WaitRequest::UNTIL_EMPTY);
  std::vector<std::string> names;
  const std::string out = test.stub().Output(process.id(), v1::STREAM_KIND_STDOUT);
  for (absl::string_view line : absl::StrSplit(out, '\n', absl::SkipEmpty())) {
    names.emplace_back(line.substr(0, line.find('=')));
  }
  for (const char* name : {"PATH", "HOME", "USER", "SHELL", "GIVEN", "SHOAL_NAME", "SHOAL_ID"}) {
    EXPECT_THAT(names, Contains(name));
  }
  for (const auto& [name, value] : agent.options().env) {
    EXPECT_THAT(names, Not(Contains(name)));
  }
}

void MissingCwd(FaultTest& test) {
  v1::ProcessSpec spec = SpecOf({"true"});
  spec.set_cwd("/no/such/directory");
  test.ExpectStartFailed(spec, "chdir", ENOENT);
}

void OutOfDescriptors(FaultTest& test) {
  test.StartAgent("ant", {"--idle-shims=0"});  // none of them takes or leaves any meanwhile
  v1::Process runs;
  ASSERT_TRUE(test.Spawn(SpecOf({ChildPath(), "sleep"}, "runs"), &runs).ok());
  int open_now = 0;
  for ([[maybe_unused]] const auto& entry :
       fs::directory_iterator(absl::StrCat("/proc/", test.agent().pid(), "/fd"))) {
    ++open_now;
  }
  rlimit before{};
  ASSERT_EQ(prlimit(test.agent().pid(), RLIMIT_NOFILE, nullptr, &before), 0);
  const rlimit tight{static_cast<rlim_t>(open_now), before.rlim_max};
  ASSERT_EQ(prlimit(test.agent().pid(), RLIMIT_NOFILE, &tight, nullptr), 0);
  ExpectStatus(test.Spawn(SpecOf({"true"})), StatusCode::RESOURCE_EXHAUSTED,
               {"Too many open files"});
  EXPECT_EQ(test.stub().Get("runs").state(), v1::STATE_RUNNING);
  ASSERT_EQ(prlimit(test.agent().pid(), RLIMIT_NOFILE, &before, nullptr), 0);
  test.ExpectServing();
}

void OutOfPids(FaultTest& test) {
  test.StartAgent("ant", {"--idle-shims=0"});  // none of them takes or leaves any meanwhile
  PidsCgroup cgroup(test.agent().pid());
  if (!cgroup.usable()) GTEST_SKIP() << "no writable pids controller";
  cgroup.Write("pids.max", cgroup.Current());
  v1::SpawnRequest request;
  request.set_request_id(NewRequestId());
  *request.mutable_spec() = SpecOf({"true"});
  v1::SpawnResponse response;
  ExpectStatus(test.stub().TrySpawn(request, &response), StatusCode::RESOURCE_EXHAUSTED, {});
  cgroup.Write("pids.max", cgroup.Current() + 100);
  // Nothing ran, so the same request may be tried again.
  const grpc::Status again = test.stub().TrySpawn(request, &response);
  EXPECT_TRUE(again.ok()) << Describe(again);
  test.stub().WaitAll(v1::WaitRequest::UNTIL_EMPTY);
  test.agent().Stop();
  cgroup.WaitEmpty();
}

void ForkBomb(FaultTest& test) {
  test.StartAgent("ant", {"--idle-shims=0"});  // none of them takes or leaves any meanwhile
  PidsCgroup cgroup(test.agent().pid());
  if (!cgroup.usable()) GTEST_SKIP() << "no writable pids controller";
  cgroup.Write("pids.max", cgroup.Current() + 60);
  ASSERT_TRUE(test.Spawn(SpecOf({ChildPath(), "bomb"}, "bomb")).ok());
  WaitUntil("the bomb has filled its limit", [&] { return cgroup.Current() > 40; });
  test.stub().TerminateAll();
  EXPECT_TRUE(test.stub().Get("bomb").tree_empty());
  test.agent().Stop();
  cgroup.WaitEmpty();
}

void OutputDiskFull(FaultTest& test) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root to mount";
  AgentProcess& agent = test.AddAgent("ant");
  MountSmallState(test, agent, 5 << 20);
  ASSERT_TRUE(agent.Start());
  constexpr size_t kBytes = 4 << 20;
  v1::Process process;
  ASSERT_TRUE(
      test.Spawn(SpecOf({"sh", "-c", absl::StrCat("head -c ", kBytes, " /dev/zero; exit 3")}, "w"),
                 &process)
          .ok());
  test.stub().WatchUntil([](const v1::Process& seen) {
    for (const int flag : seen.flags()) {
      if (flag == v1::FLAG_OUTPUT_STALLED) return true;
    }
    return false;
  });
  EXPECT_EQ(test.stub().Get("w").state(), v1::STATE_RUNNING);
  fs::remove(agent.state_dir() + "/filler");
  EXPECT_EQ(test.stub().Wait("w", v1::WaitRequest::UNTIL_EMPTY).exit().code(), 3);
  EXPECT_EQ(test.stub().Output("w", v1::STREAM_KIND_STDOUT), std::string(kBytes, '\0'));
  test.agent().stub().TerminateAll();
  test.agent().Stop();
  umount2(agent.state_dir().c_str(), MNT_DETACH);
}

void StateDiskFull(FaultTest& test) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root to mount";
  AgentProcess& agent = test.AddAgent("ant");
  MountSmallState(test, agent, 0);
  ASSERT_TRUE(agent.Start());
  for (const char* name : {"runs", "stops"}) {
    ASSERT_TRUE(test.Spawn(SpecOf({ChildPath(), "sleep"}, name)).ok());
  }
  test.WriteFile(agent.state_dir() + "/filler", std::string(8 << 20, 'f'));
  grpc::Status refused;
  for (int i = 0; i < 2000 && refused.ok(); ++i) refused = test.Spawn(SpecOf({"true"}));
  ExpectStatus(refused, StatusCode::RESOURCE_EXHAUSTED, {});
  EXPECT_EQ(test.stub().Get("runs").state(), v1::STATE_RUNNING);
  const CommandResult stopped = test.Shoal({"stop", "stops"});  // an end needs no commit
  EXPECT_EQ(stopped.exit_code, 0) << stopped;
  kill(test.stub().Get("runs").pid(), SIGKILL);  // an exit is still seen
  EXPECT_EQ(test.stub().Wait("runs", v1::WaitRequest::UNTIL_EXITED).exit().signal(), SIGKILL);
  fs::remove(agent.state_dir() + "/filler");
  test.ExpectServing();
  test.agent().Stop();
  ASSERT_TRUE(test.agent().Start());  // the exit was not stored in time; its record has it
  EXPECT_EQ(test.stub().Get("runs").exit().signal(), SIGKILL);
  test.stub().TerminateAll();
  test.agent().Stop();
  umount2(agent.state_dir().c_str(), MNT_DETACH);
}

void ShimProgramDeleted(FaultTest& test) {
  // Copies of the programs, of which the shim is removed under the running agent.
  const std::string directory = test.Scratch("bin");
  mkdir(directory.c_str(), 0755);
  for (const char* name : {"/shoald", "/shoal-shim"}) {
    fs::copy_file(BinaryPath(name + 1), directory + name);
  }
  AgentProcess& agent = test.AddAgent("ant");
  agent.options().program = directory + "/shoald";
  ASSERT_TRUE(agent.Start());
  fs::remove(directory + "/shoal-shim");
  test.ExpectServing();
}

}  // namespace

void MountSmallState(FaultTest& test, AgentProcess& agent, size_t filler) {
  ASSERT_EQ(unshare(CLONE_NEWNS), 0);
  ASSERT_EQ(mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
  mkdir(agent.state_dir().c_str(), 0700);
  ASSERT_EQ(mount("tmpfs", agent.state_dir().c_str(), "tmpfs", 0, "size=8m,mode=0700"), 0);
  test.WriteFile(agent.state_dir() + "/filler", std::string(filler, 'f'));
}

std::vector<FaultRow> SpawnRows() {
  return {
      {33, "AMissingProgramIsNotFound", MissingProgram},
      {34, "ADirectoryIsNotExecutable", Directory},
      {35, "ATextWithoutInterpreterIsNotGivenToAShell", TextWithoutInterpreter},
      {36, "AMissingInterpreterIsNamed", MissingInterpreter},
      {37, "AProgramBeingWrittenIsUnavailable", ProgramBeingWritten},
      {38, "ARelativeProgramNeedsADirectory", RelativeProgram},
      {40, "ALongArgumentIsMeasured", LongArgument},
      {42, "NoArgumentsAreRefused", NoArguments},
      {43, "ABadEnvironmentEntryIsNamed", BadEnvironment},
      {44, "TheEnvironmentIsBuiltNotInherited", EnvironmentIsBuilt, false},
      {45, "AMissingWorkingDirectoryIsNamed", MissingCwd},
  };
}

std::vector<FaultRow> ResourceRows() {
  return {
      {58, "OutOfDescriptorsNothingRunningIsHurt", OutOfDescriptors, false},
      {59, "OutOfPidsTheSameRequestMayBeTriedAgain", OutOfPids, false},
      {60, "AForkBombCanBeEnded", ForkBomb, false},
      {65, "AFullOutputDiskMakesTheWriterWait", OutputDiskFull, false},
      {66, "AFullStateDiskRefusesSpawnsOnly", StateDiskFull, false},
      {103, "AShimProgramThatIsDeletedIsStillUsed", ShimProgramDeleted, false},
  };
}

}  // namespace shoal::testing
