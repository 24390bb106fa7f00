// <run dir>/forks.sock: where processes offer themselves to be forked, and are asked for forks.
//
// Ownership:     owns the listener, the socket file and every connection; `loop` outlives it.
// Thread-safety: loop thread only, or before the loop runs.
// Blocking:      never blocks.
// Errors:        a peer that makes no sense loses its connection, with one line for the log.
// Story:         accept: the kernel names the PID, /proc its start time → "offer" → on_offer →
//                Answer: "welcome", or "refused" and the end → Fork: one packet each → "forked" →
//                on_forked, or "failed" → on_failed. A connection that breaks fails what it had not
//                answered.
#ifndef SHOAL_AGENT_OS_FORK_SOCKET_H_
#define SHOAL_AGENT_OS_FORK_SOCKET_H_

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/loop/event_loop.h"
#include "agent/os/fork_connection.h"

namespace shoal::agent {

class ForkSocket {
 public:
  struct Handlers {
    std::function<void(const ForkParent&)> on_offer;
    // It offers itself no longer; what it had not answered has failed.
    std::function<void(const ForkParent&)> on_withdrawn;
    // `broken`: the connection broke first, so that the process may have been forked after all.
    std::function<void(const AskedFork&, const ForkFailure&, bool broken)> on_failed;
    // As reported by the parent; the record says more, if the shim lived to write it.
    std::function<void(const AskedFork&)> on_forked;
    std::function<void(const std::string& line)> on_trouble;
  };

  // A process that has connected must offer itself within this time.
  static constexpr absl::Duration kTimeToOffer = absl::Seconds(10);
  // Between two attempts to accept, when descriptors are wanting.
  static constexpr absl::Duration kPause = absl::Milliseconds(100);

  // Binds `path`, which lies in a private directory; a socket that is there is an earlier agent's:
  // the caller has seen that it is gone. INVALID_ARGUMENT: the path is too long.
  static absl::StatusOr<std::unique_ptr<ForkSocket>> Open(
      EventLoop* loop, const std::string& path, Handlers handlers,
      absl::Duration time_to_offer = kTimeToOffer);
  ~ForkSocket();  // Ends every connection without a call, removes the socket file.

  // Takes the offer, or refuses it (also later) with the message of the status.
  void Answer(const ForkParent& parent, const absl::Status& welcome);

  // Asks for a fork. UNAVAILABLE: `parent` has no connection.
  absl::Status Fork(const ForkParent& parent, AskedFork asked, StartPacket packet);

 private:
  ForkSocket(EventLoop* loop, std::string path, UniqueFd fd, Handlers handlers,
             absl::Duration time_to_offer);
  absl::Status Watch();
  void OnAcceptable();
  void PauseForWantOfDescriptors();
  void Admit(UniqueFd fd);
  void OnReady(int pid, uint32_t events);
  // Shared by the map and the handler that runs: what it tells may drop the connection.
  using Connection = std::shared_ptr<ForkConnection>;
  absl::Status ReadFrom(const Connection& connection);
  void Tell(const ForkConnection& connection, const ForkConnection::Message& message);
  bool IsCurrent(const Connection& connection) const;
  void WatchForRoom(const Connection& connection);
  void StopWaitingForOffer(int pid);
  void Drop(Connection connection, const absl::Status& why);

  EventLoop* const loop_;
  const std::string path_;
  const UniqueFd fd_;
  const Handlers handlers_;
  const absl::Duration time_to_offer_;
  EventLoop::TimerId resume_ = 0;  // 0: not paused
  bool is_short_ = false;          // of descriptors, since the last that was accepted
  // By PID.
  std::map<int, Connection> connections_;
  std::map<int, EventLoop::TimerId> offers_due_;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OS_FORK_SOCKET_H_
