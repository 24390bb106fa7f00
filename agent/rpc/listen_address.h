// An address of --listen: what it means, and whether it can be had.
//
// Thread-safety: thread-safe.
// Errors:        INVALID_ARGUMENT: not HOST:PORT. Others name the address and the reason, in words
//                that gRPC does not give.
#ifndef SHOAL_AGENT_RPC_LISTEN_ADDRESS_H_
#define SHOAL_AGENT_RPC_LISTEN_ADDRESS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace shoal::agent {

struct ListenAddress {
  std::string text;  // as given
  std::string host;
  std::string port;

  // 127.0.0.0/8, ::1 or "localhost".
  bool IsLoopback() const;
};

absl::StatusOr<ListenAddress> ParseListenAddress(absl::string_view text);

// Binds and lets go again, since gRPC only says that it could not.
absl::Status TryBind(const ListenAddress& address);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_RPC_LISTEN_ADDRESS_H_
