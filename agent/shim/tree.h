// The process and its descendants: told, killed, proven to be none.
//
// The shim is their subreaper, so every orphan of the tree becomes its child. Where the process
// has a cgroup, its members belong to the tree too. Adopting shims among them, and what is below
// those, do not: see IsAdoptingShim().
//
// Ownership:     owns the descriptors of cgroup.events and cgroup.kill that it opens.
// Thread-safety: single-threaded process only. Children must not be reaped while a method runs: the
//                number of an unreaped child cannot be reused, any other number is used through a
//                verified pidfd only.
// Blocking:      reads of /proc and of the cgroup.
// Errors:        without /proc and without a cgroup only the process, its group and nothing else
//                can be told; the proof of emptiness stands all the same.
#ifndef SHOAL_AGENT_SHIM_TREE_H_
#define SHOAL_AGENT_SHIM_TREE_H_

#include <stdint.h>
#include <sys/types.h>

namespace shoal::shim {

// Whether to give up telling a tree, which may grow faster than it is told.
struct Enough {
  bool (*reached)(const void* context);
  const void* context;
};

class Tree {
 public:
  Tree() = default;
  ~Tree();
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;

  // `main`: the process; `cgroup_fd`: its cgroup, -1 for none. `refuge_fd`: the cgroup to which the
  // shim moves, itself in the former, before that is used; -1: it never was.
  void Begin(pid_t main, int cgroup_fd, int refuge_fd = -1) {
    main_ = main, cgroup_fd_ = cgroup_fd, refuge_fd_ = refuge_fd;
  }
  // The process is reaped; its number means nothing any more.
  void ForgetMain() { main_ = 0; }

  // Moves to the refuge, once; a migration may take 16 ms. False if the shim could not, or was not
  // where it was to leave: then the cgroup proves nothing, and is let alone from now on.
  bool LeaveCgroup();
  bool has_left() const { return refuge_fd_ < 0; }
  bool cgroup_refused() const { return refused_; }

  // Sends `number` once to every member, the process first, and SIGCONT, since one that is stopped
  // could not act upon it. What is born meanwhile is told, too, as far as a few rounds go; each
  // step of them asks `enough`.
  void Signal(int number, const Enough& enough);

  // Of a process with a terminal, after Signal(): SIGHUP and SIGCONT, if it is there and ignores SIGTERM, as an
  // interactive shell does.
  void HangUp();

  // One round of SIGKILL: the cgroup as a whole, and every child of the shim.
  void Kill();

  // True if all children are adopting shims. False also where that cannot be told.
  bool OnlyAdoptingShims();

  // True if the cgroup has members. Without one, or when it is gone: false.
  bool CgroupPopulated();

  // Up to `capacity` living members into `pids`, the children of the shim first; returns how many
  // there are. For people: nothing holds the numbers.
  int Survivors(int32_t* pids, int capacity);

 private:
  int cgroup_fd_ = -1;
  int refuge_fd_ = -1;
  bool refused_ = false;
  int events_fd_ = -1;
  int kill_fd_ = -1;
  pid_t main_ = 0;
};

}  // namespace shoal::shim

#endif  // SHOAL_AGENT_SHIM_TREE_H_
