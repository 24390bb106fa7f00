// What /proc says of a process, as plain values.
//
// Thread-safety: thread-safe.
// Blocking:      never waits; a few system calls.
// Errors:        nullopt or empty where the process is gone, /proc is not mounted or hides it.
#ifndef SHOAL_AGENT_OS_PROCFS_H_
#define SHOAL_AGENT_OS_PROCFS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace shoal::agent {

// The fields of /proc/PID/stat that are of use; see proc_pid_stat(5).
struct ProcStat {
  int pid = 0;
  std::string comm;  // may hold spaces, parentheses and newlines
  char state = '?';
  int parent = 0;
  int group = 0;
  int session = 0;
  absl::Duration cpu_time;  // of itself and the children that it has waited for
  uint64_t start_ticks = 0;
  int64_t rss_bytes = 0;
};

// By a signal or a debugger.
inline bool IsStopped(const ProcStat& stat) { return stat.state == 'T' || stat.state == 't'; }

// And only waits to be waited for, with all of its threads.
inline bool HasEnded(const ProcStat& stat) { return stat.state == 'Z' || stat.state == 'X'; }

// Thread-group leaders with nothing left to run are 'Z'.
std::optional<ProcStat> ParseProcStat(absl::string_view text);
std::optional<ProcStat> ReadProcStat(int pid);

std::string ReadComm(int pid);
// Its words, each ended by a NUL.
std::string ReadCommandLine(int pid);
// Where it waits in the kernel; empty where the kernel does not tell.
std::string ReadWaitChannel(int pid);

// The value of `key` in the environment that it was started with.
std::optional<std::string> ReadInEnvironment(int pid, absl::string_view key);

// Every pid that /proc shows.
std::vector<int> ListPids();

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OS_PROCFS_H_
