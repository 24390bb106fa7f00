// Numbers out of /proc/PID/stat.
//
// Thread-safety: thread-safe. Never blocks.
#ifndef SHOAL_AGENT_SHIM_PROC_STAT_H_
#define SHOAL_AGENT_SHIM_PROC_STAT_H_

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "agent/shim/text.h"

namespace shoal::shim {

inline constexpr int kParentField = 4;
inline constexpr int kStartTicksField = 22;

// Field number `field` (proc(5); from 4 on) of `pid`; 0 if it cannot be read.
inline uint64_t StatField(pid_t pid, int field) {
  Text<32> path;
  path.Add("/proc/").Number(static_cast<uint64_t>(pid)).Add("/stat");
  const int fd = openat(AT_FDCWD, path.c_str(), O_RDONLY | O_CLOEXEC);
  char stat[1024];
  const ssize_t size = read(fd, stat, sizeof(stat) - 1);
  close(fd);
  if (size <= 0) return 0;
  stat[size] = 0;
  const char* p = strrchr(stat, ')');  // the command before it may hold anything
  for (int at = 2; p != nullptr && at < field; ++at) p = strchr(p + 1, ' ');
  return p == nullptr ? 0 : strtoul(p, nullptr, 10);
}

}  // namespace shoal::shim

#endif  // SHOAL_AGENT_SHIM_PROC_STAT_H_
