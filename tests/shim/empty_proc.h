// While it lives, this process sees an empty /proc; what it starts keeps seeing that.
//
// Ownership:     the caller's.
// Thread-safety: single-threaded process only.
// Blocking:      never blocks.
// Errors:        fail the test.
#ifndef SHOAL_TESTS_SHIM_EMPTY_PROC_H_
#define SHOAL_TESTS_SHIM_EMPTY_PROC_H_

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

namespace shoal::testing {

class EmptyProc {
 public:
  EmptyProc()
      : own_(open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC)), cwd_(open(".", O_PATH | O_CLOEXEC)) {
    EXPECT_EQ(unshare(CLONE_NEWNS), 0) << strerror(errno);
    EXPECT_EQ(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    EXPECT_EQ(mount("none", "/proc", "tmpfs", 0, nullptr), 0);
  }
  ~EmptyProc() {
    EXPECT_EQ(setns(own_, CLONE_NEWNS), 0);
    EXPECT_EQ(fchdir(cwd_), 0);
    close(own_);
    close(cwd_);
  }

 private:
  int own_;
  int cwd_;
};

}  // namespace shoal::testing

#endif  // SHOAL_TESTS_SHIM_EMPTY_PROC_H_
