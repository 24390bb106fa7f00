// Which process is an adopting shim: it stands among the descendants of a process, but is no part
// of its tree.
//
// Thread-safety: plain functions. Included by the shim: C headers only.
#ifndef SHOAL_AGENT_RECORD_ADOPTING_SHIM_H_
#define SHOAL_AGENT_RECORD_ADOPTING_SHIM_H_

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/record/record_layout.h"

namespace shoal::record {

// The name of a shim in /proc/PID/comm, and its argv[0].
inline constexpr char kShimName[] = "shoal-shim";

// The slot that a shim's /proc/PID/cmdline names: {kShimName, slot, …}, each with a NUL behind it.
// 0: it names none. REQUIRES: words[size] is NUL.
inline uint32_t SlotOfCommandLine(const char* words, size_t size) {
  const size_t name = strlen(words) + 1;
  const unsigned long slot = name < size ? strtoul(words + name, nullptr, 10) : 0;
  return slot <= UINT32_MAX ? static_cast<uint32_t>(slot) : 0;
}

// A process named kShimName is an adopting shim if the record of the slot that it names says so.
inline bool IsOfAdoptingShim(const ShimHalf& half, int pid, uint64_t start_ticks) {
  return (half.flags & kAdopted) != 0 && half.shim_pid == pid &&
         half.shim_start_ticks == start_ticks;
}

}  // namespace shoal::record

#endif  // SHOAL_AGENT_RECORD_ADOPTING_SHIM_H_
