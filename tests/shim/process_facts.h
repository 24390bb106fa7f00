// What /proc tells of processes, and the bytes that tests write.
#ifndef SHOAL_TESTS_SHIM_PROCESS_FACTS_H_
#define SHOAL_TESTS_SHIM_PROCESS_FACTS_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace shoal::testing {

// Pids that `text` has, one a line.
std::vector<pid_t> PidsIn(const std::string& text);
// Field 22 of /proc/PID/stat.
uint64_t StartTicksOf(pid_t pid);
// False once the process is gone or a zombie.
bool IsAlive(pid_t pid);
std::string PatternBytes(uint64_t from, uint64_t to);

}  // namespace shoal::testing

#endif  // SHOAL_TESTS_SHIM_PROCESS_FACTS_H_
