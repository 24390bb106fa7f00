// How a child returns its result, through descriptor 3 of a process of its own.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <optional>
#include <string>

#include "common/unique_fd.h"
#include "shoal/child/child_main.h"
#include "shoal/child/function_call.h"
#include "shoal/registry.h"

namespace shoal {
namespace {

using ::testing::ExitedWithCode;

constexpr int kFile = 100;  // a file of the user's, as the test left it

absl::StatusOr<std::string> Mine() { return "mine"; }

// As a daemon that closes what it has not opened, and then opens files.
absl::StatusOr<std::string> CloseAllByLimit() {
  int file = dup(kFile);
  for (int fd = 3; fd < static_cast<int>(sysconf(_SC_OPEN_MAX)); ++fd) {
    if (fd != file) close(fd);
  }
  for (int i = 0; i < 20; ++i) {
    if (dup(file) < 0) return "no descriptor";
  }
  return "mine";
}

// Not one of them is left, and a file has the place of each.
absl::StatusOr<std::string> TakeEveryPlace() {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  for (int fd = 3; fd < 8192; ++fd) {
    if (fd != kFile && fcntl(fd, F_GETFD) >= 0) dup2(kFile, fd);
  }
  return "mine";
}

absl::StatusOr<std::string> ForkAndReturnTwice() {
  pid_t child = fork();
  if (child == 0) return "of the fork";
  int status = -1;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? "mine" : "not what it should be";
}

absl::StatusOr<std::string> WhereItIs() {
  for (int fd = 3; fd < 8192; ++fd) {
    struct stat status;
    if (fstat(fd, &status) != 0 || !S_ISFIFO(status.st_mode)) continue;
    return fd < static_cast<int>(sysconf(_SC_OPEN_MAX)) ? "below the limit" : "above the limit";
  }
  return "nowhere";
}

class ResultPipe : public ::testing::Test {
 protected:
  ResultPipe() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) == 0) {
      read_end_ = UniqueFd(ends[0]);
      write_end_ = UniqueFd(ends[1]);
    }
    file_ = UniqueFd(memfd_create("file", MFD_CLOEXEC));
  }

  // As the shim starts it: its result goes to descriptor 3, and nothing else is open.
  [[noreturn]] void BeChild(absl::StatusOr<std::string> (*function)()) {
    internal::RegisterFunction("Function", function);
    dup2(file_.get(), kFile);
    dup2(write_end_.get(), 3);
    for (int fd = 4; fd < 8192; ++fd) {
      if (fd != kFile) close(fd);
    }
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = 256;
    setrlimit(RLIMIT_NOFILE, &limit);
    setenv("SHOAL_NAME", "web", 1);
    setenv("SHOAL_HOST", "ant", 1);
    setenv("SHOAL_FUNCTION", "Function", 1);
    setenv("SHOAL_PARENT", "MainProcess ant/AAAA 17", 1);
    setenv("SHOAL_ARGUMENT", "", 1);
    internal::RunIfChild();
    _exit(99);
  }

  // What came of it, once every writer is gone.
  std::optional<absl::StatusOr<std::string>> Result() {
    write_end_.Reset();
    std::string bytes(64 << 10, '\0');
    ssize_t got = read(read_end_.get(), bytes.data(), bytes.size());
    bytes.resize(got > 0 ? static_cast<size_t>(got) : 0);
    return internal::ParseResult(std::move(bytes));
  }

  off_t FileSize() const {
    struct stat status {};
    fstat(file_.get(), &status);
    return status.st_size;
  }

  UniqueFd read_end_, write_end_, file_;
};

TEST_F(ResultPipe, IsMovedAboveTheLimitForDescriptors) {
  EXPECT_EXIT(BeChild(WhereItIs), ExitedWithCode(0), "^$");
  EXPECT_EQ(**Result(), "above the limit");
}

TEST_F(ResultPipe, AFunctionThatClosesAllDescriptorsReturnsAllTheSame) {
  EXPECT_EXIT(BeChild(CloseAllByLimit), ExitedWithCode(0), "^$");
  EXPECT_EQ(**Result(), "mine");
  EXPECT_EQ(FileSize(), 0);
}

TEST_F(ResultPipe, AFileInItsPlaceIsNotWrittenToAndTheLossIsToldAndNoSuccess) {
  EXPECT_EXIT(BeChild(TakeEveryPlace), ExitedWithCode(1),
              "^shoal: web \\(PID [0-9]+ on ant\\): DATA_LOSS: its result is lost: the program has "
              "closed descriptor [0-9]+, through which it was to be returned\n$");
  EXPECT_FALSE(Result().has_value());
  EXPECT_EQ(FileSize(), 0);
}

TEST_F(ResultPipe, AForkOfTheChildWritesNoResult) {
  EXPECT_EXIT(BeChild(ForkAndReturnTwice), ExitedWithCode(0), "^$");
  EXPECT_EQ(**Result(), "mine");
}

TEST_F(ResultPipe, ABrokenOneIsNoSuccess) {
  signal(SIGPIPE, SIG_IGN);
  read_end_.Reset();
  EXPECT_EXIT(BeChild(Mine), ExitedWithCode(1),
              "DATA_LOSS: its result cannot be written: Broken pipe\n$");
  signal(SIGPIPE, SIG_DFL);
}

}  // namespace
}  // namespace shoal
