// One process that offers itself to be forked: packets in and out of its connection, version 1 of
// proto/shoal/v1/fork_protocol.h.
//
// Ownership:     by ForkSocket. Owns the descriptor, and what is queued until it is sent.
// Thread-safety: loop thread only.
// Blocking:      never blocks; what does not go out at once waits for EPOLLOUT.
// Errors:        Receive and Flush: UNAVAILABLE when the peer is gone, INVALID_ARGUMENT when it
//                makes no sense; the connection is of no use then.
#ifndef SHOAL_AGENT_OS_FORK_CONNECTION_H_
#define SHOAL_AGENT_OS_FORK_CONNECTION_H_

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/core/ports.h"
#include "common/unique_fd.h"

namespace shoal::agent {

// One packet and what goes with it.
struct ForkPacket {
  std::string text;
  std::vector<int> descriptors{};  // in the order of fork_protocol::Sent
  std::vector<UniqueFd> owned{};   // those of them that are closed once sent
};

class ForkConnection {
 public:
  // A packet from the peer.
  struct Message {
    enum Kind { kOffer, kForked, kFailed } kind = kOffer;
    int slot = 0;         // of kForked and kFailed
    ForkFailure failure;  // of kFailed
  };

  ForkConnection(UniqueFd fd, ForkParent peer) : fd_(std::move(fd)), peer_(peer) {}

  int fd() const { return fd_.get(); }
  const ForkParent& peer() const { return peer_; }
  bool has_offered() const { return has_offered_; }

  // Slots that were asked for and not answered, oldest first.
  std::vector<int> Unanswered() const;

  // The next packet; nullopt: none is there now.
  absl::StatusOr<std::optional<Message>> Receive();

  // Sends, or queues behind what waits.
  absl::Status Send(ForkPacket packet);
  absl::Status SendFork(int slot, ForkPacket packet);
  absl::Status Flush();
  // EPOLLOUT is wanted.
  bool IsBlocked() const { return !queue_.empty(); }

 private:
  absl::StatusOr<Message> Parse(absl::string_view text);
  absl::StatusOr<bool> SendNow(const ForkPacket& packet);

  const UniqueFd fd_;
  const ForkParent peer_;
  bool has_offered_ = false;
  bool reset_ = false;
  int last_number_ = 0;
  std::map<int, int> asked_;  // number → slot
  std::deque<ForkPacket> queue_;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OS_FORK_CONNECTION_H_
