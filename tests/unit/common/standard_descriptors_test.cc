#include "common/standard_descriptors.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gtest/gtest.h"

namespace shoal {
namespace {

// Puts 0, 1 and 2 aside, and brings them back at the end.
class StandardDescriptors : public ::testing::Test {
 protected:
  StandardDescriptors() {
    for (int fd = 0; fd <= 2; ++fd) kept_[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  }
  ~StandardDescriptors() override {
    for (int fd = 0; fd <= 2; ++fd) {
      dup2(kept_[fd], fd);
      close(kept_[fd]);
    }
  }

  static bool IsNull(int fd) {
    struct stat found = {};
    struct stat null = {};
    return fstat(fd, &found) == 0 && stat("/dev/null", &null) == 0 && found.st_rdev == null.st_rdev;
  }
  static bool IsInherited(int fd) { return fcntl(fd, F_GETFD) == 0; }

  int kept_[3] = {};
};

TEST_F(StandardDescriptors, WhatIsMissingIsOpenedOnNullAndInherited) {
  for (int fd = 0; fd <= 2; ++fd) close(fd);
  OpenMissingDescriptors();
  bool is_null[3] = {IsNull(0), IsNull(1), IsNull(2)};
  bool is_inherited[3] = {IsInherited(0), IsInherited(1), IsInherited(2)};
  char byte = 'x';
  const ssize_t read_in = read(0, &byte, 1);
  const ssize_t written = write(1, &byte, 1);
  for (int fd = 0; fd <= 2; ++fd) dup2(kept_[fd], fd);
  EXPECT_EQ(read_in, -1) << "as if it were closed";
  EXPECT_EQ(written, -1);
  for (int fd = 0; fd <= 2; ++fd) {
    EXPECT_TRUE(is_null[fd]) << fd;
    EXPECT_TRUE(is_inherited[fd]) << fd;
  }
}

// A library that makes a descriptor before main() gets the number that is missing.
TEST_F(StandardDescriptors, OneThatWasNotInheritedIsMissing) {
  close(STDIN_FILENO);
  const int made = open("/", O_RDONLY | O_CLOEXEC);
  OpenMissingDescriptors();
  EXPECT_EQ(made, STDIN_FILENO);
  EXPECT_TRUE(IsNull(STDIN_FILENO));
  EXPECT_TRUE(IsInherited(STDIN_FILENO));
}

TEST_F(StandardDescriptors, WhatIsThereStays) {
  int pipes[2];
  ASSERT_EQ(pipe(pipes), 0);
  dup2(pipes[1], STDOUT_FILENO);
  close(STDIN_FILENO);
  OpenMissingDescriptors();
  bool stdin_is_null = IsNull(STDIN_FILENO);
  ssize_t written = write(STDOUT_FILENO, "x", 1);
  char byte = 0;
  ssize_t had = read(pipes[0], &byte, 1);
  close(pipes[0]);
  close(pipes[1]);
  dup2(kept_[1], STDOUT_FILENO);
  EXPECT_TRUE(stdin_is_null);
  EXPECT_EQ(written, 1);
  EXPECT_EQ(had, 1);
}

}  // namespace
}  // namespace shoal
