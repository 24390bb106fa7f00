// The cgroup v2 directories in which processes run: <base>/p/<id>, made at the start of a process
// and removed when its tree is over; that of a process that runs beside another one below the other's, <base>/p/<id>/<id>,
// so that cgroup.kill and cgroup.events of the other cover it. No controller is needed. Making and removing one costs about
// 50 µs together (measured, Linux 6.18), so they are not pooled. <base>/shims is for shims that
// come to life in the cgroup of their process, as those of forked ones do.
//
// Ownership:     owns <base>/p and <base>/shims; the base itself if it had to be made.
// Thread-safety: thread-safe; constant after Find.
// Blocking:      never waits; each method a few system calls on cgroupfs.
// Errors:        Create: FAILED_PRECONDITION when the kernel allows no more of them, so that the
//                process must do without; RESOURCE_EXHAUSTED for want of a descriptor.
#ifndef SHOAL_AGENT_OS_CGROUP_H_
#define SHOAL_AGENT_OS_CGROUP_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/unique_fd.h"

namespace shoal::agent {

struct CgroupOptions {
  std::string base;      // given by the user; empty: look for one
  std::string recorded;  // where the last agent of this boot had it; taken while it is in use
  std::string unique;    // something that only this state directory has, [a-z0-9]+
};

class CgroupBase {
 public:
  // The first place where a process can be cloned into a new directory: `recorded`, `base`, the own
  // cgroup, the root of the mount. FAILED_PRECONDITION: none; the message says why each failed.
  static absl::StatusOr<std::unique_ptr<CgroupBase>> Find(const CgroupOptions& options);

  const std::string& path() const { return path_; }
  // The directory <base>/shims.
  int shims() const { return shims_.get(); }
  // cgroup.kill is there (Linux 5.14).
  bool has_kill() const { return has_kill_; }
  // The memory controller is on, so that memory.events tells of kills.
  bool has_memory() const { return has_memory_; }

  // `id`: of the process, or "OTHER/ID" of one that runs beside another. Makes its directory and opens it.
  absl::StatusOr<UniqueFd> Create(const std::string& id) const;
  // NOT_FOUND: there is none.
  absl::StatusOr<UniqueFd> Open(const std::string& id) const;
  // FAILED_PRECONDITION: something lives in it or below. OK if it is not there.
  absl::Status Remove(const std::string& id) const;
  // Ids that have a directory.
  std::vector<std::string> Ids() const;

  // Removes what is left in <base>/p, that, <base>/shims and the base, as far as nothing lives
  // there. REQUIRES: no process is being started.
  void RemoveBase() const;

 private:
  CgroupBase(std::string path, UniqueFd processes, UniqueFd shims, bool ours);
  static absl::StatusOr<std::unique_ptr<CgroupBase>> TryPlace(const std::string& path, bool ours);
  absl::Status Probe();

  // Constant after construction.
  const std::string path_;
  const UniqueFd processes_;  // <base>/p
  const UniqueFd shims_;      // <base>/shims
  const bool ours_;           // the base is not a systemd unit's, but made by an agent
  bool has_kill_ = false;
  bool has_memory_ = false;
};

// The directory of `id` below the base at this path, where no CgroupBase can be had: Find clones a
// process. NOT_FOUND: there is none.
absl::StatusOr<UniqueFd> OpenCgroupOf(const std::string& base, const std::string& id);

// Whether what runs in a cgroup of a process below this base may leave it, so that an empty one
// proves nothing of its tree: as root, or since it can write to a cgroup outside, as every process
// can that has the uid of the agent which made them.
bool CanBeLeft(const std::string& base);

// One directory, by its descriptor. Files that are not there count as empty, so that a tree can be
// followed while it goes away.
absl::Status KillCgroup(int directory);  // cgroup.kill
bool IsCgroupPopulated(int directory);   // cgroup.events
int64_t CountOomKills(int directory);    // memory.events; 0 without the memory controller
// cgroup.procs, descendants included. RESOURCE_EXHAUSTED: some could not be read.
absl::StatusOr<std::vector<int>> CgroupMembers(int directory);

// The names of those directories of processes that a process of this host is in, the innermost first; of
// whichever base. What a process has made itself below its own may be named, too.
std::vector<std::string> IdsInCgroup(int pid);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OS_CGROUP_H_
