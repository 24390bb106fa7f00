// The start of an agent: what the store remembers meets what the records say.
//
// Thread-safety: before the loop serves anything.
// Blocking:      reads the store and every record.
//
// What becomes of each stored process:
//   over                     taken over as it is
//   of another boot          LOST (HOST_REBOOT); nothing is signalled
//   with a slot              taken over from its record; a dead shim that was not final: SHIM_LOST
//   without, records lost    LOST (SHIM_LOST)
//   without, or with a slot that no shim ever wrote or will
//                            an intent that came to nothing: forgotten, so that the same request_id
//                            starts afresh
#ifndef SHOAL_AGENT_CORE_RECOVERY_H_
#define SHOAL_AGENT_CORE_RECOVERY_H_

#include <string>

#include "absl/container/flat_hash_map.h"
#include "agent/core/core.h"
#include "agent/core/launcher.h"
#include "agent/core/record_reader.h"
#include "agent/core/sessions.h"

namespace shoal::agent {

class Recovery {
 public:
  Recovery(Core* core, RecordReader* reader, Launcher* launcher, Sessions* sessions)
      : core_(core), reader_(reader), launcher_(launcher), sessions_(sessions) {}

  void Run(Store::Content content);

 private:
  void Restore(ProcessEntry process);
  void Attach(ProcessEntry* process, int slot);
  void LoseToReboot(ProcessEntry* process);
  void LoseRecord(ProcessEntry* process);
  void ForgetIntent(ProcessEntry* process, int slot);

  Core* const core_;
  RecordReader* const reader_;
  Launcher* const launcher_;
  Sessions* const sessions_;
  absl::flat_hash_map<std::string, int> slots_;  // not taken yet
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_RECOVERY_H_
