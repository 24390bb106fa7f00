#include "agent/shim/subreaper.h"

#include <errno.h>
#include <sys/wait.h>

namespace shoal::shim {
namespace {

// When it ends, a process may just have forked what is not an adopting shim yet: nothing tells when
// it is. So the children that are left are looked at after this time, twice it, four times it, …
constexpr int64_t kFirstLook = 100 * kMillisecond;

}  // namespace

bool Subreaper::Reap() {
  int status;
  struct rusage used;
  pid_t pid;
  bool any = false;
  while ((pid = wait4(-1, &status, WNOHANG | __WALL, &used)) > 0) {
    any = true;
    if (pid != main_) continue;
    exit_ = {status, used, WallNow(), BootNow()};
    has_exit_ = true;
    tree_->ForgetMain();
  }
  has_children_ = pid == 0 || errno != ECHILD;
  look_at_ = 0;
  return any;
}

bool Subreaper::IsEmpty(int64_t now) {
  if (!has_children_ || now < look_at_) return !has_children_;
  const int64_t age = now - exit_.boot_ns;
  look_at_ = After(now, age > kFirstLook ? age : kFirstLook);
  has_children_ = !tree_->OnlyAdoptingShims();
  return !has_children_;
}

}  // namespace shoal::shim
