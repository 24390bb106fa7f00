// How many cores this process may really use.
//
// Thread-safety: thread-safe.
// Blocking:      reads a few files of /proc and /sys.
#ifndef SHOAL_COMMON_CPU_COUNT_H_
#define SHOAL_COMMON_CPU_COUNT_H_

#include <string>

#include "absl/strings/string_view.h"

namespace shoal {

// The affinity mask (sched_getaffinity(2)) cut by the CPU quota of the own cgroup and its ancestors
// (cgroup v2 cpu.max, v1 cpu.cfs_quota_us), a quota rounded up to whole cores; at least 1.
int CpuCount();

// The quota part, for tests: cores that the files below `cgroup_root` allow to the cgroups listed
// in `proc_cgroup` (the text of /proc/self/cgroup), or 0 if they do not limit.
int CpuQuota(absl::string_view proc_cgroup, const std::string& cgroup_root);

}  // namespace shoal

#endif  // SHOAL_COMMON_CPU_COUNT_H_
