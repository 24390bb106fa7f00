// Asks the system's resolver for the addresses of a name: what /etc/hosts, nsswitch.conf and
// resolv.conf say is what every other program of this machine sees.
//
// That of gRPC (c-ares) asks DNS even for a name of /etc/hosts, and its native one has few threads
// for all names, so that one that hangs holds up the others.
//
// Thread-safety: thread-safe.
// Blocking:      never blocks.
// Errors:        as LookUpName() says.
#ifndef SHOAL_CLIENT_SHOAL_LINK_NAME_LOOKUP_H_
#define SHOAL_CLIENT_SHOAL_LINK_NAME_LOOKUP_H_

#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "shoal/link/look_up_queue.h"

namespace shoal {

// How many names are with the resolver at once; the others wait for their turn.
inline constexpr int kMostLookUps = 8;

// Calls `done` once, on a thread that nobody waits for, whenever the resolver answers; where that
// hangs, the end of the program ends it. NOT_FOUND: it knows no address. UNAVAILABLE: it fails, or
// there is no thread.
void LookUpName(const std::string& name,
                absl::AnyInvocable<void(absl::StatusOr<Addresses>) &&> done);

// What gRPC connects to for these addresses of a host: "ipv4:10.0.0.3:7420,10.0.0.4:7420", or
// "ipv6:[…]:7420,…" with IPv4 addresses as mapped ones, since a target has one family.
std::string TargetOf(const Addresses& addresses, int port);

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_LINK_NAME_LOOKUP_H_
