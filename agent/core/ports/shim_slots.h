// The shims of this host, by slot number: started, told, looked at, and freed.
//
// Ownership:     main owns the implementation, which outlives the supervisor.
// Thread-safety: loop thread only.
// Blocking:      Start until a shim executes; everything else a few system calls.
// Errors:        as said at each method.
#ifndef SHOAL_AGENT_CORE_PORTS_SHIM_SLOTS_H_
#define SHOAL_AGENT_CORE_PORTS_SHIM_SLOTS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "agent/core/ports/fork_parent.h"
#include "agent/record/record_layout.h"

namespace shoal::agent {

// Everything a shim is started with.
struct ShimStart {
  std::string id;
  std::string name{};
  std::vector<std::string> argv;
  std::vector<absl::string_view> env;  // complete; what it points to outlives the call
  std::string cwd;
  std::string input_file{};  // its stdin; empty: by `desired`, or /dev/null
  std::string beside{};      // id of the process in whose cgroup its own is made; empty: in none
  record::AgentHalf
      desired{};  // flags, caps, limits; id, boot id, kNoCgroup and seal are filled in by Start
  std::optional<ForkParent> fork_from{};  // absent: a fresh image by execve
};

// What a slot says of its shim.
struct ShimView {
  bool locked = false;                     // a shim is running or being started
  std::optional<record::AgentHalf> agent;  // absent when damaged, unreadable or free
  std::optional<record::ShimHalf>
      shim;              // absent when damaged, not written yet, or left by an earlier user
  bool damaged = false;  // a half failed its checksum after re-reading
  // The record is of this version, of which this agent can read the prefix only; `agent` and `shim`
  // are absent.
  std::optional<uint32_t> unreadable_version;
  std::optional<ForkFailure> refused;  // the parent did not fork, or broke off; `shim` is absent
  bool forked = false;  // the parent said that it has forked: the process ran, or runs
};

// What the shims report, on the loop thread.
class ShimEvents {
 public:
  virtual ~ShimEvents() = default;
  // The shim of the slot changed its half.
  virtual void OnReport(int slot) = 0;
  // Reports were lost: every slot may have changed.
  virtual void OnOverflow() = 0;
  // The shim is gone. What it wrote last, if anything, is in the record.
  virtual void OnDeath(int slot, const std::string& id) = 0;
};

// One that has not done what it was told after so long, or what was due, is stopped or stuck.
inline constexpr absl::Duration kShimReactionTime = absl::Seconds(2);

class ShimSlots {
 public:
  virtual ~ShimSlots() = default;

  // `events` are called from now on; null: none. They outlive this, or the next call.
  virtual void SetShimEvents(ShimEvents* events) = 0;

  // Takes a free slot and its lock, writes the agent half, makes the cgroup, starts the shim, or
  // asks `fork_from` for it. Blocks until the shim executes (about 0.2 ms). The shim's death is
  // reported by OnDeath, once; also when the parent did not fork, see ShimView::refused.
  // RESOURCE_EXHAUSTED (EAGAIN, ENOMEM, fds, cgroup limits), UNAVAILABLE (the parent is gone):
  // nothing is left behind.
  virtual absl::StatusOr<int> Start(const ShimStart& start) = 0;

  // Changes the agent half; `wake` sends SIGUSR1 so that the shim looks at once. Nothing happens if
  // the slot is no longer that of `id`.
  virtual void Tell(int slot, const std::string& id,
                    absl::AnyInvocable<void(record::AgentHalf&) const> change, bool wake) = 0;

  virtual ShimView Look(int slot, const std::string& id) = 0;

  // Every slot in use, at start: (slot, id). Watches the deaths of the shims that live.
  virtual std::vector<std::pair<int, std::string>> Recover() = 0;

  // The records were not there at this start: what ran before in this boot cannot be known.
  virtual bool WereLost() const = 0;

  // The slot's process is over and stored: removes its cgroup, makes the slot free.
  virtual void Free(int slot, const std::string& id) = 0;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_PORTS_SHIM_SLOTS_H_
