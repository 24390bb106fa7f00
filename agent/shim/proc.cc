#include "agent/shim/proc.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/record/record_layout.h"

namespace shoal::shim {
namespace {

// Reads the beginning of /proc/PID/FILE, and puts a NUL behind it. Returns its length, 0 if there
// is none.
template <size_t kSize>
size_t ReadProc(pid_t pid, const char* file, char (&text)[kSize]) {
  char path[32];
  snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
  const int fd = openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
  const ssize_t size = read(fd, text, kSize - 1);
  close(fd);
  text[size > 0 ? size : 0] = 0;
  return size > 0 ? static_cast<size_t>(size) : 0;
}

}  // namespace

uint64_t StatField(pid_t pid, int field) {
  char stat[1024];
  if (ReadProc(pid, "stat", stat) == 0) return 0;
  const char* p = strrchr(stat, ')');  // the command before it may hold anything
  for (int at = 2; p != nullptr && at < field; ++at) p = strchr(p + 1, ' ');
  return p == nullptr ? 0 : strtoul(p, nullptr, 10);
}

bool IsAdoptingShim(pid_t pid) {
  char text[64];
  ReadProc(pid, "comm", text);
  if (strcmp(text, "shoal-shim\n") != 0) return false;
  const size_t size = ReadProc(pid, "cmdline", text);  // {name, slot, …}
  const size_t name = strlen(text) + 1;
  const unsigned long slot = name < size ? strtoul(text + name, nullptr, 10) : 0;
  if (slot == 0 || slot > UINT32_MAX) return false;
  record::ShimHalf half;
  const auto at = static_cast<off_t>(slot * record::kSlotBytes + record::kShimHalfOffset);
  return pread(record::kRecordFd, &half, sizeof(half), at) == sizeof(half) &&
         record::IsIntact(half) && (half.flags & record::kAdopted) != 0 && half.shim_pid == pid &&
         half.shim_start_ticks == StatField(pid, 22);
}

}  // namespace shoal::shim
