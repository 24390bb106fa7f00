// Reports the state of the agent (ready, failed, stopping): to systemd, and on the descriptor of
// --ready-fd.
//
// Ownership:     owns the ready descriptor, and closes it once it has spoken.
// Thread-safety: main thread only.
// Blocking:      one write each.
#ifndef SHOAL_AGENT_READINESS_H_
#define SHOAL_AGENT_READINESS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/unique_fd.h"

namespace shoal::agent {

class Readiness {
 public:
  // `ready_fd` -1: none. It becomes close-on-exec.
  explicit Readiness(int ready_fd);

  // "ready unix:PATH", READY=1.
  void Ready(const std::string& socket_path);
  // "error: …".
  void Failed(const absl::Status& status);
  // STOPPING=1.
  void Stopping();

 private:
  void Say(absl::string_view line);

  UniqueFd ready_fd_;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_READINESS_H_
