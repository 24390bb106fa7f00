// Starts shims: the one place that clones them.
//
// What a start costs does not depend on how many descriptors the agent has. posix_spawn(3) copies
// the agent's whole table, and the execve closes each again: 0.4 ms at 10,000. Here the child shares
// the table until close_range(2) gives it one of its own, of the lowest numbers alone, where Open has
// reserved places for what a shim is given:
//
//  1. the agent puts duplicates of those descriptors into the places       Stage
//  2. the child takes leave of the agent's table                           RunChildAsyncSafe
//  3. it puts them where the shim expects them, and executes it
//  4. the agent, which has waited, empties the places                      Unstage
//
// Ownership:     owns the descriptor of the shim's binary, opened once, so that an upgrade that
//                replaces the file does not change what this agent starts; and the places.
// Thread-safety: one thread at a time.
// Blocking:      until the shim's execve has succeeded or failed (as vfork does), about 0.2 ms.
// Errors:        RESOURCE_EXHAUSTED (EAGAIN, ENOMEM); nothing is left behind.
#ifndef SHOAL_AGENT_OS_SHIM_SPAWNER_H_
#define SHOAL_AGENT_OS_SHIM_SPAWNER_H_

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

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
  int orders = -1;  // -1: the shim ends with its process
};

// The name of a process as its shim may show it: empty if `pgrep -f` with a word of the process, or with
// the file of one, could find it.
std::string ShownName(const ShimStart& start);

class ShimSpawner {
 public:
  // NOT_FOUND, FAILED_PRECONDITION: no executable file at `shim_path`. REQUIRES: called before the
  // agent has many descriptors.
  static absl::StatusOr<std::unique_ptr<ShimSpawner>> Open(const std::string& shim_path);

  // The program of shims, for one that another process is to start.
  int binary() const { return binary_.get(); }

  // The shim becomes a child of this process, in a session of its own, all signals blocked and at
  // their default, without an environment. REQUIRES: kHasPayload is set in the agent half.
  absl::StatusOr<pid_t> Spawn(int slot, const ShimStart& start, const ShimDescriptors& descriptors);
  // The same without a process: the shim waits for orders. No payload, no cgroup.
  absl::StatusOr<pid_t> SpawnIdle(int slot, const ShimDescriptors& descriptors);

 private:
  static constexpr size_t kPlaces = 6;
  static constexpr size_t kStackBytes = size_t{64} << 10;

  struct Child;
  absl::StatusOr<pid_t> Execute(const std::vector<std::string>& words,
                                const ShimDescriptors& descriptors);
  ShimSpawner(UniqueFd binary, UniqueFd null, UniqueFd error, std::string program);
  // Makes places that are not there.
  absl::Status Reserve();
  absl::Status Stage(const ShimDescriptors& descriptors, Child* child);
  void Unstage();
  int Clone(Child* child, pid_t* pid);
  static int RunChildAsyncSafe(void* argument);

  // Constant after construction.
  const UniqueFd binary_;
  const UniqueFd null_;
  const UniqueFd error_;  // the agent's stderr, else /dev/null
  const std::string program_;
  std::array<UniqueFd, kPlaces> places_;  // each /dev/null between two starts
  const std::unique_ptr<std::byte[]> stack_;

  // Of the thread that spawns.
  bool can_leave_ = true;  // false: this kernel, or what confines the agent, knows no close_range
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OS_SHIM_SPAWNER_H_
