#include "agent/os/host_facts.h"

#include <fcntl.h>
#include <sys/utsname.h>

#include <cstdio>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "agent/os/descriptor.h"
#include "agent/os/system_clock.h"
#include "common/cpu_count.h"
#include "common/ids.h"

namespace shoal::agent {
namespace {

double ReadLoad() {
  double load = 0;
  const absl::StatusOr<std::string> text = ReadSmallFile(AT_FDCWD, "/proc/loadavg");
  if (!text.ok()) return 0;
  const std::vector<absl::string_view> fields = absl::StrSplit(*text, ' ');
  return absl::SimpleAtod(fields[0], &load) ? load : 0;
}

}  // namespace

HostFacts ReadHostFacts() {
  HostFacts facts;
  utsname names{};
  if (uname(&names) == 0) {
    facts.name = names.nodename;
    facts.kernel_version = names.release;
  }
  facts.boot_id = ReadBootId().value_or("");
  SystemClock clock;
  facts.boot_time = clock.Now() - clock.BootTime();
  facts.cores = CpuCount();
  facts.load_1m = ReadLoad();
  const std::string meminfo = ReadSmallFile(AT_FDCWD, "/proc/meminfo").value_or("");
  facts.memory_total_bytes = MemoryBytes(meminfo, "MemTotal");
  facts.memory_available_bytes = MemoryBytes(meminfo, "MemAvailable");
  return facts;
}

int64_t MemoryBytes(absl::string_view meminfo, absl::string_view key) {
  for (absl::string_view line : absl::StrSplit(meminfo, '\n')) {
    int64_t kibibytes = 0;
    if (!absl::ConsumePrefix(&line, key) || !absl::ConsumePrefix(&line, ":")) continue;
    if (absl::ConsumeSuffix(&line, "kB") && absl::SimpleAtoi(line, &kibibytes)) {
      return kibibytes * 1024;
    }
  }
  return 0;
}

bool KernelIsAtLeast(absl::string_view version, int major, int minor) {
  int has_major = 0;
  int has_minor = 0;
  if (std::sscanf(std::string(version).c_str(), "%d.%d", &has_major, &has_minor) != 2) return false;
  return has_major > major || (has_major == major && has_minor >= minor);
}

}  // namespace shoal::agent
