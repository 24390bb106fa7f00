// The clone and the execve of shims alone. Without a record slot a shim refuses to work, but it is the
// shim that says so, by exit status 65.
#include "agent/os/shim_spawner.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <iterator>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "agent/os/descriptor.h"
#include "agent/record/record_layout.h"
#include "common/ids.h"
#include "tests/unit/os/system_shims_fixture.h"

namespace shoal::agent {
namespace {

constexpr int kRefusesToWork = 65;

class ShimSpawnerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    spawner_ = *ShimSpawner::Open(SHOAL_SHIM);
    null_ = *OpenAt(AT_FDCWD, "/dev/null", O_RDWR);
    WriteFile(file(), "x", 0600);
    record_ = *OpenAt(AT_FDCWD, file(), O_RDWR);
    struct flock lock = Lock();
    ASSERT_EQ(fcntl(record_.get(), F_OFD_SETLK, &lock), 0);
  }

  std::string file() const { return scratch_ / "record"; }
  static struct flock Lock() {
    struct flock lock {};
    lock.l_type = F_WRLCK;
    return lock;
  }
  absl::StatusOr<pid_t> Spawn(ShimSpawner* spawner) {
    ShimStart start;
    start.id = NewId();
    return spawner->Spawn(1, start,
                          {record_.get(), null_.get(), null_.get(), null_.get(), null_.get()});
  }
  // The exit status of the shim.
  int SpawnAndWait() {
    const absl::StatusOr<pid_t> pid = Spawn(spawner_.get());
    EXPECT_TRUE(pid.ok()) << pid.status();
    int status = 0;
    if (!pid.ok() || waitpid(*pid, &status, 0) != *pid) return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  // True: no descriptor has the lock once the test has closed its own.
  bool IsLetGo() {
    record_.Reset();
    const UniqueFd other = *OpenAt(AT_FDCWD, file(), O_RDWR);
    struct flock lock = Lock();
    return fcntl(other.get(), F_OFD_SETLK, &lock) == 0;
  }

  ScratchDirectory scratch_;
  std::unique_ptr<ShimSpawner> spawner_;
  UniqueFd null_, record_;
};

TEST_F(ShimSpawnerTest, TheAgentKeepsNoDuplicateOfWhatAShimWasGiven) {
  EXPECT_EQ(SpawnAndWait(), kRefusesToWork);
  EXPECT_TRUE(IsLetGo());
}

TEST_F(ShimSpawnerTest, ARefusedProgramLeavesNeitherChildNorDuplicate) {
  const std::string program = scratch_ / "shim";
  WriteFile(program, "not a program", 0755);
  const std::unique_ptr<ShimSpawner> spawner = *ShimSpawner::Open(program);
  const absl::Status refused = Spawn(spawner.get()).status();
  EXPECT_NE(refused.message().find("start of the shim of "), std::string::npos) << refused;
  EXPECT_NE(refused.message().find("Exec format error"), std::string::npos) << refused;
  EXPECT_EQ(waitpid(-1, nullptr, 0), -1);
  EXPECT_EQ(errno, ECHILD);
  EXPECT_TRUE(IsLetGo());
}

TEST_F(ShimSpawnerTest, TheAgentsDescriptorsStayAsTheyAre) {
  const std::string before = std::filesystem::read_symlink("/proc/self/fd/0");
  EXPECT_EQ(SpawnAndWait(), kRefusesToWork);
  EXPECT_EQ(std::filesystem::read_symlink("/proc/self/fd/0"), before);
  EXPECT_EQ(std::filesystem::read_symlink(absl::StrCat("/proc/self/fd/", record_.get())), file());
}

// As a container's system call filter has it that is older than the call.
TEST_F(ShimSpawnerTest, ShimsAreStartedWhereCloseRangeIsRefused) {
  std::thread filtered([this] {
    sock_filter rules[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                           BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_close_range, 0, 1),
                           BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
                           BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    const sock_fprog program = {std::size(rules), rules};
    ASSERT_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    ASSERT_EQ(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
    EXPECT_EQ(SpawnAndWait(), kRefusesToWork);
    EXPECT_EQ(SpawnAndWait(), kRefusesToWork);
  });
  filtered.join();
  EXPECT_TRUE(IsLetGo());
}

TEST_F(ShimSpawnerTest, WhatCannotBeStartedIsSaidAndTheNextIsStarted) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const rlimit tight = {.rlim_cur = 3, .rlim_max = limit.rlim_max};
  setrlimit(RLIMIT_NOFILE, &tight);
  const absl::Status refused = Spawn(spawner_.get()).status();
  setrlimit(RLIMIT_NOFILE, &limit);
  EXPECT_FALSE(refused.ok());
  EXPECT_EQ(SpawnAndWait(), kRefusesToWork);
  EXPECT_TRUE(IsLetGo());
}

using SpawnedShimTest = SystemShimsTest;

TEST_F(SpawnedShimTest, InheritsNothingThatItIsNotGiven) {
  constexpr int kHigh = 900;
  const UniqueFd inheritable(
      dup2(output_.get(), kHigh));  // not close-on-exec, as a library may leave it
  ASSERT_EQ(inheritable.get(), kHigh);
  const ShimStart start = Plan({"pause"});
  const int slot = Start(start);
  ASSERT_TRUE(WaitFor(slot, start.id, record::kStarted));
  const pid_t shim = shims_->Look(slot, start.id).shim->shim_pid;
  EXPECT_TRUE(std::filesystem::is_symlink(
      std::filesystem::symlink_status(absl::StrCat("/proc/", shim, "/fd/", record::kRecordFd))));
  EXPECT_FALSE(std::filesystem::is_symlink(
      std::filesystem::symlink_status(absl::StrCat("/proc/", shim, "/fd/", kHigh))));
}

}  // namespace
}  // namespace shoal::agent
