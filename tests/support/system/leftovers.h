// What a test must not leave behind: processes, zombies, cgroups, mounts.
//
// The test process becomes a subreaper, so that whatever loses its parent during the test (the
// shims of a killed agent) becomes its child and can be counted, ended by its PID and reaped.
//
// Ownership:     one per test, made before anything is started, checked after everything was ended.
// Thread-safety: main thread only.
// Blocking:      Check waits up to kDeadline for the zombies' last siblings, never for a live one
//                that nothing ends: those are killed and fail the test.
#ifndef SHOAL_TESTS_SUPPORT_SYSTEM_LEFTOVERS_H_
#define SHOAL_TESTS_SUPPORT_SYSTEM_LEFTOVERS_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace shoal::testing {

// PIDs of the children of `pid` now, zombies included.
std::vector<pid_t> ChildrenOf(pid_t pid);
// Every descendant of `pid` now.
std::vector<pid_t> DescendantsOf(pid_t pid);
// The state letter of /proc/PID/stat; '?' if there is no such process.
char ProcessState(pid_t pid);
// "PID state command line" for messages.
std::string DescribeProcess(pid_t pid);

// Descendants whose command line has `marker` in it, as `pgrep -f` finds them.
std::vector<pid_t> DescendantsWith(absl::string_view marker);

class Leftovers {
 public:
  // `scratch` is the directory below which the test mounts, if it does; `cgroup_base` may be empty.
  Leftovers(std::string scratch, std::string cgroup_base);
  // Ends and removes everything, failing the test for each thing that should not have been there.
  void Check();

 private:
  void CheckProcesses();
  void CheckMounts();
  void CheckCgroups();

  std::string scratch_;
  std::string cgroup_base_;
};

}  // namespace shoal::testing

#endif  // SHOAL_TESTS_SUPPORT_SYSTEM_LEFTOVERS_H_
