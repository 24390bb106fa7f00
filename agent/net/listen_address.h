// An address of --listen: what it means, and the sockets that listen there.
//
// Ownership:     values.
// Thread-safety: thread-safe.
// Blocking:      Listen() while a name is resolved.
// Errors:        INVALID_ARGUMENT: not HOST:PORT. Others name the address and the reason.
#ifndef SHOAL_AGENT_NET_LISTEN_ADDRESS_H_
#define SHOAL_AGENT_NET_LISTEN_ADDRESS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/unique_fd.h"

namespace shoal::agent {

struct ListenAddress {
  std::string text;  // as given
  std::string host;
  std::string port;

  // 127.0.0.0/8, ::1 or "localhost".
  bool IsLoopback() const;
};

absl::StatusOr<ListenAddress> ParseListenAddress(absl::string_view text);

struct TcpSockets {
  std::vector<UniqueFd> fds;  // one for each address of the host; non-blocking
  int port = 0;               // the same for all, also where any was asked for
};

absl::StatusOr<TcpSockets> Listen(const ListenAddress& address);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_NET_LISTEN_ADDRESS_H_
