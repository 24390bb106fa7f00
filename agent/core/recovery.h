// The start of an agent: what the store remembers meets what the records say.
//
// Ownership:     lives for one Run(); fills the core's tables, does not own them.
// Thread-safety: before the loop serves anything.
// Blocking:      reads the store and every record.
// Errors:        none; a record that is damaged or missing makes its process LOST.
//
// What becomes of each stored process:
//   over                     taken over as it is
//   of another boot          LOST (HOST_REBOOT); nothing is signalled
//   with a slot              taken over from its record; a dead shim that was not final: SHIM_LOST
//   with a slot that only a newer agent can read
//                            shown and left alone; see agent/core/unmanaged.h
//   without, records lost    LOST (SHIM_LOST)
//   without, or with a slot that no shim has written and none will write
//                            an intent of which nothing was started: forgotten, so that the same
//                            request_id starts afresh
#ifndef SHOAL_AGENT_CORE_RECOVERY_H_
#define SHOAL_AGENT_CORE_RECOVERY_H_

#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "agent/core/core.h"
#include "agent/core/ports/output_files.h"
#include "agent/core/ports/process_files.h"
#include "agent/core/ports/shim_slots.h"
#include "agent/core/ports/store.h"
#include "agent/core/record_reader.h"
#include "agent/core/sessions.h"
#include "agent/core/terminator.h"

namespace shoal::agent {

class Recovery {
 public:
  Recovery(Core* core, const Ports& ports, RecordReader* reader, Sessions* sessions,
           Terminator* terminator)
      : core_(core),
        slots_(ports.slots),
        output_(ports.output),
        files_(ports.files),
        reader_(reader),
        sessions_(sessions),
        terminator_(terminator) {}

  void Run(Store::Content content);

 private:
  void RestoreRequests(Store::Content* content);
  void Restore(ProcessEntry process);
  void Attach(ProcessEntry* process, int slot);
  void LoseToReboot(ProcessEntry* process);
  void LoseRecord(ProcessEntry* process);
  // The end was stored, and the agent was killed before it told the shim.
  void TellEnd(ProcessEntry* process, const ShimView& view);
  void EndWithOther(const std::string& id);
  // A slot whose process is over or not known.
  void TakeOrphan(int slot, const std::string& id);
  void ForgetIntent(ProcessEntry* process, int slot);
  // Spawns that an older agent served are in the log of this one.
  void AdoptRequest(const ProcessEntry& process);

  Core* const core_;
  ShimSlots* const slots_;
  OutputFiles* const output_;
  ProcessFiles* const files_;
  RecordReader* const reader_;
  Sessions* const sessions_;
  Terminator* const terminator_;
  absl::flat_hash_map<std::string, int> untaken_;  // slots, by id
  absl::flat_hash_set<std::string> session_ids_;
  // By id: when the shim has sent SIGKILL to what was left of the tree.
  absl::flat_hash_map<std::string, absl::Time> kill_times_;
  std::vector<std::string> besides_;  // ids of what runs beside another process
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_RECOVERY_H_
