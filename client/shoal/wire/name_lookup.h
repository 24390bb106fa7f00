// Asks the system's resolver for the addresses of a name: what /etc/hosts, nsswitch.conf and
// resolv.conf say is what every other program of this machine sees.
//
// That of gRPC (c-ares) asks DNS even for a name of /etc/hosts, and its native one has few threads
// for all names, so that one that hangs holds up the others.
//
// Ownership:     each look-up has a thread of its own, which nobody waits for: where the resolver
//                hangs, for minutes if DNS is dead, the end of the program ends it.
// Thread-safety: thread-safe.
// Blocking:      never blocks.
#ifndef SHOAL_CLIENT_SHOAL_WIRE_NAME_LOOKUP_H_
#define SHOAL_CLIENT_SHOAL_WIRE_NAME_LOOKUP_H_

#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"

namespace shoal {

// IPv4 and IPv6 addresses without ports, in the order in which they are to be tried.
using Addresses = std::vector<std::string>;

// Calls `done` once, on the thread of the look-up, whenever the resolver answers. UNAVAILABLE: what
// it says of the name, or there is no thread.
void LookUpName(const std::string& name,
                absl::AnyInvocable<void(absl::StatusOr<Addresses>) &&> done);

// What gRPC connects to for these addresses of a host: "ipv4:10.0.0.3:7420,10.0.0.4:7420", or
// "ipv6:[…]:7420,…" with IPv4 addresses as mapped ones, since a target has one family.
std::string TargetOf(const Addresses& addresses, int port);

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_WIRE_NAME_LOOKUP_H_
