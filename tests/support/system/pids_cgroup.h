// A limit on processes and threads.
//
// Ownership:     the test's; members that are left when it goes are killed.
// Thread-safety: as a plain object.
#ifndef SHOAL_TESTS_SUPPORT_SYSTEM_PIDS_CGROUP_H_
#define SHOAL_TESTS_SUPPORT_SYSTEM_PIDS_CGROUP_H_

#include <signal.h>
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
  ~PidsCgroup() {
    if (usable_) EndMembers();
    rmdir(path_.c_str());
  }
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
  // After a test that has failed: a bomb would go on for good. What is stopped forks no more.
  void EndMembers() {
    for (int i = 0; i < 1000 && Current() > 0; ++i) {
      for (const int signal : {SIGSTOP, SIGSTOP, SIGKILL}) {
        std::ifstream members(path_ + "/cgroup.procs");
        for (pid_t pid = 0; members >> pid;) kill(pid, signal);
      }
      usleep(10000);
    }
  }

  const std::string path_;
  const bool usable_;
};

}  // namespace shoal::testing

#endif  // SHOAL_TESTS_SUPPORT_SYSTEM_PIDS_CGROUP_H_
