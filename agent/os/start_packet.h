// A start, as it is sent to whoever is to be the parent of the process: an idle shim, a template, or a
// process that is forked.
//
// Ownership:     owns what is to be closed once it was sent.
// Thread-safety: thread-safe.
// Blocking:      never blocks.
// Errors:        UNAVAILABLE when the peer is gone.
#ifndef SHOAL_AGENT_OS_START_PACKET_H_
#define SHOAL_AGENT_OS_START_PACKET_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/unique_fd.h"

namespace shoal::agent {

// One packet and what goes with it.
struct StartPacket {
  std::string text;
  std::vector<int> descriptors{};  // fork_protocol::Sent or record/orders.h tells the order
  std::vector<UniqueFd> owned{};   // those of them that are closed once sent
};

// Sends to a SOCK_SEQPACKET socket; `peer` is for the message. False: it has too much to read already.
absl::StatusOr<bool> SendPacket(int socket, const StartPacket& packet, absl::string_view peer);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OS_START_PACKET_H_
