// What a process is to be, as the file that its shim is given, or that travels with "fork"
// (proto/shoal/v1/fork_protocol.h). In a command line other users of the host could read it.
//
// Thread-safety: thread-safe.
// Blocking:      never waits; writes into memory.
// Errors:        RESOURCE_EXHAUSTED for want of a descriptor or memory.
#ifndef SHOAL_AGENT_OS_START_PAYLOAD_H_
#define SHOAL_AGENT_OS_START_PAYLOAD_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/core/ports/shim_slots.h"
#include "common/unique_fd.h"

namespace shoal::agent {

// The fields in order of use, each ended by a NUL byte. `start.desired.nofile_soft` is the limit.
std::string PayloadOf(const ShimStart& start);

// `payload`, of the process `id`, in a sealed memfd, to be read from its start, at kLowestOwnFd or above.
absl::StatusOr<UniqueFd> MakePayload(absl::string_view payload, absl::string_view id);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OS_START_PAYLOAD_H_
