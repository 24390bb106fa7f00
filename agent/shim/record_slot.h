// The shim's side of its record slot: the agent's half as last read, its own half, and the reports.
//
// Ownership:     the one writer of the ShimHalf of its slot; does not own the descriptors 3 and 4.
// Thread-safety: single-threaded process only.
// Blocking:      reads and writes of one page on tmpfs.
#ifndef SHOAL_AGENT_SHIM_RECORD_SLOT_H_
#define SHOAL_AGENT_SHIM_RECORD_SLOT_H_

#include <stdint.h>

#include "agent/record/record_layout.h"

namespace shoal::shim {

class RecordSlot {
 public:
  // Reads the agent's half of slot `slot`. False if it is not an intact half of this version.
  bool Open(uint32_t slot);

  // Reads the agent's half again. False, and the last good one stays, if it is damaged or being
  // written.
  bool ReadAgent();

  // Writes the shim's half. Without a report nobody is woken: for the first half, which tells the
  // agent nothing that it does not know.
  void Write();
  // Writes the shim's half and reports it. A full FIFO drops the report: the agent then reads all
  // records.
  void Publish();

  // True while an agent holds the agent lock (slot 0).
  bool AgentLives() const;

  const record::AgentHalf& agent() const { return agent_; }
  // What the next Write() writes.
  record::ShimHalf& shim() { return shim_; }

 private:
  uint32_t slot_ = 0;
  record::AgentHalf agent_ = {};
  record::ShimHalf shim_ = {};
};

}  // namespace shoal::shim

#endif  // SHOAL_AGENT_SHIM_RECORD_SLOT_H_
