// A limit on processes and threads.
//
// Ownership:     the test's; all members have to be gone when it goes.
// Thread-safety: as a plain object.
#ifndef SHOAL_TESTS_SUPPORT_SYSTEM_PIDS_CGROUP_H_
#define SHOAL_TESTS_SUPPORT_SYSTEM_PIDS_CGROUP_H_

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/support/system/command.h"

namespace shoal::testing {

// A cgroup of the pids controller (v1) that goes at the end.
class PidsCgroup {
 public:
  explicit PidsCgroup(const std::string& suffix = "")
      : path_(absl::StrCat("/sys/fs/cgroup/pids/shoal-test-", getpid(), suffix)),
        usable_(mkdir(path_.c_str(), 0755) == 0) {}
  explicit PidsCgroup(pid_t member) : PidsCgroup() {
    if (usable_) Write("cgroup.procs", member);
  }
  ~PidsCgroup() { rmdir(path_.c_str()); }
  const std::string& path() const { return path_; }
  bool usable() const { return usable_; }
  void Write(const char* file, int value) { std::ofstream(path_ + "/" + file) << value; }
  int Current() const {
    int count = 0;
    std::ifstream(path_ + "/pids.current") >> count;
    return count;
  }
  // Its last member has gone.
  void WaitEmpty() {
    WaitUntil("the pids cgroup is empty", [this] { return Current() == 0; });
  }

 private:
  const std::string path_;
  const bool usable_;
};

}  // namespace shoal::testing

#endif  // SHOAL_TESTS_SUPPORT_SYSTEM_PIDS_CGROUP_H_
