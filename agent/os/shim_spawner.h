// Starts shims: the one place that calls posix_spawn.
//
// Ownership:     owns the descriptor of the shim's binary, opened once, so that an upgrade that
//                replaces the file does not change what this agent starts.
// Thread-safety: thread-safe.
// Blocking:      until the shim's execve has succeeded or failed (vfork inside), about 0.2 ms.
// Errors:        RESOURCE_EXHAUSTED (EAGAIN, ENOMEM); nothing is left behind.
#ifndef SHOAL_AGENT_OS_SHIM_SPAWNER_H_
#define SHOAL_AGENT_OS_SHIM_SPAWNER_H_

#include <spawn.h>
#include <sys/types.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "agent/core/ports/shim_slots.h"
#include "common/unique_fd.h"

namespace shoal::agent {

// What a shim is given, as numbers of the agent, each kLowestOwnFd or above.
struct ShimDescriptors {
  int record = -1;
  int report = -1;
  int output = -1;
  int payload = -1;
  int cgroup = -1;  // -1: none
};

class ShimSpawner {
 public:
  // NOT_FOUND, FAILED_PRECONDITION: no executable file at `shim_path`.
  static absl::StatusOr<std::unique_ptr<ShimSpawner>> Open(const std::string& shim_path);
  ~ShimSpawner();

  // The program of shims, for one that another process is to start.
  int binary() const { return binary_.get(); }

  // The shim becomes a child of this process, in a session of its own, all signals blocked and at
  // their default, without an environment. REQUIRES: kHasPayload is set in the agent half.
  absl::StatusOr<pid_t> Spawn(int slot, const ShimStart& start,
                              const ShimDescriptors& descriptors) const;

 private:
  ShimSpawner(UniqueFd binary, UniqueFd null, UniqueFd error, std::string program);

  // Constant after construction.
  const UniqueFd binary_;
  const UniqueFd null_;
  const UniqueFd error_;  // the agent's stderr, else /dev/null
  const std::string program_;
  posix_spawnattr_t attributes_;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OS_SHIM_SPAWNER_H_
