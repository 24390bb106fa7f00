#include "shoal/fork/huge_pages.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace shoal::forking {
namespace {

constexpr int kMadviseCollapse = 25;  // MADV_COLLAPSE, Linux 6.1
constexpr uintptr_t kHugeBytes = uintptr_t{2} << 20;
constexpr time_t kMostSeconds = 5;

struct Range {
  uintptr_t begin;
  uintptr_t end;
};

// The address range that a line of /proc/self/smaps begins, if its memory is private, writable and
// of no file, the stack left out; true if it begins one.
bool ReadRange(const char* line, Range* range) {
  char access[5];
  uint64_t inode;
  int name = 0;
  if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s %*x %*x:%*x %" SCNu64 " %n", &range->begin,
             &range->end, access, &inode, &name) != 4)
    return false;
  if (strcmp(access, "rw-p") != 0 || inode != 0 || strncmp(line + name, "[stack", 6) == 0)
    range->end = range->begin;
  return true;
}

// Whole huge pages of such memory, unless it is nearly empty: a reservation of terabytes is not to
// be searched. Read to the end before anything is changed.
std::vector<Range> PrivateMemory() {
  std::vector<Range> found;
  FILE* const maps = fopen("/proc/self/smaps", "re");
  if (maps == nullptr) return found;
  char line[4352];  // a path, and what stands before it
  Range range = {};
  while (fgets(line, sizeof(line), maps) != nullptr) {
    uintptr_t resident_kib;
    if (ReadRange(line, &range) || sscanf(line, "Rss: %" SCNuPTR, &resident_kib) != 1) continue;
    if (resident_kib * 1024 < (range.end - range.begin) / 16) continue;
    range.begin = (range.begin + kHugeBytes - 1) / kHugeBytes * kHugeBytes;
    range.end = range.end / kHugeBytes * kHugeBytes;
    if (range.begin < range.end) found.push_back(range);
  }
  fclose(maps);
  return found;
}

// True if at least three quarters of the huge page at `address` are in memory.
bool IsInUse(void* address) {
  static const size_t kPageBytes = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  std::vector<unsigned char> resident(kHugeBytes / kPageBytes);
  if (mincore(address, kHugeBytes, resident.data()) != 0) return false;
  const auto count =
      std::count_if(resident.begin(), resident.end(), [](unsigned char page) { return page & 1; });
  return static_cast<size_t>(count) * 4 >= resident.size() * 3;
}

time_t Seconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec;
}

}  // namespace

void GatherIntoHugePages() {
  const time_t enough = Seconds() + kMostSeconds;
  for (const Range& range : PrivateMemory()) {
    for (uintptr_t at = range.begin; at < range.end; at += kHugeBytes) {
      if (Seconds() >= enough) return;
      void* address = nullptr;  // of memory that is known by its number alone
      memcpy(&address, &at, sizeof(address));
      if (!IsInUse(address)) continue;
      if (madvise(address, kHugeBytes, kMadviseCollapse) != 0 && errno == EINVAL) {
        if (at == range.begin) break;  // not in this range, or not by this kernel
      }
    }
  }
}

}  // namespace shoal::forking
