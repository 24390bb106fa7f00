// HOSTS: the list of agents that a user names, and what becomes of it.
//
// Thread-safety: thread-safe.
// Blocking:      never blocks; names are resolved at the first call to a host.
// Errors:        INVALID_ARGUMENT names the part of the list and what is wrong with it.
#ifndef SHOAL_CLIENT_SHOAL_HOST_LIST_H_
#define SHOAL_CLIENT_SHOAL_HOST_LIST_H_

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace shoal {

inline constexpr int kDefaultPort = 7420;
// More hosts than this in one list are a mistyped range.
inline constexpr size_t kMaxHosts = 65536;

// Where one agent listens.
struct HostAddress {
  // How the host is called in output: as it was written, without the default port. A Unix socket is
  // called as this machine, or by its path where a list has several.
  std::string name;
  // Name or address without brackets and port; empty for a Unix socket.
  std::string host;
  int port = 0;           // 0 for a Unix socket
  std::string unix_path;  // empty for TCP

  bool is_unix() const { return !unix_path.empty(); }
  // A Unix socket, 127.0.0.0/8, ::1 or "localhost": bytes that never leave this machine.
  bool is_loopback() const;
  // Where it is, as gRPC writes it: "unix:/path", "ipv4:10.0.0.1:7420", "ipv6:[::1]:7420" or
  // "dns:///node1:7420", whose name this machine's resolver is asked for.
  std::string target() const;
};

// The HOSTS of a group, for "@group"; NOT_FOUND, with the known ones in the message, if there is
// none. A group may name others; one that names itself is refused.
using GroupLookup = std::function<absl::StatusOr<std::string>(absl::string_view group)>;

// Reads a comma-separated list of
//   node1  node1:7421  node[01-16,20]  node[1-2].rack[1-3]:7421   ranges, zero-padded as written
//   10.0.0.1  10.0.0.[1-9]:7420  [fe80::1]  [::1]:7421            addresses
//   unix:/run/shoal/shoald.sock                                   a Unix socket, absolute
//   @group                                                        through `groups`
// in the order written, ranges ascending, the right-most one fastest. A host named twice stands once,
// where it was named first; `repeated`, if given, gets its name each further time. Refused are an empty
// list and "-", which is for the caller to replace by the lines that it read.
absl::StatusOr<std::vector<HostAddress>> ParseHostList(
    absl::string_view hosts, const GroupLookup& groups = nullptr,
    std::vector<std::string>* repeated = nullptr);

// The socket of this user's agent on this machine: /run/shoal/shoald.sock for root, otherwise
// $XDG_RUNTIME_DIR/shoal/shoald.sock, or /tmp/shoal-UID/shoald.sock without that variable.
std::string DefaultSocketPath();

// An agent behind a Unix socket, called as this machine.
HostAddress UnixAddress(absl::string_view socket_path);

// HOSTS from $SHOAL_HOSTS; without that, the agent that started this process ($SHOAL_AGENT), or
// "unix:" + DefaultSocketPath(). INVALID_ARGUMENT: $SHOAL_HOSTS is set and empty; else as of
// LocalAddress().
absl::StatusOr<std::string> DefaultHosts();

// The agent of this machine: the one that started this process ($SHOAL_AGENT, "unix:/PATH"), or, if
// none did, that of this user. INVALID_ARGUMENT: $SHOAL_AGENT is of another form.
absl::StatusOr<HostAddress> LocalAddress();

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_HOST_LIST_H_
