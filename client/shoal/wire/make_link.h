// The link to an agent by gRPC.
//
// Ownership:     the caller's.
// Thread-safety: thread-safe.
// Blocking:      does not connect; the first call does.
// Errors:        none.
#ifndef SHOAL_CLIENT_SHOAL_WIRE_MAKE_LINK_H_
#define SHOAL_CLIENT_SHOAL_WIRE_MAKE_LINK_H_

#include <memory>

#include "shoal/host.h"
#include "shoal/link/link.h"

namespace shoal {

// REQUIRES: options.credentials.MaySpeakTo(address).
std::shared_ptr<Link> MakeLink(HostAddress address, HostOptions options);

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_WIRE_MAKE_LINK_H_
