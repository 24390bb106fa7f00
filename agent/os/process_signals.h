// Signals to managed processes: the one place that sends any. Never to a bare number: a pidfd is
// opened first, then the start time of what it is is compared, so that a reused pid is not hit.
//
// Thread-safety: thread-safe.
// Blocking:      never waits; a few system calls per process.
// Errors:        FAILED_PRECONDITION: the process has exited, or the kernel refuses.
#ifndef SHOAL_AGENT_OS_PROCESS_SIGNALS_H_
#define SHOAL_AGENT_OS_PROCESS_SIGNALS_H_

#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/unique_fd.h"

namespace shoal::agent {

// A pidfd of the process that has `pid` and was started at `start_ticks` (field 22 of
// /proc/PID/stat). NOT_FOUND: it is gone, or the pid is another's. UNAVAILABLE: /proc does not show
// it, so the process cannot be identified.
absl::StatusOr<UniqueFd> OpenProcess(int pid, uint64_t start_ticks);

absl::Status SendSignal(int pidfd, int signal);

absl::Status SignalProcess(int pid, uint64_t start_ticks, int signal);

// The group that the process leads; reaches its members also when they have left the tree.
absl::Status SignalGroup(int pid, uint64_t start_ticks, int signal);

// Every pid that `members` names and still names after its pidfd was opened: what joined or left
// meanwhile is not hit by mistake. FAILED_PRECONDITION: none was there. Else what kept `members` from
// naming them.
absl::Status SignalMembers(absl::FunctionRef<absl::StatusOr<std::vector<int>>()> members,
                           int signal);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OS_PROCESS_SIGNALS_H_
