// What this host is, as plain values.
//
// Thread-safety: thread-safe.
// Blocking:      never waits; reads a few files of /proc and /sys.
#ifndef SHOAL_AGENT_OS_HOST_FACTS_H_
#define SHOAL_AGENT_OS_HOST_FACTS_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace shoal::agent {

struct HostFacts {
  std::string name;
  std::string kernel_version;  // as uname -r
  std::string boot_id;
  absl::Time boot_time;
  int cores = 1;  // usable ones; see common/cpu_count.h
  double load_1m = 0;
  int64_t memory_total_bytes = 0;
  int64_t memory_available_bytes = 0;
};

// What cannot be read stays at its default.
HostFacts ReadHostFacts();

// The value of "key:   123 kB" in the text of /proc/meminfo, in bytes; 0 if it is not there.
int64_t MemoryBytes(absl::string_view meminfo, absl::string_view key);

// "6.1.0-37-amd64" is at least (6, 1).
bool KernelIsAtLeast(absl::string_view version, int major, int minor);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OS_HOST_FACTS_H_
