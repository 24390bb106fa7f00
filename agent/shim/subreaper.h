// The children of the shim: the process, and every orphan of its tree.
//
// Ownership:     a member of Shim; the tree outlives it.
// Thread-safety: single-threaded process only.
// Blocking:      never blocks; IsEmpty() may read /proc.
// Errors:        none: wait4(2) is asked until it has no answer.
#ifndef SHOAL_AGENT_SHIM_SUBREAPER_H_
#define SHOAL_AGENT_SHIM_SUBREAPER_H_

#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "agent/shim/clock.h"
#include "agent/shim/tree.h"

namespace shoal::shim {

class Subreaper {
 public:
  // The end of the process as the kernel told it, and when it was reaped.
  struct Exit {
    int status;
    struct rusage used;
    int64_t wall_ns;
    int64_t boot_ns;
  };

  explicit Subreaper(Tree* tree) : tree_(tree) {}

  // The process is a child from now on.
  void Begin(pid_t main) {
    main_ = main;
    has_children_ = true;
  }

  // Takes every child that is dead. True if there was one.
  bool Reap();

  // The process's, once it was reaped.
  const Exit* exit() const { return has_exit_ ? &exit_ : nullptr; }

  // True if no child is left that is of the tree. Adopting shims are looked for in /proc at
  // look_at() only.
  bool IsEmpty(int64_t now);
  bool has_children() const { return has_children_; }
  // The next look at the children that are left; Look() makes it the next IsEmpty().
  int64_t look_at() const { return look_at_; }
  void Look() { look_at_ = 0; }

 private:
  Tree* const tree_;
  pid_t main_ = 0;
  bool has_children_ = false;  // as the last wait4 said, and more than adopting shims
  bool has_exit_ = false;
  Exit exit_ = {};
  int64_t look_at_ = kNever;
};

}  // namespace shoal::shim

#endif  // SHOAL_AGENT_SHIM_SUBREAPER_H_
