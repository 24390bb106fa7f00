// What a Process message says about the end of the process, as one value.
//
// Thread-safety: thread-safe.
#ifndef SHOAL_CLIENT_SHOAL_OUTCOME_H_
#define SHOAL_CLIENT_SHOAL_OUTCOME_H_

#include <optional>
#include <string>

#include "shoal/v1/process.pb.h"

namespace shoal {

bool HasFlag(const v1::Process& process, v1::Flag flag);

// EXITED, FAILED_TO_START or LOST: nothing of the main process is still to come.
bool HasEnded(const v1::Process& process);

// Ended by its time limit, by the lapse of its session, or because its agent was gone for too long: no
// success, whatever code it exited with.
bool WasCutShort(const v1::Process& process);

// Exited with code 0, by itself or on request.
bool Succeeded(const v1::Process& process);

// As Python's exitcode: the code, or −signal; nothing while it lives or if the exit is unknown.
std::optional<int> PythonExitCode(const v1::Process& process);

// For a shell: the code; 128 + signal; 124 at its time limit, as timeout(1) has it; 1 for code 0 if its
// session lapsed or its agent was gone; 70 if the exit is unknown; 127 and 126 as a shell has them for a
// program that was not found or not executable, 75 where the host is short of something and the same start may
// succeed later, 125 for any other failure to start.
// REQUIRES: HasEnded(process)
int ShellExitStatus(const v1::Process& process);

// "exited with code 3", "killed by the kernel, out of memory", "ended by SIGTERM on request of
// uid:1000", "did not start: exec: No such file or directory", …
std::string DescribeOutcome(const v1::Process& process);

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_OUTCOME_H_
