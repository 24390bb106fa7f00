// From a PENDING process to its shim: what the shim is started with, and the start. That a process is
// STARTING is news only once it has been for a while: of most the next that is told is that they run.
//
// Ownership:     owned by the supervisor; does not own the processes.
// Thread-safety: loop thread only.
// Blocking:      the execve of a shim per process.
// Errors:        none returned; a start that fails is the state of its process.
#ifndef SHOAL_AGENT_CORE_LAUNCHER_H_
#define SHOAL_AGENT_CORE_LAUNCHER_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "agent/core/core.h"
#include "agent/core/environment.h"
#include "agent/core/ports/process_files.h"
#include "agent/core/ports/shim_slots.h"
#include "agent/core/session_table.h"
#include "agent/core/starter.h"

namespace shoal::agent {

class Launcher final : public Starter {
 public:
  Launcher(Core* core, ShimSlots* slots, ProcessFiles* files, const SessionTable* sessions)
      : core_(core),
        slots_(slots),
        files_(files),
        sessions_(sessions),
        environments_(&core->options) {}

  // By a shim of its own.
  void Start(ProcessEntry* process) override { Launch(process, std::nullopt); }
  // By its parent, which offers itself.
  void StartFrom(ProcessEntry* process, const ForkParent& parent) { Launch(process, parent); }

  // CLOCK_BOOTTIME, in ns: when a template ends that no agent has renewed from now on.
  int64_t DeadManOfTemplates() const;

 private:
  void Launch(ProcessEntry* process, std::optional<ForkParent> parent);
  record::AgentHalf DesiredFor(const ProcessEntry& process) const;
  void TellLater(const std::string& id);
  void TellStarting();

  struct Untold {
    std::string id;
    absl::Duration due;
  };

  Core* const core_;
  ShimSlots* const slots_;
  ProcessFiles* const files_;
  const SessionTable* const sessions_;
  Environments environments_;
  std::deque<Untold> untold_;  // the first is due first
  bool is_tell_set_ = false;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_LAUNCHER_H_
