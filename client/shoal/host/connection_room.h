// Whether this program can have as many connections as it has hosts: each takes a descriptor.
//
// Thread-safety: thread-safe.
// Blocking:      never blocks.
// Errors:        RESOURCE_EXHAUSTED, with the limit and what needs it.
#ifndef SHOAL_CLIENT_SHOAL_HOST_CONNECTION_ROOM_H_
#define SHOAL_CLIENT_SHOAL_HOST_CONNECTION_ROOM_H_

#include <cstddef>

#include "absl/status/status.h"

namespace shoal::internal {

// Raises the soft limit to the hard one, but only where so many hosts need it: what the program
// starts inherits it.
absl::Status MakeRoomForConnections(size_t hosts);

}  // namespace shoal::internal

#endif  // SHOAL_CLIENT_SHOAL_HOST_CONNECTION_ROOM_H_
