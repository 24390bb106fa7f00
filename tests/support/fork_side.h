// The template's side of proto/shoal/v1/fork_protocol.h in plain forks, for tests of the adopting
// shim: process T calls Fork(), M calls BecomeShim(), F runs what it is given.
//
// Thread-safety: single-threaded process only.
// Errors:        what cannot be done ends the process with status 125.
#ifndef SHOAL_TESTS_SUPPORT_FORK_SIDE_H_
#define SHOAL_TESTS_SUPPORT_FORK_SIDE_H_

#include <sys/types.h>

#include <functional>
#include <string>

namespace shoal::testing {

struct ForkSide {
  std::string shim;  // path of the program
  std::string slot;  // its argument
  // Separated by commas:
  //   merge, result, input, terminal, cgroup
  //                           as in the protocol
  //   sibling                 M is made with CLONE_PARENT, else as a child of T
  //   outside                 M forgets to enter the cgroup
  //   kill-m                  M is killed before it executes the shim
  //   await-f                 M executes the shim only when F has ended
  //   await-t                 the same when T has
  //   fail-chdir              F reports {chdir, ENOENT}
  //   mute                    F goes on with its start pipe open
  std::string options;
  bool Has(const std::string& option) const {
    return ("," + options + ",").find("," + option + ",") != std::string::npos;
  }
};

// Of M: forks F, which does `run`, and becomes its shim. REQUIRES: the descriptors up to kCgroupFd
// and kShimCgroupFd are in place. `t`: the process whose end comes first; 0: none.
[[noreturn]] void BecomeShim(const ForkSide& side, const std::function<void()>& run, pid_t t = 0);

// Of T: makes M, which opens its descriptors below `dir` (records, fifo, output) and takes the lock
// of the slot; `cgroup` and `refuge` are directories.
void Fork(const ForkSide& side, const std::string& dir, const std::string& cgroup,
          const std::string& refuge, const std::function<void()>& run);

}  // namespace shoal::testing

#endif  // SHOAL_TESTS_SUPPORT_FORK_SIDE_H_
