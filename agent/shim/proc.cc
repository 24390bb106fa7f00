#include "agent/shim/proc.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/record/adopting_shim.h"
#include "agent/record/half_format.h"

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

bool IsZombie(pid_t pid) {
  char stat[1024];
  if (ReadProc(pid, "stat", stat) == 0) return false;
  const char* p = strrchr(stat, ')');  // the command before it may hold anything
  return p != nullptr && p[1] == ' ' && p[2] == 'Z' && StatField(pid, 20) <= 1;
}

uint64_t StatField(pid_t pid, int field) {
  char stat[1024];
  if (ReadProc(pid, "stat", stat) == 0) return 0;
  const char* p = strrchr(stat, ')');
  for (int at = 2; p != nullptr && at < field; ++at) p = strchr(p + 1, ' ');
  return p == nullptr ? 0 : strtoul(p, nullptr, 10);
}

bool IgnoresSignal(pid_t pid, int number) {
  char status[4096];
  if (ReadProc(pid, "status", status) == 0) return false;
  const char* p = strstr(status, "\nSigIgn:\t");
  return p != nullptr && (strtoull(p + 9, nullptr, 16) >> (number - 1) & 1) != 0;
}

void ReadCommand(pid_t pid, char (&command)[16]) {
  ReadProc(pid, "comm", command);
  command[strcspn(command, "\n")] = 0;
}

bool IsAdoptingShim(pid_t pid) {
  char text[64];
  ReadProc(pid, "comm", text);
  text[strcspn(text, "\n")] = 0;
  if (strcmp(text, record::kShimName) != 0) return false;
  const size_t size = ReadProc(pid, "cmdline", text);
  const uint32_t slot = record::SlotOfCommandLine(text, size);
  if (slot == 0) return false;
  record::Area<record::ShimHalf> area = {};
  record::ShimHalf half;
  const auto at = static_cast<off_t>(slot * record::kSlotBytes + record::kShimHalfOffset);
  return pread(record::kRecordFd, &area, sizeof(area), at) > 0 &&
         record::Unpack(area, &half) == record::Reading::kIntact &&
         record::IsOfAdoptingShim(half, pid, StatField(pid, 22));
}

}  // namespace shoal::shim
