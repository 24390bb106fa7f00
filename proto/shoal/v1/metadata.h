// What goes beside the messages of shoal.v1.
//
// Ownership:     constants.
// Thread-safety: thread-safe.
// Blocking:      never blocks.
// Errors:        none.
#ifndef SHOAL_PROTO_SHOAL_V1_METADATA_H_
#define SHOAL_PROTO_SHOAL_V1_METADATA_H_

#include <cstddef>

namespace shoal::v1 {

// Trailing metadata of the calls that take a request_id, refusals included, and of HostService.Get:
// the agent's clock when it saw the call, in milliseconds since 1970. A caller makes the UUIDv7 of
// its request_ids by that clock.
inline constexpr char kAgentTimeMetadata[] = "shoal-agent-time-ms";

// A larger request is refused before it is read, as RESOURCE_EXHAUSTED: parsed, its strings would
// take up to 26 times as much.
inline constexpr size_t kMaxRequestBytes = size_t{1} << 20;

}  // namespace shoal::v1

#endif  // SHOAL_PROTO_SHOAL_V1_METADATA_H_
