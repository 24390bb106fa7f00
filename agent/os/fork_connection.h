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
#include "agent/core/ports/fork_parent.h"
#include "agent/os/start_packet.h"
#include "common/unique_fd.h"

namespace shoal::agent {

// A process that a peer was asked for. With its id: the slot may be another's when the answer
// comes.
struct AskedFork {
  int slot = 0;
  std::string id;
};

class ForkConnection {
 public:
  // A packet from the peer.
  struct Message {
    enum Kind { kOffer, kForked, kFailed } kind = kOffer;
    AskedFork asked;      // of kForked and kFailed
    ForkFailure failure;  // of kFailed
  };

  ForkConnection(UniqueFd fd, ForkParent peer) : fd_(std::move(fd)), peer_(peer) {}

  int fd() const { return fd_.get(); }
  const ForkParent& peer() const { return peer_; }
  bool has_offered() const { return has_offered_; }

  // What was asked for and not answered, oldest first.
  std::vector<AskedFork> Unanswered() const;

  // The next packet; nullopt: none is there now.
  absl::StatusOr<std::optional<Message>> Receive();

  // Sends, or queues behind what waits. The caller (Forks) bounds how much can wait.
  absl::Status Send(StartPacket packet);
  absl::Status SendFork(AskedFork asked, StartPacket packet);
  absl::Status Flush();
  // EPOLLOUT is wanted.
  bool IsBlocked() const { return !queue_.empty(); }

 private:
  absl::StatusOr<Message> Parse(absl::string_view text);
  absl::StatusOr<bool> SendNow(const StartPacket& packet);

  const UniqueFd fd_;
  const ForkParent peer_;
  bool has_offered_ = false;
  bool reset_ = false;
  int last_number_ = 0;
  std::map<int, AskedFork> asked_;  // by number
  std::deque<StartPacket> queue_;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OS_FORK_CONNECTION_H_
