// How many cores this process may really use.
//
// Thread-safety: thread-safe.
// Blocking:      reads a few files of /proc and /sys.
#ifndef SHOAL_CLIENT_SHOAL_CPU_COUNT_H_
#define SHOAL_CLIENT_SHOAL_CPU_COUNT_H_

namespace shoal {

// The affinity mask cut by the CPU quota of the own cgroup and its ancestors, a quota rounded up to
// whole cores; at least 1. What an agent counts as its slots when it runs under the same limits.
int CpuCount();

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_CPU_COUNT_H_
