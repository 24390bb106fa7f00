// Accepts connections of one listening socket, a few in a turn, and waits where no descriptor is left.
//
// Ownership:     owns the listening descriptor; `loop` outlives it. Accepted descriptors belong to the
//                callback.
// Thread-safety: loop thread only, or before the loop runs.
// Blocking:      never blocks.
// Errors:        Start: of epoll_ctl(2). What goes wrong later is a line for the log.
#ifndef SHOAL_AGENT_OS_ACCEPT_LOOP_H_
#define SHOAL_AGENT_OS_ACCEPT_LOOP_H_

#include <cstddef>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "agent/loop/event_loop.h"
#include "agent/os/spare_descriptors.h"
#include "common/boot_time.h"
#include "common/unique_fd.h"

namespace shoal::agent {

class AcceptLoop {
 public:
  // `fd` is non-blocking and close-on-exec.
  using OnAccept = absl::AnyInvocable<void(UniqueFd fd)>;
  // One line for the log, at most one every 10 s.
  using OnTrouble = absl::AnyInvocable<void(const std::string& line)>;

  // `name` is where it listens. `spares`: so many connections are accepted when no other descriptor
  // is left.
  AcceptLoop(EventLoop* loop, UniqueFd fd, std::string name, size_t spares, OnAccept on_accept,
             OnTrouble on_trouble);
  ~AcceptLoop();  // no more are accepted

  absl::Status Start();
  void Complain(const std::string& line);

 private:
  void OnReadable();
  void PauseForWantOfDescriptors(int error);

  EventLoop* const loop_;
  const UniqueFd fd_;
  const std::string name_;
  OnAccept on_accept_;
  OnTrouble on_trouble_;
  SpareDescriptors spares_;
  bool is_watched_ = false;
  EventLoop::TimerId resume_ = 0;  // 0: not paused
  BootTime next_complaint_;
  int unsaid_ = 0;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OS_ACCEPT_LOOP_H_
